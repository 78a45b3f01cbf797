"""`check` finds the Health wherever it was put, and starts the app without its health layer."""

import json
from pathlib import Path

import pytest

from asgi_health import HealthMiddleware
from asgi_health.cli.check import find as room
from asgi_health.cli.check.find import find

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
    "in a function": STARLETTE
    + """
def wrapped(inner):
    async def outer(scope, receive, send):
        await inner(scope, receive, send)
    return outer
app = wrapped(HealthMiddleware(Starlette(lifespan=life), checks))
""",
    "mounted, and added to what is mounted": FASTAPI
    + STARLETTE
    + """
from starlette.routing import Mount
api = FastAPI()
api.add_middleware(HealthMiddleware, checks=checks)
app = Starlette(lifespan=life, routes=[Mount("/a", routes=[Mount("/b", app=api)])])
""",
    "made when the app starts": """
async def inner(scope, receive, send):
    async with life(None):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})
class Late:
    async def __call__(self, scope, receive, send):
        self.inner = HealthMiddleware(inner, checks)
        await self.inner(scope, receive, send)
app = Late()
""",
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


@pytest.mark.parametrize("app", ["Health()", "HealthMiddleware(raw)"])
def test_without_checks_it_passes_only_where_that_is_allowed(app: str, tmp_path: Path) -> None:
    source = f"{PRELUDE}async def raw(scope, receive, send): ...\napp = {app}"
    ended = check(tmp_path, source)
    assert (ended.code, ended.err) == (1, "")
    assert ended.out == "failed: there are no checks; --allow-empty takes that for a pass\n"
    told = json.loads(check(tmp_path, source, "shop:app", "--json").out)
    assert (told["status"], told["error"]) == ("fail", "there are no checks; --allow-empty takes that for a pass")
    ended = check(tmp_path, source, "shop:app", "--allow-empty")
    assert (ended.code, ended.out, ended.err) == (0, "passed: there are no checks\n", "")


def test_an_app_of_its_own_in_the_same_module_is_not_taken_for_a_part_of_it(tmp_path: Path) -> None:
    source = "bad = HealthMiddleware(FastAPI(), {'bad': lambda: False})\napp = FastAPI()\n"
    source += "@app.get('/')\nasync def page(): return bad\napp.add_middleware(HealthMiddleware, checks=checks)"
    ended = check(tmp_path, PRELUDE + FASTAPI + source)
    assert [line.split()[0] for line in ended.out.splitlines()] == ["NAME", "database", "passed"]


INNER = "async def app(scope, receive, send): ...\n"


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("", ""),
        ("web = HealthMiddleware(app, checks)\nother = Health()", "; name the one that is meant: shop:web"),
        ("health = Health(checks)", "; name the one that is meant: shop:health"),
        (
            "hidden = [HealthMiddleware(app, checks)]",
            "; one was made in this process, but no way leads to it from there: give it a name in a module",
        ),
    ],
    ids=["none", "around it", "without an app", "without a name"],
)
def test_where_none_is_in_it_the_one_that_may_be_meant_is_named(source: str, hint: str, tmp_path: Path) -> None:
    ended = check(tmp_path, PRELUDE + INNER + source)
    assert (ended.code, ended.out) == (1, "")
    told = f"python -m asgi_health check: shop:app has no HealthMiddleware, around it or anywhere in it{hint}"
    assert ended.line == told


class Bare:
    """An app, as far as can be seen."""

    async def __call__(self, scope: object, receive: object, send: object) -> None: ...


class Odd(Bare):
    """Makes up an attribute for every name, as a mock does."""

    def __getattr__(self, name: str) -> "Odd":
        return Odd()


class Proxy(Bare):
    """Claims to be of the class of something that is not there now, as those of Flask and Django do."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise RuntimeError("outside of a request")


class Shy(Bare):
    """Has an attribute that cannot be read yet."""

    @property
    def app(self) -> object:
        raise RuntimeError("not now")


class Round(Bare):
    """Leads back to itself."""

    def __init__(self) -> None:
        self.app: object = HealthMiddleware(self)


@pytest.mark.parametrize("kind", [Odd, Shy, Proxy, Bare])
def test_in_an_odd_object_without_a_health_layer_none_is_found(kind: type[Bare]) -> None:
    assert find(kind(), "shop:app") == []


def test_apps_in_a_circle_are_walked_once() -> None:
    thing = Round()
    assert len(find(thing, "shop:app")) == 1


def test_a_search_ends_after_so_many_objects_and_the_nearest_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    class Held(Bare):
        def __init__(self, *apps: object) -> None:
            self.rows = [*([number] for number in range(1000)), *apps]
            self.near = HealthMiddleware(Bare())

    far = HealthMiddleware(Bare())
    app = Held([[[[[far]]]]])
    assert find(app, "shop:app") == [app.near.health, far.health]
    monkeypatch.setattr(room, "MOST", 900)
    assert find(app, "shop:app") == [app.near.health]
