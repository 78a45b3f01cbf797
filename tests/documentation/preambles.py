"""The names that programs of the documentation take from the reader's own code; `<!-- with: ... -->` lists them.

The names of servers (`DATABASE`, `CACHE`, `NATS`) come from the test, which starts one.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import anyio
from fastapi import FastAPI
from starlette.applications import Starlette

import asgi_health
from asgi_health import Health, HealthMiddleware


async def passes() -> None:
    """A dependency that answers."""


async def consume(queue: Path, stopping: anyio.Event) -> None:
    """Return at once: the queue is empty."""


class FakePool:
    """A pool of connections to a database that answers."""

    async def execute(self, query: str) -> str:
        return query


class FakeModel:
    """A model that takes no time."""

    def predict(self, texts: list[str]) -> list[float]:
        return [0.5 for _ in texts]


def module(name: str, **members: object) -> ModuleType:
    """Return a new module that can be imported."""
    made = sys.modules[name] = ModuleType(name)
    made.__dict__.update(members)
    return made


def service() -> ModuleType:
    """Return a module with an application and its Health."""
    health = Health({"database": passes})
    app = HealthMiddleware(Starlette(), checks=health)
    return module("service", app=app, health=health, ping_database=passes)


PREAMBLES: dict[str, Callable[[], object]] = {
    # applications
    "api": FastAPI,
    "app": Starlette,
    "service": service,
    "shop": lambda: module("shop", app=Starlette()),
    # functions of checks
    "database": lambda: passes,
    "migrations_done": lambda: passes,
    "ping_database": lambda: passes,
    "pool": FakePool,
    "ping_search": lambda: passes,
    "free_gigabytes": lambda: lambda: 7,
    # what a lifespan loads
    "load_catalogue": lambda: dict,
    "load_model": lambda: FakeModel,
    "gpu_memory": lambda: lambda: (20_000_000_000, 24_000_000_000),
    # programs without a web server
    "consume": lambda: consume,
    "queue": lambda: Path(tempfile.gettempdir()),
    "stopping": anyio.Event,
    # a new Health for each program, because it belongs to one app at a time
    "health": lambda: Health({"database": passes}),
}


def preamble(name: str) -> object:
    """Return the object with that name: a public one of asgi_health, or a new one of the above."""
    return getattr(asgi_health, name) if name in asgi_health.__all__ else PREAMBLES[name]()
