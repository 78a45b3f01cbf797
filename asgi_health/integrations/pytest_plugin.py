"""Fixtures for pytest, which test what an app does when a dependency fails.

def test_orders_are_refused_without_the_database(client, break_check, assert_not_ready):
    with break_check("database"):
        assert_not_ready(because="database")
        assert client.post("/orders").status_code == 503

pytest imports this module in every run where asgi-health is installed, so it imports nothing but pytest. A fixture
imports asgi_health when a test uses it. PYTEST_DONT_REWRITE: there is no assert statement in here.
"""

from collections.abc import Callable, Generator, Iterable
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from ..health import Health
    from ..testing import BrokenCheck

__all__ = ["assert_not_ready", "assert_ready", "break_check", "health"]

APP_FIXTURES = ("asgi_app", "app")
"""The fixtures from which `health` takes the app, the first that exists."""

INI = "asgi_health_app"


class BreakCheck(Protocol):
    """Make a check fail until the end of the ``with`` block, or without one until the end of the test."""

    def __call__(self, name: str, message: str = "broken by the test") -> "BrokenCheck":
        """Make the check `name` fail from now on; details show `message`."""
        ...


class AssertNotReady(Protocol):
    """Assert that the app is not ready."""

    def __call__(self, because: str | Iterable[str] = ()) -> None:
        """Assert that the app is not ready, and that `because` names checks or reasons that make it so.

        Args:
            because: Names of checks, or one of the words starting, stale, stalled, draining, maintenance and stopped;
                empty for any reason.
        """
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the app."""
    parser.addini(INI, "the app of the fixture `health`, as module:app, where no fixture asgi_app or app exists")


@pytest.fixture
def health(request: pytest.FixtureRequest) -> "Health":
    """Return the Health of the app of the fixture `asgi_app` or `app`, or of the ini option `asgi_health_app`."""
    from ..testing import health_of

    return health_of(_app(request))


@pytest.fixture
def break_check(health: "Health") -> Generator[BreakCheck]:
    """Make a check fail: ``with break_check("database"):``; without a block it fails until the end of the test."""
    from ..testing import break_check

    broken: list[BrokenCheck] = []

    def break_one(name: str, message: str = "broken by the test") -> "BrokenCheck":
        broken.append(break_check(health, name, message))
        return broken[-1]

    yield break_one
    for each in reversed(broken):
        each.repair()


@pytest.fixture
def assert_ready(health: "Health") -> Callable[[], None]:
    """Assert that the app is ready: ``assert_ready()``."""
    from ..testing import assert_ready

    return lambda: assert_ready(health)


@pytest.fixture
def assert_not_ready(health: "Health") -> AssertNotReady:
    """Assert that the app is not ready, and why: ``assert_not_ready(because="database")``."""
    from ..testing import assert_not_ready

    return lambda because=(): assert_not_ready(health, because)


def _app(request: pytest.FixtureRequest) -> Any:
    for name in APP_FIXTURES:
        try:
            return request.getfixturevalue(name)
        except pytest.FixtureLookupError as error:
            if error.argname != name:
                raise
    named = request.config.getini(INI)
    if not named:
        raise pytest.UsageError(
            f"the fixture health needs an app: define a fixture named {' or '.join(APP_FIXTURES)}, or set"
            f' {INI} = "module:app" in the configuration of pytest'
        )
    return resolve_name(named if ":" in named else f"{named}:app")
