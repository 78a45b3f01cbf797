"""The pages about readers: each reader gets the answer that is shown, and the page in a browser has the headers."""

import re
from typing import Any

import anyio
from starlette.applications import Starlette

from asgi_health import HealthMiddleware
from asgi_health.testing import lifespan, probe, settled

from .blocks import DOCS, blocks
from .preambles import preamble


def without_times(text: str) -> str:
    return re.sub(r'("time":)"[^"]*"|("responseTime":)[\d.]+', r"\1\2-", text)


def test_each_reader_gets_the_answer_that_the_page_shows() -> None:
    (program,), (session,) = blocks("python", "how-to/details.md"), blocks("console", "how-to/details.md")
    shown = re.findall(
        r"^\$ curl -s (?:-H '(\S+): (.+)' )?http://127\.0\.0\.1:8000(/\S*)\n(.*)$", session, re.MULTILINE
    )
    assert len(shown) == 2
    names: dict[str, Any] = {"app": Starlette(), "health": preamble("health")}
    exec(compile(program, "details.md", "exec", dont_inherit=True), names)

    async def main() -> None:
        async with lifespan(names["app"]):
            await settled(names["health"])
            for name, value, path, body in shown:
                answer = await probe(names["app"], path, headers=[(name, value)] if name else [])
                assert without_times(answer.body.decode()) == without_times(body)

    anyio.run(main)


def test_the_reference_of_the_page_has_each_header() -> None:
    async def main() -> dict[str, str]:
        response = await probe(HealthMiddleware(Starlette(), details=True), "/health?format=html")
        return response.headers

    headers = anyio.run(main)
    text = (DOCS / "reference/status-page.md").read_text().partition("\n| header | effect |\n")[2].partition("\n\n")[0]
    shown = re.findall(r"`([a-z-]+)(?:: ([^`]+))?`", text)
    assert sorted(name for name, _ in shown) == sorted(headers.keys() - {"content-type", "content-length"})
    assert all(headers[name] == value for name, value in shown if value)
