"""`check` finds the Health wherever its middleware is, and starts the app without asgi-health."""

import json
from pathlib import Path

import pytest

from asgi_health import HealthMiddleware
from asgi_health.cli.check import find_health
from asgi_health.cli.check.find_health import find_healths

from .command import Completed, run

PRELUDE = """
import contextlib, os, sys
from asgi_health import Check, Health, HealthMiddleware, Probe, degraded

def log(event):
    with open("events", "a") as file:
        file.write(event + "\\n")

open_pool = False

@contextlib.asynccontextmanager
async def lifespan(app):
    global open_pool
    log("startup")
    open_pool = True
    yield {"a": 1}
    open_pool = False
    log("shutdown")

async def database():
    log("check" if open_pool else "check without a pool")

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
    "around": STARLETTE + "app = HealthMiddleware(Starlette(lifespan=lifespan), checks)",
    "added to Starlette": STARLETTE
    + "app = Starlette(lifespan=lifespan)\napp.add_middleware(HealthMiddleware, checks=checks)",
    "made with Starlette": STARLETTE
    + "app = Starlette(lifespan=lifespan, middleware=[Middleware(HealthMiddleware, checks=checks)])",
    "added to FastAPI": FASTAPI
    + "health = Health(checks)\napp = FastAPI(lifespan=lifespan)\napp.add_middleware(HealthMiddleware, checks=health)",
    "added to FastAPI among others": FASTAPI
    + WRAPPER
    + "app = FastAPI(lifespan=lifespan)\napp.add_middleware(Wrapper)\n"
    "app.add_middleware(HealthMiddleware, checks=checks)\napp.add_middleware(Wrapper)",
    "in Quart": """
from quart import Quart
app = Quart(__name__)
@app.while_serving
async def serving():
    async with lifespan(app):
        yield
app.asgi_app = HealthMiddleware(app.asgi_app, checks)
""",
    "around Litestar": "from litestar import Litestar\napp = HealthMiddleware(Litestar(lifespan=[lifespan]), checks)",
    "wrapped": STARLETTE + WRAPPER + "app = Wrapper(Wrapper(HealthMiddleware(Starlette(lifespan=lifespan), checks)))",
    "twice": STARLETTE
    + "health = Health(checks)\napp = HealthMiddleware(HealthMiddleware(Starlette(lifespan=lifespan), health), health)",
    "made by a factory": STARLETTE + "def app():\n    return HealthMiddleware(Starlette(lifespan=lifespan), checks)",
    "attribute of an attribute": STARLETTE
    + "class app:\n    class of:\n        thing = HealthMiddleware(Starlette(lifespan=lifespan), checks)",
    "in a function": STARLETTE
    + """
def wrapped(inner):
    async def outer(scope, receive, send):
        await inner(scope, receive, send)
    return outer
app = wrapped(HealthMiddleware(Starlette(lifespan=lifespan), checks))
""",
    "mounted, and added to what is mounted": FASTAPI
    + STARLETTE
    + """
from starlette.routing import Mount
api = FastAPI()
api.add_middleware(HealthMiddleware, checks=checks)
app = Starlette(lifespan=lifespan, routes=[Mount("/a", routes=[Mount("/b", app=api)])])
""",
    "made when the app starts": """
async def inner(scope, receive, send):
    async with lifespan(None):
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


def check(folder: Path, source: str, *arguments: str) -> Completed:
    """Run the command for the app in the program `source`."""
    (folder / "shop.py").write_text(source)
    return run("check", *(arguments or ("shop:app",)), cwd=folder, env={"PYTHONDONTWRITEBYTECODE": "1"})


@pytest.mark.parametrize("kind", APPS)
def test_the_checks_run_once_between_startup_and_shutdown(kind: str, tmp_path: Path) -> None:
    completed = check(tmp_path, PRELUDE + APPS[kind], NAMES.get(kind, "shop:app"))
    assert (completed.code, completed.err) == (0, "")
    assert completed.out.splitlines()[1].split()[:2] == ["database", "pass"]
    # Once: asgi-health, had it been started too, would run the checks again in the background.
    assert (tmp_path / "events").read_text().split("\n") == ["startup", "check", "shutdown", ""]


@pytest.mark.parametrize(
    "app",
    [
        "app = HealthMiddleware(Starlette(lifespan=lifespan), [alone], drain=Drain(), listener=Listener('./s'))",
        "app = Starlette(lifespan=lifespan)\n"
        "app.add_middleware(HealthMiddleware, checks=[alone], drain=Drain(), listener=Listener('./s'))",
    ],
    ids=["around", "added"],
)
def test_neither_a_listener_nor_a_signal_handler_is_installed(app: str, tmp_path: Path) -> None:
    source = """
import signal, threading
from asgi_health import Drain, Listener

async def alone():
    assert open_pool
    assert not os.path.exists("s")
    assert "asgi_health" not in repr(signal.getsignal(signal.SIGTERM))
    names = {thread.name for thread in threading.enumerate()}
    assert names == {"MainThread", "asgi-health exit with parent"}, names

alone = Check("alone", alone)
"""
    completed = check(tmp_path, f"{PRELUDE}{STARLETTE}{source}{app}")
    assert (completed.code, completed.err) == (0, ""), completed.out


def test_two_healths_in_one_app_are_both_checked(tmp_path: Path) -> None:
    source = (
        PRELUDE + STARLETTE + "app = HealthMiddleware(HealthMiddleware(Starlette(), {'a': database}), {'b': database})"
    )
    completed = check(tmp_path, source)
    assert sorted(line.split()[0] for line in completed.out.splitlines()) == ["NAME", "a", "b", "passed"]


def test_a_health_alone_needs_no_app(tmp_path: Path) -> None:
    completed = check(tmp_path, PRELUDE + "app = Health(checks)")
    assert (completed.code, completed.err) == (0, "")
    assert (tmp_path / "events").read_text() == "check without a pool\n"


def test_checks_that_are_added_in_the_startup_are_run(tmp_path: Path) -> None:
    source = """
health = Health()
@contextlib.asynccontextmanager
async def adds(app):
    health.add(Check("late", lambda: None))
    yield
app = HealthMiddleware(Starlette(lifespan=adds), health)
"""
    completed = check(tmp_path, PRELUDE + STARLETTE + source)
    assert completed.out.splitlines()[1].split()[:2] == ["late", "pass"]


@pytest.mark.parametrize(
    "body",
    ["raise ValueError('lifespan?')", "return", "assert scope['type'] == 'http', scope"],
    ids=["raises", "returns", "asserts"],
)
def test_an_app_without_lifespan_support_is_checked(body: str, tmp_path: Path) -> None:
    source = f"{PRELUDE}async def plain(scope, receive, send):\n    {body}\napp = HealthMiddleware(plain, checks)"
    completed = check(tmp_path, source)
    assert (completed.code, completed.err) == (0, "")


@pytest.mark.parametrize("app", ["Health()", "HealthMiddleware(raw)"])
def test_an_app_without_checks_passes_only_with_allow_empty(app: str, tmp_path: Path) -> None:
    source = f"{PRELUDE}async def raw(scope, receive, send): ...\napp = {app}"
    completed = check(tmp_path, source)
    assert (completed.code, completed.err) == (1, "")
    assert completed.out == "failed: no checks; --allow-empty accepts that\n"
    document = json.loads(check(tmp_path, source, "shop:app", "--json").out)
    assert (document["status"], document["error"]) == ("fail", "no checks; --allow-empty accepts that")
    completed = check(tmp_path, source, "shop:app", "--allow-empty")
    assert (completed.code, completed.out, completed.err) == (0, "passed: no checks\n", "")


def test_another_app_in_the_same_module_is_not_checked(tmp_path: Path) -> None:
    source = "bad = HealthMiddleware(FastAPI(), {'bad': lambda: False})\napp = FastAPI()\n"
    source += "@app.get('/')\nasync def page(): return bad\napp.add_middleware(HealthMiddleware, checks=checks)"
    completed = check(tmp_path, PRELUDE + FASTAPI + source)
    assert [line.split()[0] for line in completed.out.splitlines()] == ["NAME", "database", "passed"]


INNER = "async def app(scope, receive, send): ...\n"


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("", ""),
        ("web = HealthMiddleware(app, checks)\nother = Health()", "; did you mean shop:web?"),
        ("health = Health(checks)", "; did you mean shop:health?"),
        (
            "hidden = [HealthMiddleware(app, checks)]",
            "; there is one that the app does not refer to: assign it to a variable of a module and name that",
        ),
    ],
    ids=["none", "around it", "without an app", "without a name"],
)
def test_for_an_app_without_a_health_another_one_is_suggested(source: str, hint: str, tmp_path: Path) -> None:
    completed = check(tmp_path, PRELUDE + INNER + source)
    assert (completed.code, completed.out) == (1, "")
    error = f"shop:app has no HealthMiddleware, neither around it nor inside it{hint}"
    assert completed.line == f"python -m asgi_health check: {error}"


class Bare:
    """An ASGI app, judging by its signature."""

    async def __call__(self, scope: object, receive: object, send: object) -> None: ...


class Mock(Bare):
    """Invents an attribute for every name, as a mock does."""

    def __getattr__(self, name: str) -> "Mock":
        return Mock()


class Proxy(Bare):
    """A proxy whose class cannot be read now, as those of Flask and Django."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise RuntimeError("outside of a request")


class Unreadable(Bare):
    """Has an attribute that cannot be read yet."""

    @property
    def app(self) -> object:
        raise RuntimeError("not now")


class Circular(Bare):
    """Refers to itself."""

    def __init__(self) -> None:
        self.app: object = HealthMiddleware(self)


@pytest.mark.parametrize("kind", [Mock, Unreadable, Proxy, Bare])
def test_in_an_unusual_object_without_a_health_none_is_found(kind: type[Bare]) -> None:
    assert find_healths(kind(), "shop:app") == []


def test_circular_references_are_followed_once() -> None:
    app = Circular()
    assert len(find_healths(app, "shop:app")) == 1


def test_the_search_is_limited_and_the_nearest_objects_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    class Holder(Bare):
        def __init__(self, *apps: object) -> None:
            self.rows = [*([number] for number in range(1000)), *apps]
            self.near = HealthMiddleware(Bare())

    far = HealthMiddleware(Bare())
    app = Holder([[[[[far]]]]])
    assert find_healths(app, "shop:app") == [app.near.health, far.health]
    # The command needs no option for this limit, and an app of 200,000 objects would make the test slow.
    monkeypatch.setattr(find_health, "MAX_OBJECTS", 900)
    assert find_healths(app, "shop:app") == [app.near.health]
