"""README.md shows what happens, and finds its way to the other pages from everywhere."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest

from asgi_health import Health
from asgi_health.testing import lifespan, probe, settled
from tests.documentation.blocks import blocks
from tests.support.virtual_time import BACKENDS, clock_of, run_virtual

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("backend", BACKENDS)
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


def test_the_home_page_of_the_site_shows_the_same_program_and_the_same_answer() -> None:
    assert blocks("python", "index.md")[0] == blocks("python")[0]
    assert set(blocks("console", "index.md")) <= set(blocks("console"))


def first_program(backend: str, body: str) -> dict[str, Any]:
    """Return the namespace of the first program, in virtual time, with that body of the function `database`."""
    text, edits = re.subn(r'(?<=-> None:\n)    """Ping it here.*"""', f"    {body}", blocks("python")[0])
    text, clocks = re.subn(r"checks=(\{.*?\})", r"checks=health(\1)", text)
    assert (edits, clocks) == (1, 1)
    namespace: dict[str, Any] = {
        "health": lambda checks: Health(checks, clock=clock_of(backend), random=lambda: 0.5),
        "seconds": clock_of(backend),
    }
    exec(text, namespace)
    return namespace


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_database_that_raises_from_the_start_is_503_at_once_and_stays_live(backend: str) -> None:
    app = first_program(backend, 'raise ConnectionError("refused")')["app"]

    async def main() -> list[tuple[int, bytes]]:
        async with lifespan(app):
            answers = [await probe(app, path) for path in ("/health/ready", "/health/live")]
            assert clock_of(backend)() == 0.0
        return [(answer.status, answer.body) for answer in answers]

    assert run_virtual(backend, main) == [(503, b'{"status":"fail"}'), (200, b'{"status":"pass"}')]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_database_that_fails_later_is_503_after_three_failures_a_second_apart(backend: str) -> None:
    program = first_program(backend, "runs.append(seconds()); assert len(runs) == 1")
    app, runs = program["app"], program.setdefault("runs", [])
    statuses = []

    async def main() -> None:
        async with lifespan(app):
            await settled(app.health)
            while len(runs) < 4:
                statuses.append((await probe(app, "/health/ready")).status)
                await anyio.sleep(0.5)
            statuses.append((await probe(app, "/health/ready")).status)
            assert (await probe(app, "/health/live")).status == 200

    run_virtual(backend, main)
    assert [later - run for run, later in pairwise(runs)] == [10.0, 1.0, 1.0]
    assert set(statuses[:-1]) == {200}
    assert statuses[-1] == 503


def test_the_diagram_is_the_same_on_light_and_dark_pages_but_for_its_colours() -> None:
    shown = re.findall(r"/(docs/images/[\w-]+\.svg)", README)
    assert len(shown) == 2
    plain = {re.sub(r"#[0-9a-f]{6}", "", (ROOT / path).read_text()) for path in shown}
    assert len(plain) == 1
