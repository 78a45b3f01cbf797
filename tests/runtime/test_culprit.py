"""Which line of a stack is named as the culprit: made-up frames, and real ones of generated code."""

import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from traceback import FrameSummary, StackSummary, walk_stack

import attrs
import pytest

from asgi_health.runtime.watchdog.culprit import culprit

STDLIB = sysconfig.get_path("stdlib")
SITE = sysconfig.get_path("purelib")
SERVER = [f"{SITE}/uvicorn/protocols/http/h11_impl.py", f"{SITE}/asgi_health/middleware.py"]
FRAMEWORK = [f"{SITE}/fastapi/applications.py", f"{SITE}/starlette/routing.py"]
SHOP = [f"{SITE}/shop/main.py", f"{SITE}/shop/views.py"]
DRIVER = [f"{SITE}/sqlalchemy/engine/base.py", f"{SITE}/psycopg2/__init__.py"]


def frames(*files: str) -> list[FrameSummary]:
    return [FrameSummary(file, number, f"f{number}") for number, file in enumerate(files)]


def named(*files: str) -> str:
    """Return the file that is named for a stack of frames in these files."""
    text = culprit(frames(*files))
    number = int(text[1 : text.index(" ")])
    assert text == f"f{number} ({files[number]}:{number})"
    return files[number]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["/app/main.py"], 0),
        (["/app/main.py", "/app/views.py", f"{SITE}/requests/api.py", f"{STDLIB}/socket.py"], 1),
        ([f"{STDLIB}/asyncio/events.py", "/app/views.py", f"{STDLIB}/json/__init__.py", "<frozen importlib>"], 1),
        (["/app/a.py", f"{SITE}/lib.py", "/app/b.py", f"{STDLIB}/socket.py"], 2),
        (["/app/a.py", "/home/me/.local/lib/python3.11/site-packages/lib.py"], 0),
        (["/app/a.py", "/usr/lib/python3/dist-packages/lib.py"], 0),
        (["/app/a.py", f"{STDLIB}-of-my-own/lib.py"], 1),
    ],
)
def test_it_is_the_innermost_frame_of_the_app_itself(files: list[str], expected: int) -> None:
    assert named(*files) == files[expected]


@pytest.mark.parametrize(
    "generated",
    [
        "<string>",
        "<attrs generated init shop.Order>",
        "<frozen importlib._bootstrap>",
        "<template>",
        "<lambdifygenerated-1>",
    ],
)
def test_generated_code_is_not_named(generated: str) -> None:
    assert named("/app/a.py", generated) == "/app/a.py"
    assert named("/app/a.py", generated, f"{STDLIB}/json/__init__.py", generated) == "/app/a.py"
    assert named(generated, "/app/a.py", generated) == "/app/a.py"
    assert named(*SERVER, generated, *SHOP, generated) == SHOP[-1]
    assert named(f"{STDLIB}/asyncio/events.py", generated) == f"{STDLIB}/asyncio/events.py"


def test_where_all_code_is_generated_the_innermost_is_named() -> None:
    assert named("<string>", "<stdin>") == "<stdin>"


@pytest.mark.parametrize(
    "files",
    [
        [*SERVER, *FRAMEWORK, *SHOP],
        [*SERVER, *FRAMEWORK, *SHOP, *DRIVER],
        [*SERVER, *FRAMEWORK, *SHOP, *DRIVER, f"{STDLIB}/socket.py"],
        [*SERVER, *FRAMEWORK, *SHOP, *DRIVER, "<string>"],
        [*SERVER, *FRAMEWORK, *SHOP, f"{SITE}/anyio/from_thread.py", f"{SITE}/starlette/templating.py"],
        [*SERVER, f"{SITE}/opentelemetry/instrumentation/asgi/__init__.py", *FRAMEWORK, *SHOP],
        [*SHOP, *DRIVER],
        [f"{SITE}/unheardof/server.py", *SERVER, *FRAMEWORK, *SHOP, *DRIVER],
        [*FRAMEWORK, *SHOP, f"{STDLIB}/subprocess.py"],
    ],
)
def test_an_installed_app_is_distinguished_from_server_framework_and_drivers(files: list[str]) -> None:
    assert named(*files) == SHOP[-1]


def test_an_installed_module_without_a_package_is_an_app_too() -> None:
    assert named(*SERVER, f"{SITE}/shop.py", *DRIVER) == f"{SITE}/shop.py"


def test_packages_of_windows_are_known() -> None:
    site = "C:\\Python\\Lib\\site-packages"
    assert named(f"{site}\\uvicorn\\a.py", f"{site}\\shop\\b.py", f"{site}\\psycopg2\\c.py") == f"{site}\\shop\\b.py"


def test_a_virtual_environment_below_the_app_is_not_the_app() -> None:
    assert named("/app/main.py", "/app/.venv/lib/python3.12/site-packages/lib/a.py") == "/app/main.py"


def test_of_servers_and_frameworks_alone_the_innermost_is_named() -> None:
    assert named(*SERVER, *FRAMEWORK) == FRAMEWORK[-1]


seen: list[str] = []


def default() -> str:
    seen.append(culprit(StackSummary.extract(iter([*walk_stack(sys._getframe(1))][::-1]), lookup_lines=False)))
    return ""


@dataclass
class Order:
    number: str = field(default_factory=default)


@attrs.define
class Item:
    number: str = attrs.field(factory=default)


def run_in_exec() -> None:
    exec("default()", {"default": default})


@pytest.mark.parametrize("make", [Order, Item, run_in_exec])
def test_for_generated_code_its_caller_is_named(make: Callable[[], object]) -> None:
    seen.clear()
    make()
    assert seen
    assert all(__file__ in each for each in seen)
