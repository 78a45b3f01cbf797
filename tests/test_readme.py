"""README.md shows what happens, and finds its way to the other pages from everywhere."""

import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from asgi_health.testing import lifespan, probe, settled
from tests.documentation.blocks import blocks

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_first_program_gives_the_answer_that_stands_below_it(backend: str) -> None:
    namespace: dict[str, Any] = {}
    exec(blocks("python")[0], namespace)
    app = namespace["app"]

    async def main() -> str:
        async with lifespan(app):
            await settled(app.health)
            answer = await probe(app, "/health/ready")
        headers = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
        return f"HTTP/1.1 {answer.status} OK\n{headers}\n{answer.body.decode()}\n"

    ((_, shown),) = [cut for block in blocks("console") if len(cut := block.split("/health/ready\n")) > 1]
    of_the_server = re.compile(r"^(?:date|server): .*\n", re.MULTILINE)
    assert len(of_the_server.findall(shown)) == 2
    assert anyio.run(main, backend=backend) == of_the_server.sub("", shown)


def test_the_diagram_is_the_same_on_light_and_dark_pages_but_for_its_colours() -> None:
    shown = re.findall(r"/(docs/images/[\w-]+\.svg)", README)
    assert len(shown) == 2
    plain = {re.sub(r"#[0-9a-f]{6}", "", (ROOT / path).read_text()) for path in shown}
    assert len(plain) == 1
