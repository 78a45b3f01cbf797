"""The servers of the tests. Each has its own folder and port, and starts when a test first needs it.

A server is a subclass of Server with a `name`, in a module of this package. It is found by that name.
"""

from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules

from .server import Missing, Server, Target

__all__ = ["SERVERS", "Missing", "Server", "Target"]


def _found() -> dict[str, type[Server]]:
    modules = [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)]
    classes = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type)]
    servers = {kind for kind in classes if issubclass(kind, Server) and not isabstract(kind)}
    return {kind.name: kind for kind in sorted(servers, key=lambda kind: kind.name)}


SERVERS = _found()
