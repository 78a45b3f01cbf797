"""The contenders: one table."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from .setup import App, Setup


@dataclass(frozen=True)
class Contender:
    """One way to answer a probe, of asgi-health or of another project."""

    name: str
    title: str
    factory: str
    """``module:function`` in benchmarks.apps; the function takes a Setup and returns an ASGI app."""
    needs: tuple[str, ...] = ()
    """Distributions that it requires."""
    base: str | None = None
    """The factory of the same app without health paths, None where it is not compared with one."""
    ready: str = "/health/ready"
    live: str = "/health/live"
    verbose: str | None = None
    """The path of its details, None where it has none."""
    checks: bool = True
    """Whether it checks its dependency at all."""
    caches: str = "nothing"
    """What keeps a probe from calling the dependency."""
    since: tuple[int, int] = (3, 11)
    before: tuple[int, int] = (4, 0)
    """The range of Pythons that its newest release supports."""
    because: str = ""
    """What the tables say on another Python."""

    @property
    def ours(self) -> bool:
        return self.name.startswith("asgi-health")

    @property
    def missing(self) -> tuple[str, ...]:
        """The distributions that are not installed."""
        return tuple(name for name in self.needs if not installed(name))

    def held_back(self, python: tuple[int, int]) -> str:
        """Return why its newest release does not support this Python, "" where it does."""
        return "" if self.since <= python < self.before else self.because

    def make(self, setup: Setup) -> App:
        """Return the app."""
        return _factory(self.factory)(setup)

    def make_base(self, setup: Setup) -> App | None:
        """Return the same app without health paths."""
        return None if self.base is None else _factory(self.base)(setup)


LIMIT = Contender("limit", "constant messages (the limit)", "limit:app", base="limit:app", checks=False)

LOOPS = Contender("loops", "bare asyncio loops", "loops:app", caches="runs on a schedule of its own")
"""Only to compare the cost of running checks: its answers do not depend on them."""

CONTENDERS = (
    LIMIT,
    Contender(
        "starlette",
        "Starlette route",
        "hand:starlette",
        needs=("starlette",),
        base="hand:starlette_base",
        checks=False,
    ),
    Contender("fastapi", "FastAPI route", "hand:fastapi", needs=("fastapi",), base="hand:fastapi_base", checks=False),
    Contender(
        "fastapi-awaits",
        "FastAPI route that awaits its check",
        "hand:fastapi_awaits",
        needs=("fastapi",),
        base="hand:fastapi_base",
    ),
    Contender(
        "asgi-health",
        "asgi-health around constant messages",
        "ours:around_limit",
        base="limit:app",
        verbose="/health/ready?verbose",
        caches="runs on a schedule of its own",
    ),
    Contender(
        "asgi-health, all on",
        "asgi-health, everything on, around constant messages",
        "ours:around_limit_with_everything",
        base="limit:app",
        verbose="/health/ready?verbose",
        caches="runs on a schedule of its own",
    ),
    Contender(
        "asgi-health, board",
        "asgi-health, one of four workers with a board, around constant messages",
        "ours:around_limit_with_board",
        base="limit:app",
        verbose="/health/ready?verbose",
        caches="runs on a schedule of its own",
    ),
    Contender(
        "asgi-health+starlette",
        "asgi-health around Starlette",
        "ours:around_starlette",
        needs=("starlette",),
        base="hand:starlette_base",
        verbose="/health/ready?verbose",
        caches="runs on a schedule of its own",
    ),
    Contender(
        "asgi-health+fastapi",
        "asgi-health around FastAPI",
        "ours:around_fastapi",
        needs=("fastapi",),
        base="hand:fastapi_base",
        verbose="/health/ready?verbose",
        caches="runs on a schedule of its own",
    ),
    Contender(
        "fastapi-watch",
        "fastapi-watch",
        "peers:fastapi_watch",
        needs=("fastapi-watch", "fastapi"),
        base="hand:fastapi_base",
        verbose="/health/status",
        caches="polls in the background, and in a request when a result is too old",
    ),
    Contender(
        "probirka",
        "probirka",
        "peers:probirka",
        needs=("probirka", "starlette"),
        base="hand:starlette_base",
        verbose="/health/ready",
        caches="success_ttl and failed_ttl",
    ),
    Contender(
        "fast-healthchecks",
        "fast-healthchecks",
        "peers:fast_healthchecks",
        needs=("fast-healthchecks", "fastapi"),
        base="hand:fastapi_base",
        verbose="/health/ready",
        before=(3, 15),
        because="it needs a Python before 3.15",
    ),
    Contender(
        "fastapi-health",
        "fastapi-health",
        "peers:fastapi_health",
        needs=("fastapi-health", "fastapi"),
        base="hand:fastapi_base",
    ),
    Contender(
        "django-health-check",
        "django-health-check",
        "peer_django:django_health_check",
        needs=("django-health-check", "django"),
        ready="/health/ready?format=text",
        live="/health/live?format=text",
        verbose="/health/ready?format=json",
        since=(3, 14),
        because="4.9 and later need Python 3.14 and Django 6",
    ),
    Contender(
        "light-health",
        "light-health",
        "peers:light_health",
        needs=("light-health", "starlette"),
        base="hand:starlette_base",
        ready="/health/readiness",
        live="/health/liveness",
        verbose="/health/readiness",
        since=(3, 13),
        because="it needs Python 3.13",
    ),
)


def find_contender(name: str) -> Contender:
    """Return the contender of that name. Raises KeyError."""
    return {each.name: each for each in (*CONTENDERS, LOOPS)}[name]


def _factory(reference: str) -> Callable[[Setup], App]:
    module, _, name = reference.partition(":")
    factory: Callable[[Setup], App] = getattr(import_module(f"{__package__}.apps.{module}"), name)
    return factory


def installed(distribution: str) -> bool:
    """Return whether a distribution is installed."""
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
