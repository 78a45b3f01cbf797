"""What stands above a program of the documentation in the reader's own code, by name; `<!-- with: ... -->` asks for it.

What belongs to a server (`DATABASE`, `CACHE`, `NATS`) comes from the test, which starts one.
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
    """A program that has nothing left to do."""


def module(name: str, **members: object) -> ModuleType:
    """Make a module that can be imported."""
    made = sys.modules[name] = ModuleType(name)
    made.__dict__.update(members)
    return made


def service() -> ModuleType:
    """An application that is made with a Health of its own."""
    health = Health({"database": passes})
    app = HealthMiddleware(Starlette(), checks=health)
    return module("service", app=app, health=health, ping_database=passes)


PREAMBLES: dict[str, Callable[[], object]] = {
    # applications
    "api": FastAPI,
    "app": Starlette,
    "service": service,
    "shop": lambda: module("shop", app=Starlette()),
    # functions that ask a dependency
    "database": lambda: passes,
    "migrations_done": lambda: passes,
    "ping_database": lambda: passes,
    "ping_search": lambda: passes,
    "free_gigabytes": lambda: lambda: 7,
    # what a program without a web server has
    "consume": lambda: consume,
    "queue": lambda: Path(tempfile.gettempdir()),
    "stopping": anyio.Event,
    # a Health of its own for each program, as it belongs to one app at a time
    "health": lambda: Health({"database": passes}),
}


def preamble(name: str) -> object:
    """Make what `name` stands for: a public name of asgi_health, or one of the above."""
    return getattr(asgi_health, name) if name in asgi_health.__all__ else PREAMBLES[name]()
