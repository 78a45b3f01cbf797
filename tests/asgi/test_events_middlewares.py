"""The events under middlewares of Starlette that are outside of the health layer."""

from collections.abc import Callable

import pytest
from starlette.middleware import gzip
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from asgi_health import Check, Health, HealthMiddleware
from asgi_health.asgi.types import App

from ..support.event_client import watching
from ..support.lifespan_apps import lifespan_app
from ..support.lifespan_driver import serving
from ..support.virtual_time import BACKENDS, clock_of, run_virtual


async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


def with_dispatch(app: App) -> App:
    return BaseHTTPMiddleware(app, dispatch=pass_on)


def with_gzip(app: App) -> App:
    return gzip.GZipMiddleware(app, minimum_size=1)


def with_cors(app: App) -> App:
    return CORSMiddleware(app, allow_origins=["https://example.org"])


# Before it had this name, Starlette compressed events too, and so collected them.
PASSES_EVENTS = hasattr(gzip, "DEFAULT_EXCLUDED_CONTENT_TYPES")
OUTSIDE = [with_dispatch, with_cors, *([with_gzip] if PASSES_EVENTS else [])]


# Of a generator of Starlette's BaseHTTPMiddleware, which trio sees collected.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <async_generator object Request.stream:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("outside", OUTSIDE, ids=lambda outside: outside.__name__)
@pytest.mark.parametrize("backend", BACKENDS)
def test_states_come_and_streams_end_under_a_middleware(backend: str, outside: Callable[[App], App]) -> None:
    async def run() -> None:
        pass

    clock = clock_of(backend)
    health = Health([Check("db", run, interval=1.0, timeout=0.5)], clock=clock, random=lambda: 0.5)
    app = HealthMiddleware(lifespan_app, health, details=True, slow_loop=0.0)
    wrapped = outside(app)
    headers = [(b"host", b"x"), (b"accept-encoding", b"gzip"), (b"origin", b"https://example.org")]

    async def main() -> None:
        async with serving(app):
            async with watching(wrapped, 2, headers=headers) as (first, second):
                await first.wait_for_state(2)
                assert b"content-encoding" not in dict(first.messages[0]["headers"])
                first.disconnect()
                began = clock()
                await first.wait_for(lambda each: each.ended, "it has ended")
                assert clock() - began < 0.1
                assert first.error is None
                await second.wait_for(lambda each: each.ended, "its time is over", 25.0)
                assert second.complete
                assert second.error is None

    run_virtual(backend, main)
