"""`check` finds the Health wherever it was put, and starts the app without its health layer."""

from pathlib import Path

import pytest

from asgi_health import HealthMiddleware
from asgi_health.cli.check.find import find
from asgi_health.cli.check.trouble import Trouble

from .command import Ended, run

PRELUDE = """
import contextlib, os, sys
from asgi_health import Check, Health, HealthMiddleware, Probe, degraded

def tell(what):
    with open("told", "a") as file:
        file.write(what + "\\n")

open_pool = False

@contextlib.asynccontextmanager
async def life(app):
    global open_pool
    tell("startup")
    open_pool = True
    yield {"a": 1}
    open_pool = False
    tell("shutdown")

async def database():
    tell("check" if open_pool else "check without a pool")

checks = {"database": database}
"""

STARLETTE = "from starlette.applications import Starlette\nfrom starlette.middleware import Middleware\n"
FASTAPI = "from fastapi import FastAPI\n"
WRAPPER = """
class Wrapper:
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)
"""

APPS = {
    "around": STARLETTE + "app = HealthMiddleware(Starlette(lifespan=life), checks)",
    "added to Starlette": STARLETTE
    + "app = Starlette(lifespan=life)\napp.add_middleware(HealthMiddleware, checks=checks)",
    "made with Starlette": STARLETTE
    + "app = Starlette(lifespan=life, middleware=[Middleware(HealthMiddleware, checks=checks)])",
    "added to FastAPI": FASTAPI
    + "health = Health(checks)\napp = FastAPI(lifespan=life)\napp.add_middleware(HealthMiddleware, checks=health)",
    "added to FastAPI among others": FASTAPI
    + WRAPPER
    + "app = FastAPI(lifespan=life)\napp.add_middleware(Wrapper)\napp.add_middleware(HealthMiddleware, checks=checks)\n"
    "app.add_middleware(Wrapper)",
    "in Quart": """
from quart import Quart
app = Quart(__name__)
@app.while_serving
async def serving():
    async with life(app):
        yield
app.asgi_app = HealthMiddleware(app.asgi_app, checks)
""",
    "around Litestar": "from litestar import Litestar\napp = HealthMiddleware(Litestar(lifespan=[life]), checks)",
    "wrapped": STARLETTE + WRAPPER + "app = Wrapper(Wrapper(HealthMiddleware(Starlette(lifespan=life), checks)))",
    "twice": STARLETTE
    + "health = Health(checks)\napp = HealthMiddleware(HealthMiddleware(Starlette(lifespan=life), health), health)",
    "made by a factory": STARLETTE + "def app():\n    return HealthMiddleware(Starlette(lifespan=life), checks)",
    "attribute of an attribute": STARLETTE
    + "class app:\n    class of:\n        thing = HealthMiddleware(Starlette(lifespan=life), checks)",
}
NAMES = {"made by a factory": "shop:app()", "attribute of an attribute": "shop:app.of.thing"}


def check(folder: Path, source: str, *arguments: str) -> Ended:
    """Check what this program calls app."""
    (folder / "shop.py").write_text(source)
    return run("check", *(arguments or ("shop:app",)), cwd=folder, env={"PYTHONDONTWRITEBYTECODE": "1"})


@pytest.mark.parametrize("kind", APPS)
def test_the_checks_run_once_between_the_startup_of_the_app_and_its_shutdown(kind: str, tmp_path: Path) -> None:
    ended = check(tmp_path, PRELUDE + APPS[kind], NAMES.get(kind, "shop:app"))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[1].split()[:2] == ["database", "pass"]
    # Once: had the health layer been started too, it would have run its checks in the background.
    assert (tmp_path / "told").read_text().split("\n") == ["startup", "check", "shutdown", ""]


@pytest.mark.parametrize(
    "app",
    [
        "app = HealthMiddleware(Starlette(lifespan=life), [alone], drain=Drain(), listener=Listener('./s'))",
        "app = Starlette(lifespan=life)\n"
        "app.add_middleware(HealthMiddleware, checks=[alone], drain=Drain(), listener=Listener('./s'))",
    ],
    ids=["around", "added"],
)
def test_no_listener_and_no_signal_handler_is_there_meanwhile(app: str, tmp_path: Path) -> None:
    source = """
import signal, threading
from asgi_health import Drain, Listener

async def alone():
    assert open_pool
    assert not os.path.exists("s")
    assert "asgi_health" not in repr(signal.getsignal(signal.SIGTERM))
    names = {thread.name for thread in threading.enumerate()}
    assert names == {"MainThread", "asgi-health watchdog"}, names

alone = Check("alone", alone)
"""
    ended = check(tmp_path, f"{PRELUDE}{STARLETTE}{source}{app}")
    assert (ended.code, ended.err) == (0, ""), ended.out


def test_two_healths_are_both_checked(tmp_path: Path) -> None:
    source = (
        PRELUDE + STARLETTE + "app = HealthMiddleware(HealthMiddleware(Starlette(), {'a': database}), {'b': database})"
    )
    ended = check(tmp_path, source)
    assert sorted(line.split()[0] for line in ended.out.splitlines()) == ["NAME", "a", "b", "passed"]


def test_a_health_alone_needs_no_app(tmp_path: Path) -> None:
    ended = check(tmp_path, PRELUDE + "app = Health(checks)")
    assert (ended.code, ended.err) == (0, "")
    assert (tmp_path / "told").read_text() == "check without a pool\n"


def test_checks_that_the_startup_adds_are_run(tmp_path: Path) -> None:
    source = """
health = Health()
@contextlib.asynccontextmanager
async def adds(app):
    health.add(Check("late", lambda: None))
    yield
app = HealthMiddleware(Starlette(lifespan=adds), health)
"""
    ended = check(tmp_path, PRELUDE + STARLETTE + source)
    assert ended.out.splitlines()[1].split()[:2] == ["late", "pass"]


@pytest.mark.parametrize(
    "body",
    ["raise ValueError('lifespan?')", "return", "assert scope['type'] == 'http', scope"],
    ids=["raises", "returns", "asserts"],
)
def test_an_app_that_takes_no_part_in_lifespan_is_checked(body: str, tmp_path: Path) -> None:
    source = f"{PRELUDE}async def plain(scope, receive, send):\n    {body}\napp = HealthMiddleware(plain, checks)"
    ended = check(tmp_path, source)
    assert (ended.code, ended.err) == (0, "")


def test_without_checks_it_says_so(tmp_path: Path) -> None:
    ended = check(tmp_path, PRELUDE + "app = Health()")
    assert (ended.code, ended.out, ended.err) == (0, "passed: there are no checks\n", "")


class Bare:
    """An app, as far as can be seen."""

    async def __call__(self, scope: object, receive: object, send: object) -> None: ...


class Odd(Bare):
    """Makes up an attribute for every name, as a mock does."""

    def __getattr__(self, name: str) -> "Odd":
        return Odd()


class Shy(Bare):
    """Has an attribute that cannot be read yet."""

    @property
    def app(self) -> object:
        raise RuntimeError("not now")


class Firm(Bare):
    """Has an inner app that cannot be replaced."""

    app = property(lambda _: HealthMiddleware(Bare()))


class Round(Bare):
    """Leads back to itself."""

    def __init__(self) -> None:
        self.app: object = HealthMiddleware(self)


@pytest.mark.parametrize("app", [Odd(), Shy(), Bare()])
def test_an_odd_object_without_a_health_layer_is_told_to_have_none(app: Bare) -> None:
    with pytest.raises(Trouble, match="has no HealthMiddleware"):
        find(app, "shop:app")


def test_a_health_layer_that_cannot_be_taken_out_is_told() -> None:
    with pytest.raises(Trouble, match=r"shop:app: the health layer cannot be taken out of Firm\.app: AttributeError"):
        find(Firm(), "shop:app")


def test_apps_in_a_circle_are_walked_once() -> None:
    thing = Round()
    found = find(thing, "shop:app")
    assert found.app is thing
    assert thing.app is thing
    assert len(found.healths) == 1
