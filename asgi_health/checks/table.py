"""The table of the ready-made checks, from what each says of itself: ``python -m asgi_health.checks``."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Row:
    """What there is to know of a check before it is used."""

    function: str
    """Its full name, below ``asgi_health.checks``."""
    technology: str
    extra: str
    """The extra that installs its driver; empty where the standard library is enough."""
    asked: str
    """What is asked of the server."""
    costs: str
    """What that costs the server, per run."""
    privileges: str
    """What the client's user must be allowed to do."""


_ROWS: dict[str, Row] = {}


def described(*, technology: str, extra: str, asked: str, costs: str, privileges: str) -> Callable[[F], F]:
    """Enter the decorated function into the table."""

    def enter(function: F) -> F:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        _ROWS[name] = Row(name, technology, extra, asked, costs, privileges)
        return function

    return enter


def rooms() -> list[str]:
    """Return the names of the modules of the package."""
    return sorted(module.name for module in iter_modules([str(Path(__file__).parent)]) if module.name != "__main__")


def rows() -> list[Row]:
    """Return what every ready-made check says of itself, by technology."""
    for room in rooms():
        import_module(f"{__package__}.{room}")
    return sorted(_ROWS.values(), key=lambda row: (row.technology.lower(), row.function))


def document() -> str:
    """Return docs/checks.md."""
    lines = [
        "# Ready-made checks",
        "",
        "Each that asks a server takes the application's own client, or a function without arguments that returns it",
        "once it is there:",
        "",
        "```python",
        "from asgi_health import Check",
        "from asgi_health.checks.postgres import asyncpg_pool",
        "",
        'Check("database", asyncpg_pool(lambda: api.state.pool), timeout=1.0)',
        "```",
        "",
        "The deadline of the check covers all that it does. None of them publishes, or takes a message from anybody.",
        "None writes, but for `celery.celery_workers`, for which a broker must note who listens. A pool that is",
        "exhausted while the server answers is degraded, `pool exhausted: 20 of 20 in use`. The driver comes with your",
        'application, or with the extra: `pip install "asgi-health[postgres]"`.',
        "",
        "| technology | check, in `asgi_health.checks` | extra | asked | cost of a run | privileges |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows():
        extra = f"`{row.extra}`" if row.extra else "–"
        cells = (row.technology, f"`{row.function}`", extra, row.asked, row.costs, row.privileges)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, "", "This page is written by `python -m asgi_health.checks > docs/checks.md`.", ""])
