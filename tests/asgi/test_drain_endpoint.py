"""The endpoint that drains: which clients may use it, with which methods, and when it answers."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from asgi_health import Check, Drain, Health, HealthMiddleware, Paths, bearer_token
from asgi_health.testing import Response, lifespan, probe, settled

from ..apps import plain_app
from ..support.asgi_caller import get
from ..support.virtual_time import BACKENDS, clock_of, run_virtual

TOKEN = [("authorization", "Bearer open-sesame")]


def guarded(backend: str, **options: Any) -> HealthMiddleware:
    drain = Drain(delay=5.0, path="/drain", allow=bearer_token("open-sesame"), **options)
    health = Health([Check("a", passes)], clock=clock_of(backend))
    return HealthMiddleware(plain_app, health, drain=drain, slow_loop=0)


async def passes() -> None:
    pass


def served(backend: str, app: HealthMiddleware, main: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with lifespan(app):
            await settled(app.health)
            await main()

    run_virtual(backend, run)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/drain", "/drain/"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_readiness_is_503_at_once_and_the_answer_comes_after_the_delay(backend: str, path: str, method: str) -> None:
    app = guarded(backend)
    clock = clock_of(backend)
    answers: list[tuple[float, Response]] = []

    async def ask() -> None:
        start = clock()
        answer = await probe(app, path, method=method, headers=TOKEN)
        answers.append((clock() - start, answer))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.sleep(1.0)
            assert (await probe(app, "/readyz")).status == 503
            assert (await probe(app, "/livez")).status == 200
            assert (await probe(app, "/elsewhere")).status == 200
            assert answers == []

    served(backend, app, main)
    ((seconds, answer),) = answers
    assert seconds == pytest.approx(5.0)
    assert (answer.status, answer.body) == (200, b"drained\n")


@pytest.mark.parametrize("headers", [[], [("authorization", "Bearer guess")]])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stranger_finds_nothing_there_and_drains_nothing(backend: str, headers: list[tuple[str, str]]) -> None:
    app = guarded(backend)

    async def main() -> None:
        for method in ("GET", "POST", "HEAD", "DELETE"):
            assert (await probe(app, "/drain", method=method, headers=headers)).status == 404
        assert (await probe(app, "/readyz")).status == 200

    served(backend, app, main)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE"])
def test_a_method_other_than_get_and_post_drains_nothing(method: str) -> None:
    app = guarded("asyncio")

    async def main() -> None:
        answer = await probe(app, "/drain", method=method, headers=TOKEN)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
        assert (await probe(app, "/readyz")).status == 200

    served("asyncio", app, main)


@pytest.mark.parametrize("path", ["/drain", "/drain/", "/draining", "/drain/more"])
def test_without_a_path_every_request_reaches_the_app(path: str) -> None:
    plain = HealthMiddleware(plain_app, drain=Drain(delay=0, file="/nowhere/at/all"), slow_loop=0)

    async def main() -> None:
        assert (await probe(plain, path)).body == (await probe(plain_app, path)).body

    anyio.run(main)
    assert get(plain, "/readyz").status == 200


def test_similar_paths_reach_the_app() -> None:
    app = guarded("asyncio")

    async def main() -> None:
        for path in ("/draining", "/drain/more", "/drai"):
            assert (await probe(app, path, headers=TOKEN)).body == (await probe(plain_app, path)).body
        assert (await probe(app, "/readyz")).status == 200

    served("asyncio", app, main)


@pytest.mark.parametrize("path", ["/readyz", "/health/", "/livez"])
def test_the_path_of_a_probe_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=path.rstrip("/")):
        HealthMiddleware(plain_app, drain=Drain(path=path, allow=True))


def test_a_path_below_a_probe_drains_and_is_no_check() -> None:
    drain = Drain(delay=0, path="/health/ready/drain", allow=True)
    app = HealthMiddleware(plain_app, drain=drain, details=True, paths=Paths(), slow_loop=0)

    async def main() -> None:
        async with lifespan(app):
            assert (await probe(app, "/health/ready/drain")).body == b"drained\n"
            assert (await probe(app, "/readyz")).status == 503

    anyio.run(main)


@pytest.mark.parametrize("allow", ["a secret", bearer_token, 7])
def test_an_allow_that_is_not_a_policy_is_refused(allow: Any) -> None:
    with pytest.raises(TypeError, match="drain: allow"):
        HealthMiddleware(plain_app, drain=Drain(path="/drain", allow=allow))


def test_without_lifespan_it_drains_too() -> None:
    app = HealthMiddleware(plain_app, drain=Drain(delay=0, path="/drain", allow=True), slow_loop=0)

    async def main() -> None:
        assert (await probe(app, "/readyz")).status == 200
        assert (await probe(app, "/drain")).status == 200
        assert (await probe(app, "/readyz")).status == 503

    anyio.run(main)
