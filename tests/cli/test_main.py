"""What the command line makes of its arguments, and what it needs for that."""

import subprocess
import sys
from pathlib import Path

import pytest

from asgi_health.cli.main import main

from .demo import ROOT


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_arguments_it_prints_its_usage_and_exits_2() -> None:
    done = python("-m", "asgi_health")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("usage: python -m asgi_health ")


def test_version_is_that_of_the_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = tmp_path / "asgi_health-7.8.9.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: asgi-health\nVersion: 7.8.9\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == "asgi-health 7.8.9\n"


def test_version_of_what_is_not_installed_is_not_invented() -> None:
    done = python("-S", "-m", "asgi_health", "--version")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "not installed" in line


@pytest.mark.parametrize(("arguments", "told"), [(["--help"], "demo"), (["demo", "--help"], "--port")])
def test_help_tells_what_there_is(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    assert told in capsys.readouterr().out


@pytest.mark.parametrize("port", ["-1", "65536", "", "http", "8000.0", "٨"])
def test_what_is_no_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["demo", f"--port={port}"])
    assert end.value.code == 2
    assert f"{port!r} is not a port" in capsys.readouterr().err


def test_reading_the_arguments_imports_no_server_and_no_framework() -> None:
    done = python(
        "-c",
        "import sys\n"
        "from asgi_health.cli.main import main\n"
        "try:\n    main(['demo', '--help'])\n"
        "finally:\n    print('imported', sorted({'starlette', 'uvicorn', 'anyio', 'orjson'} & set(sys.modules)))\n",
    )
    assert done.stdout.endswith("imported []\n")


def without(module: str) -> subprocess.CompletedProcess[str]:
    """`python -m asgi_health demo` where that module is not installed."""
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
def test_without_its_extra_the_demo_says_in_one_line_what_to_install(module: str) -> None:
    done = without(module)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line == f'python -m asgi_health demo: {module} is not installed; try: pip install "asgi-health[demo]"'


def test_another_missing_module_is_not_blamed_on_the_extra() -> None:
    done = without("asgi_health.cli.demo.faults")
    assert done.returncode == 1
    assert "No module named 'asgi_health.cli.demo.faults'" in done.stderr
    assert "pip install" not in done.stderr
