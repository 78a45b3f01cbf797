"""The catalogue of the ready-made checks: each check states what it does and what it costs."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, TypedDict, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

CHECKS = __name__.removesuffix("._support.catalogue")


class Facts(TypedDict):
    """What checks of one protocol have in common, however many technologies speak it."""

    asked: str
    costs: str
    privileges: str


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """What a reader needs to know of a check before using it.

    Attributes:
        make: The public function, or class, that makes the check.
        technology: What is checked, as the first column of docs/reference/checks.md names it.
        extra: The extra that installs the driver. Empty: the check needs no driver.
        asked: What a run asks the server.
        costs: What a run costs the server.
        privileges: What the user of the client must be allowed to do.
    """

    make: Callable[..., Any]
    technology: str
    extra: str
    asked: str
    costs: str
    privileges: str

    @property
    def function(self) -> str:
        """The name of the check below ``asgi_health.checks``, such as ``redis.redis_client``."""
        return f"{self.make.__module__.removeprefix(f'{CHECKS}.')}.{self.make.__name__}"

    @property
    def docstring(self) -> str:
        """The docstring without its indentation. It is valid Markdown."""
        return inspect.getdoc(self.make) or ""


_ENTRIES: list[CatalogueEntry] = []


def catalogued(*, technology: str, extra: str, asked: str, costs: str, privileges: str) -> Callable[[F], F]:
    """Return a decorator that adds the decorated function to the catalogue."""

    def add(function: F) -> F:
        _ENTRIES.append(CatalogueEntry(function, technology, extra, asked, costs, privileges))
        return function

    return add


def modules() -> list[str]:
    """Return the full names of the modules that hold the checks, sorted."""
    folder = Path(__file__).parents[1]
    return sorted(f"{CHECKS}.{each.name}" for each in iter_modules([str(folder)]) if not each.name.startswith("_"))


def entries() -> list[CatalogueEntry]:
    """Return the entries of all checks, sorted by technology."""
    for module in modules():
        import_module(module)
    return sorted(_ENTRIES, key=lambda entry: (entry.technology.lower(), entry.function))
