"""Help, version, wrong arguments, and what the command imports."""

import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import asgi_health
from asgi_health.cli.main import main

from .command import ENVIRONMENT, SCRIPT
from .demo import ROOT


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_arguments_the_command_prints_its_usage_and_exits_with_2() -> None:
    done = python("-m", "asgi_health")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("usage: python -m asgi_health ")


def test_version_prints_the_versions_of_the_installed_package_and_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = tmp_path / "asgi_health-7.8.9.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: asgi-health\nVersion: 7.8.9\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"asgi-health 7.8.9 (Python {platform.python_version()})\n"


def test_the_package_knows_its_version() -> None:
    assert asgi_health.__version__ == version("asgi-health")
    assert "__version__" in dir(asgi_health)


def test_the_version_is_unknown_if_the_package_is_not_installed() -> None:
    done = python("-S", "-m", "asgi_health", "--version")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "not installed" in line
    assert python("-S", "-c", "import asgi_health; print(hasattr(asgi_health, '__version__'))").stdout == "False\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--help"], "demo"),
        (["demo", "--help"], "--port"),
        (["probe", "--help"], "unix:/run/app.sock:/livez"),
        (["wait", "--help"], "(default: 60)"),
        (["check", "--help"], "shop.main:create_app()"),
        (["maintain", "--help"], "ASGI_HEALTH_TOKEN"),
        (["manifest", "--help"], "asgi-health manifest kubernetes shop.main:app"),
        (["completion", "--help"], "asgi-health completion fish | source"),
    ],
)
def test_help_describes_the_command(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    assert text in capsys.readouterr().out


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the error that the command prints for wrong arguments."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    printed = capsys.readouterr()
    assert (end.value.code, printed.out) == (2, "")
    return printed.err.splitlines()[-1].partition(": error: ")[2]


def test_a_text_that_is_not_a_port_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for port in ("-1", "65536", "", "http", "8000.0", "٨", "9" * 5000):
        assert f"{port!r} is not a port" in error_of(capsys, "demo", f"--port={port}")


def test_help_fits_80_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    commands = "probe wait check doctor manifest demo completion maintain resume status"
    for command in ("", *commands.split()):
        with pytest.raises(SystemExit):
            main([*command.split(), "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


URL = "http://127.0.0.1:1/"
UNKNOWN = {
    ("probe", URL, "--time", "1"): "unknown option --time; did you mean --timeout?",
    ("probe", "--time=1", URL): "unknown option --time; did you mean --timeout?",
    ("probe", "--expect", "200", URL): "unknown option --expect; did you mean --expect-status?",
    ("probe", "--expected-status", "200", URL): "unknown option --expected-status; did you mean --expect-status?",
    ("wait", URL, "--verbose", "--timeout", "x"): "unknown option --verbose; the options are --help, --timeout, ",
    ("probe", "--quiet"): "unknown option --quiet; the options are --help, --timeout, ",
    ("probe", "-q", URL): "unknown option -q; the options are --help, --timeout, ",
    ("check", "--jso", "app:app"): "unknown option --jso; did you mean --json?",
    ("--vers",): "unknown option --vers; did you mean --version?",
    ("--verbose", "probe", URL): "unknown option --verbose; the options of a command go after its name",
}


def test_an_unknown_option_is_named_and_a_similar_one_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, error in UNKNOWN.items():
        assert error_of(capsys, *arguments).startswith(error)


def test_wrong_arguments_of_wait_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert error_of(capsys, "wait") == "the following arguments are required: URL"
    assert "'a': expected http://host/path" in error_of(capsys, "wait", "a")
    assert "'x' is not a number of seconds" in error_of(capsys, "wait", URL, "--timeout", "x")


def test_a_probe_refuses_a_timeout_above_five_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    assert "'2000' is not a number of seconds (more than 0, at most 300)" in error_of(
        capsys, "probe", URL, "--timeout", "2000"
    )


@pytest.mark.parametrize("command", [[str(SCRIPT)], [sys.executable, "-m", "asgi_health"]], ids=["script", "module"])
def test_the_installed_script_and_the_module_are_the_same_command(command: list[str]) -> None:
    done = subprocess.run(
        [*command, "probe", "--help"],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    name = "asgi-health" if command == [str(SCRIPT)] else "python -m asgi_health"
    assert done.stdout.startswith(f"usage: {name} probe ")
    assert done.stdout.endswith("/readyz\n")


def test_a_bug_in_the_command_prints_a_traceback_and_exits_with_1() -> None:
    done = python(
        "-c",
        "import sys\n"
        "import asgi_health.cli.probe\n"
        "from asgi_health.cli.start import start\n"
        "def broken(request): raise LookupError('a bug')\n"
        "asgi_health.cli.probe.probe = broken\n"
        "sys.argv[1:] = ['probe', 'http://127.0.0.1/']\n"
        "start()\n",
    )
    assert done.returncode == 1
    assert done.stderr.endswith("LookupError: a bug\n")


@pytest.mark.parametrize("arguments", [["demo", "--help"], ["--version"], ["completion", "bash"]], ids=str)
def test_help_version_and_completion_import_neither_the_engine_nor_a_server(arguments: list[str]) -> None:
    done = python(
        "-c",
        "import sys\n"
        "from asgi_health.cli.main import main\n"
        f"try:\n    main({arguments})\n"
        "finally:\n"
        "    print('imported', [name for name in sys.modules if name.startswith('asgi_health.')])\n"
        "    print('imported', sorted({'starlette', 'uvicorn', 'anyio', 'asyncio', 'orjson'} & set(sys.modules)))\n",
    )
    assert done.returncode == 0
    own, others = [line for line in done.stdout.splitlines() if line.startswith("imported ")]
    assert [name for name in re.findall(r"asgi_health\.\w+", own) if name != "asgi_health.cli"] == []
    assert others == "imported []"


def without(module: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m asgi_health demo` without `module`."""
    return python(
        "-c",
        "import runpy, sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "sys.argv[1:] = ['demo', '--port', '0']\n"
        "runpy.run_module('asgi_health', run_name='__main__')\n",
    )


@pytest.mark.parametrize("module", ["starlette", "uvicorn"])
def test_without_its_extra_the_demo_prints_what_to_install(module: str) -> None:
    done = without(module)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line == f'python -m asgi_health demo: {module} is not installed; try: pip install "asgi-health[demo]"'


def test_a_missing_module_of_asgi_health_does_not_suggest_the_extra() -> None:
    done = without("asgi_health.cli.demo.faults")
    assert done.returncode == 1
    assert "No module named 'asgi_health.cli.demo.faults'" in done.stderr
    assert "pip install" not in done.stderr
