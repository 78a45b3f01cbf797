"""The stack frame that most likely blocks an event loop."""

import os
import re
import sysconfig
from collections.abc import Sequence
from traceback import FrameSummary


def culprit(stack: Sequence[FrameSummary]) -> str:
    """Return the name and the place of the frame that most likely blocks. `stack` has the innermost frame last.

    That is the innermost frame of the app. Where the app is an installed package, it is the outermost package that is
    not a server, a framework, an instrumentation or this package. So the same stall is reported in the same way,
    wherever in a driver it is seen. Generated code is skipped, because it has no source line.
    """
    lines = [frame for frame in stack if not _is_generated(frame.filename)]
    own = [frame for frame in lines if not frame.filename.startswith(_STANDARD) and _package(frame.filename) is None]
    frame = (own or _of_the_installed_app(lines) or lines or list(stack))[-1]
    return f"{frame.name} ({frame.filename}:{frame.lineno})"


def _of_the_installed_app(frames: list[FrameSummary]) -> list[FrameSummary]:
    packages = [_package(frame.filename) for frame in frames]
    if "asgi_health" in packages:  # the frames before ours belong to the server and outer middlewares
        ours = len(packages) - packages[::-1].index("asgi_health")
        inside = _first_foreign(packages[ours:])
    else:
        inside = None
    app = inside or _first_foreign(packages)
    return [frame for frame, package in zip(frames, packages, strict=True) if package is not None and package == app]


def _first_foreign(packages: list[str | None]) -> str | None:
    return next((each for each in packages if each is not None and each not in _NOT_THE_APP), None)


def _is_generated(filename: str) -> bool:
    return filename.startswith("<")  # <string> of dataclasses and exec, <attrs generated ...>, <frozen importlib...>


def _package(filename: str) -> str | None:
    """Return the installed package or module that a file is part of, None for a file that is not installed."""
    found = _INSTALLED.search(filename)
    return found["package"].removesuffix(".py") if found else None


_STANDARD = tuple({f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib")})
_INSTALLED = re.compile(r".*[/\\](?:site|dist)-packages[/\\](?P<package>[^/\\]+)")

_SERVERS = (
    "uvicorn uvicorn_worker gunicorn hypercorn granian daphne twisted autobahn txaio zttp h11 h2 hpack hyperframe"
    " httptools wsproto websockets uvloop rloop winloop mangum a2wsgi nest_asyncio"
)
_FRAMEWORKS = (
    "starlette fastapi litestar quart flask werkzeug django channels asgiref falcon blacksheep guardpost sanic"
    " sanic_routing sanic_ext connexion robyn aiohttp tornado ninja rest_framework strawberry ariadne jinja2 pydantic"
    " pydantic_core corsheaders whitenoise asgi_correlation_id asgi_lifespan"
)
_OURS = (
    "asgi_health anyio orjson sniffio idna exceptiongroup typing_extensions trio outcome attr attrs sortedcontainers"
)
_INSTRUMENTATIONS = (
    "opentelemetry sentry_sdk ddtrace newrelic elasticapm scout_apm datadog logfire wrapt prometheus_client"
    " prometheus_fastapi_instrumentator starlette_exporter structlog debugpy pydevd coverage"
)
_NOT_THE_APP = frozenset(f"{_SERVERS} {_FRAMEWORKS} {_OURS} {_INSTRUMENTATIONS}".split())
