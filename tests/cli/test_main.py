"""What the command line makes of its arguments, and what it needs for that."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import asgi_health
from asgi_health.cli.main import main

from .command import ENVIRONMENT
from .command import SCRIPT as PATH
from .demo import ROOT

SCRIPT = [str(PATH)]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
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


def test_the_package_knows_its_version() -> None:
    assert asgi_health.__version__ == version("asgi-health")
    assert "__version__" in dir(asgi_health)


def test_version_of_what_is_not_installed_is_not_invented() -> None:
    done = python("-S", "-m", "asgi_health", "--version")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "not installed" in line
    assert python("-S", "-c", "import asgi_health; print(hasattr(asgi_health, '__version__'))").stdout == "False\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--help"], "demo"),
        (["demo", "--help"], "--port"),
        (["probe", "--help"], "unix:/run/app.sock:/livez"),
        (["wait", "--help"], "(default: 60)"),
        (["check", "--help"], "shop.main:create_app()"),
    ],
)
def test_help_tells_what_there_is(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    assert told in capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The last line on stderr of a command that these arguments end with 2."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (2, "")
    return said.err.splitlines()[-1].partition(": error: ")[2]


def test_what_is_no_port_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for port in ("-1", "65536", "", "http", "8000.0", "٨"):
        assert f"{port!r} is not a port" in refused(capsys, "demo", f"--port={port}")


def test_help_fits_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in ([], ["probe"], ["wait"], ["check"], ["demo"]):
        with pytest.raises(SystemExit):
            main([*command, "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


URL = "http://127.0.0.1:1/"
UNKNOWN = {
    ("probe", URL, "--time", "1"): "there is no option --time; did you mean --timeout?",
    ("probe", "--time=1", URL): "there is no option --time; did you mean --timeout?",
    ("probe", "--expect", "200", URL): "there is no option --expect; did you mean --expect-status?",
    ("probe", "--expected-status", "200", URL): "there is no option --expected-status; did you mean --expect-status?",
    ("wait", URL, "--verbose", "--timeout", "x"): "there is no option --verbose; there are --help, --timeout, ",
    ("probe", "--quiet"): "there is no option --quiet; there are --help, --timeout, ",
    ("probe", "-q", URL): "there is no option -q; there are --help, --timeout, ",
    ("check", "--jso", "app:app"): "there is no option --jso; did you mean --json?",
    ("--vers",): "there is no option --vers; did you mean --version?",
    ("--verbose", "probe", URL): "there is no option --verbose; the options of a command stand behind its name",
}


def test_an_option_that_there_is_not_is_blamed_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in UNKNOWN.items():
        assert refused(capsys, *arguments).startswith(words)


def test_wrong_arguments_of_wait_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "wait") == "the following arguments are required: URL"
    assert "'a': expected http://host/path" in refused(capsys, "wait", "a")
    assert "'x' is not a number of seconds" in refused(capsys, "wait", URL, "--timeout", "x")


def test_a_probe_takes_no_longer_than_five_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    assert "'2000' is not a number of seconds (more than 0, at most 300)" in refused(
        capsys, "probe", URL, "--timeout", "2000"
    )


@pytest.mark.parametrize("command", [SCRIPT, [sys.executable, "-m", "asgi_health"]], ids=["script", "module"])
def test_the_installed_command_is_the_module(command: list[str]) -> None:
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
    name = "asgi-health" if command == SCRIPT else "python -m asgi_health"
    assert done.stdout.startswith(f"usage: {name} probe ")
    assert done.stdout.endswith("/readyz\n")


def test_a_broken_command_ends_with_its_traceback_and_not_with_success() -> None:
    done = python(
        "-c",
        "import sys\n"
        "import asgi_health.cli.probe as room\n"
        "from asgi_health.cli.start import start\n"
        "def broken(wanted): raise LookupError('a bug')\n"
        "room.probe = broken\n"
        "sys.argv[1:] = ['probe', 'http://127.0.0.1/']\n"
        "start()\n",
    )
    assert done.returncode == 1
    assert done.stderr.endswith("LookupError: a bug\n")


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
