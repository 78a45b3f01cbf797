"""docs/how-to/cors.md: a browser may read the answers of either program."""

from typing import Any

import anyio
import pytest
from fastapi import FastAPI

from asgi_health import Health, HealthMiddleware
from asgi_health.testing import Response, probe

from .blocks import blocks

ORIGIN = "https://dashboard.example"
PREFLIGHT = {
    "origin": ORIGIN,
    "access-control-request-method": "GET",
    "access-control-request-headers": "authorization",
}
OUTSIDE, ADDED = blocks("python", "how-to/cors.md")


def app_of(program: str) -> Any:
    names: dict[str, Any] = {"api": FastAPI(), "health": Health(), "HealthMiddleware": HealthMiddleware}
    exec(compile(program, "cors.md", "exec", dont_inherit=True), names)
    return names.get("app", names["api"])


def answers(app: Any) -> tuple[Response, Response]:
    async def main() -> tuple[Response, Response]:
        asked = await probe(app, "/health", method="OPTIONS", headers=PREFLIGHT)
        return asked, await probe(app, "/health", headers={"origin": ORIGIN, "authorization": "Bearer a-secret"})

    return anyio.run(main)


@pytest.mark.parametrize("program", [OUTSIDE, ADDED], ids=["outside", "added"])
def test_a_browser_may_send_the_token_and_read_the_answer(program: str) -> None:
    preflight, answer = answers(app_of(program))
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-headers"].lower().endswith("authorization")
    assert [each.headers["access-control-allow-origin"] for each in (preflight, answer)] == [ORIGIN, ORIGIN]
