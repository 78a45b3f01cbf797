"""Without the package of a technology its integration says what to install."""

import subprocess
import sys
import tomllib

import pytest

from ..servers.process import ROOT

PACKAGES = {
    "fastapi": "fastapi",
    "litestar": "litestar",
    "opentelemetry": "opentelemetry",
    "prometheus": "prometheus_client",
    "sentry": "sentry_sdk",
}
TESTED_APART = {"alerts", "django", "files", "grpc", "pytest_plugin", "systemd"}


def import_error(integration: str, missing: str, *, then: str = "") -> str:
    program = (
        "import sys\n"
        "class NotInstalled:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {missing!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, NotInstalled())\n"
        f"import asgi_health.integrations.{integration}\n{then}"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1, ended.stderr
    return ended.stderr.splitlines()[-1]


def test_each_integration_has_an_extra_with_its_package() -> None:
    found = (ROOT / "asgi_health" / "integrations").iterdir()
    modules = {each.stem for each in found if each.suffix == ".py" or (each / "__init__.py").exists()} - {"__init__"}
    assert modules - TESTED_APART == set(PACKAGES)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra, package in PACKAGES.items():
        assert len(extras[extra]) == 1
        assert extras[extra][0].replace("-", "_").startswith(package)


@pytest.mark.parametrize(("integration", "package"), PACKAGES.items())
def test_without_its_package_the_error_names_the_extra(integration: str, package: str) -> None:
    assert import_error(integration, package) == (
        f'ModuleNotFoundError: {package} is not installed; try: pip install "asgi-health[{integration}]"'
    )


def test_without_django_the_error_of_its_application_names_the_extra() -> None:
    error = import_error("django", "django", then="asgi_health.integrations.django.get_asgi_application()")
    assert error == 'ModuleNotFoundError: django is not installed; try: pip install "asgi-health[django]"'


@pytest.mark.parametrize("package", ["grpc", "grpc_health"])
def test_the_health_over_grpc_needs_two_packages_and_the_error_names_their_extra(package: str) -> None:
    # Python 3.15 adds a suggestion.
    assert import_error("grpc", package).startswith(
        f'ModuleNotFoundError: {package} is not installed; try: pip install "asgi-health[grpc-health]"'
    )


def test_another_missing_module_is_named_as_it_is() -> None:
    missing = {"opentelemetry": "typing_extensions", "sentry": "urllib3", "prometheus": "http.server"}
    for integration, module in missing.items():
        # Python 3.15 may add a suggestion.
        assert import_error(integration, module).startswith(f"ModuleNotFoundError: No module named {module!r}")
