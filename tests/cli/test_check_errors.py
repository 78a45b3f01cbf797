"""An error that keeps the checks from running: one line, exit code 1, within the timeout."""

import json
import sys
from pathlib import Path

import pytest

from asgi_health.cli.check.check_error import CheckError
from asgi_health.cli.check.find_health import require_app
from asgi_health.cli.check.load_app import load_app
from asgi_health.cli.main import main

from .test_check_find_health import FASTAPI, PRELUDE, STARLETTE, check

AROUND = "app = HealthMiddleware({app}, checks)\n"


def starting(body: str) -> str:
    """Return an app whose startup runs `body`."""
    return (
        PRELUDE
        + STARLETTE
        + f"import asyncio, time\n@contextlib.asynccontextmanager\nasync def starts(app):\n    {body}\n    yield\n"
        + AROUND.format(app="Starlette(lifespan=starts)")
    )


RAW = """
async def raw(scope, receive, send):
    await receive()
    {body}
"""


def starting_without_framework(body: str) -> str:
    """Return the same without a framework, whose import may take longer than the timeout of the test."""
    return PRELUDE + "import asyncio, time\n" + RAW.format(body=body) + AROUND.format(app="raw")


INVALID_APPS = {
    "no module": ("", "nope:app", "importing nope failed: ModuleNotFoundError: No module named 'nope'"),
    "no package": ("", "nope.web:app", "importing nope.web failed: ModuleNotFoundError: No module named 'nope'"),
    "no attribute": ("", "shop:app", "shop has no attribute 'app'"),
    "no attribute of it": ("class app: pass", "shop:app.web", "shop:app has no attribute 'web'"),
    "syntax": ("def", "shop:app", "importing shop failed: SyntaxError: "),
    "raises": ("raise RuntimeError('no\\nsettings')", "shop:app", "importing shop failed: RuntimeError: no settings"),
    "exits": ("import sys; sys.exit(3)", "shop:app", "importing shop failed: it called sys.exit(3)"),
    "exits with 0": ("import sys; sys.exit()", "shop:app", "importing shop failed: it called sys.exit(None)"),
    "interrupts itself": ("raise GeneratorExit", "shop:app", "importing shop failed: GeneratorExit"),
    "no app": ("app = {}", "shop:app", "shop:app is of type dict, expected an ASGI app or a Health"),
    "nothing": ("app = None", "shop:app", "shop:app is of type NoneType, expected an ASGI app or a Health"),
    "a class": ("class app: pass", "shop:app", "shop:app is the class app, expected an ASGI app or a Health"),
    "a factory": (
        "def app(): pass",
        "shop:app",
        "shop:app is a function, not an ASGI app; if it returns one, write shop:app()",
    ),
    "a factory that fails": ("def app(): 1/0", "shop:app()", "shop:app() failed: ZeroDivisionError: division by zero"),
    "a factory with arguments": ("def app(a): pass", "shop:app()", "shop:app() failed: TypeError: "),
    "no factory": ("app = 1", "shop:app()", "shop:app cannot be called: it is of type int"),
}

ERRORS = {
    "raises": ("raise RuntimeError('no\\nsettings')", "shop:app", "importing shop failed: RuntimeError: no settings"),
    "no health": (
        FASTAPI + "app = FastAPI()",
        "shop:app",
        "shop:app has no HealthMiddleware, neither around it nor inside it",
    ),
    "a check that cannot work": (
        PRELUDE + FASTAPI + "app = FastAPI()\napp.add_middleware(HealthMiddleware, checks={'A B': database})",
        "shop:app",
        "shop:app: its middleware cannot be created: ValueError: check 'A B': name must be 1-63 of",
    ),
    "startup raises": (
        starting("raise RuntimeError('no pool')"),
        "shop:app",
        "the app failed to start: RuntimeError: no pool",
    ),
    "startup raises in a task group": (
        starting("import anyio\n    async with anyio.create_task_group(): raise RuntimeError('no\\npool')"),
        "shop:app",
        "the app failed to start: RuntimeError: no pool",
    ),
    "startup raises a group": (
        starting("raise ExceptionGroup('two', [RuntimeError('no pool'), ValueError('a')])"),
        "shop:app",
        "the app failed to start: ExceptionGroup: two (2 sub-exceptions)",
    ),
    "startup exits": (starting("sys.exit(3)"), "shop:app", "the app failed to start: SystemExit: 3"),
    "a bare app that crashes": (
        PRELUDE + RAW.format(body="raise RuntimeError('no pool')") + AROUND.format(app="raw"),
        "shop:app",
        "the app failed to start: RuntimeError: no pool",
    ),
    "a bare app that exits": (
        PRELUDE + RAW.format(body="sys.exit(3)") + AROUND.format(app="raw"),
        "shop:app",
        "the app failed to start: it called sys.exit(3)",
    ),
    "a bare app that stops the loop": (
        PRELUDE + "import asyncio\n" + RAW.format(body="asyncio.get_running_loop().stop()") + AROUND.format(app="raw"),
        "shop:app",
        "failed while starting the app: RuntimeError: Event loop stopped before Future completed",
    ),
    "a bare app that cancels everything": (
        PRELUDE
        + "import asyncio\n"
        + RAW.format(body="[task.cancel() for task in asyncio.all_tasks()]; await asyncio.sleep(9)")
        + AROUND.format(app="raw"),
        "shop:app",
        "failed while starting the app: CancelledError",
    ),
    "a bare app that exits in a callback": (
        PRELUDE
        + "import asyncio\n"
        + RAW.format(body="asyncio.get_running_loop().call_soon(sys.exit, 3); await asyncio.sleep(9)")
        + AROUND.format(app="raw"),
        "shop:app",
        "failed while starting the app: it called sys.exit(3)",
    ),
    "a bare app that gives no reason": (
        PRELUDE + RAW.format(body="await send({'type': 'lifespan.startup.failed'})") + AROUND.format(app="raw"),
        "shop:app",
        "the app failed to start: lifespan.startup.failed",
    ),
}


@pytest.mark.parametrize("name", INVALID_APPS)
def test_an_app_that_cannot_be_imported_or_is_not_an_app_is_reported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, app, error = INVALID_APPS[name]
    (tmp_path / "shop.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    with pytest.raises(CheckError) as raised:
        require_app(load_app(*app.split(":")), app)
    assert str(raised.value).startswith(error)
    sys.modules.pop("shop", None)


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_reported_in_one_line_and_in_the_json(name: str, tmp_path: Path) -> None:
    source, app, error = ERRORS[name]
    completed = check(tmp_path, source, app, "--json")
    assert completed.code == 1
    assert completed.line.startswith(f"python -m asgi_health check: {error}")
    document = json.loads(completed.out)
    assert (document["status"], document["checks"]) == ("fail", [])
    assert completed.line == f"python -m asgi_health check: {document['error']}"


def test_without_results_no_table_is_printed(tmp_path: Path) -> None:
    completed = check(tmp_path, "", "nope:app")
    assert (completed.code, completed.out) == (1, "")
    assert (
        completed.line
        == "python -m asgi_health check: importing nope failed: ModuleNotFoundError: No module named 'nope'"
    )


INVALID_NAMES = {
    **dict.fromkeys(["", ":app", "shop:app(1)", "shop:app[0]", "sh op:app", "shop:()", "a-b.py:app"], ""),
    "shop": ", such as shop:app",
    "shop:": ", such as shop:app",
    "shop.py": ", such as shop:app",
    "shop.py:app": ", such as shop:app",
    "shop.py:web.app": ", such as shop:web.app",
    "shop.py:create()": ", such as shop:create()",
    "./src/shop/main.py:app": ", such as src.shop.main:app",
    "shop/main:app": ", such as shop.main:app",
}


def test_an_invalid_name_is_refused_and_for_a_file_the_name_of_its_app_is_suggested(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for app, hint in INVALID_NAMES.items():
        with pytest.raises(SystemExit) as end:
            main(["check", app])
        printed = capsys.readouterr()
        assert (end.value.code, printed.out) == (2, "")
        assert printed.err.endswith(f"{app!r}: expected module:app or module:factory(){hint}\n")


CREDENTIALS = "raise RuntimeError('cannot reach postgres://shop:sesame@db/shop, password=sesame')"


@pytest.mark.parametrize("source", [CREDENTIALS, starting(CREDENTIALS)], ids=["import", "startup"])
def test_verbose_prints_the_traceback_and_credentials_are_always_masked(source: str, tmp_path: Path) -> None:
    for arguments in (["--verbose"], ["--json"]):
        completed = check(tmp_path, source, "shop:app", *arguments)
        assert completed.code == 1
        assert "cannot reach postgres://***@db/shop" in completed.err
        assert ("Traceback (most recent call last):" in completed.err) == ("--verbose" in arguments)
        assert "RuntimeError: cannot reach" in completed.err.splitlines()[-1]
        assert "sesame" not in completed.out + completed.err


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", ['{"a":1,"b":[2]},', "://", "password='"])
def test_a_long_error_is_shortened_quickly(unit: str, tmp_path: Path) -> None:
    completed = check(tmp_path, f"raise ImportError({unit!r} * {200_000 // len(unit)})", "shop:app", "--verbose")
    assert completed.code == 1
    assert "importing shop failed: ImportError: " in completed.err
    assert max(map(len, completed.err.splitlines())) < 1100


@pytest.mark.parametrize(
    ("source", "doing"),
    [
        ("import time; time.sleep(60)", "importing shop"),
        (starting_without_framework("await asyncio.sleep(60)"), "starting the app"),
        (starting_without_framework("time.sleep(60)"), "starting the app"),
    ],
    ids=["import blocks", "startup waits", "startup blocks"],
)
def test_an_app_that_does_not_start_in_time_is_stopped(source: str, doing: str, tmp_path: Path) -> None:
    completed = check(tmp_path, source, "shop:app", "--timeout", "1", "--json")
    assert completed.code == 1
    assert completed.line == f"python -m asgi_health check: timed out after 1 s while {doing}"
    assert json.loads(completed.out)["status"] == "fail"
