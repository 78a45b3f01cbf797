"""docs/how-to/blocked-loop.md shows the record of a blocked loop as it is in the log, without the server's frames."""

import linecache
import re
import threading
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette

from asgi_health import HealthMiddleware
from asgi_health.testing import lifespan

from .blocks import blocks

SLOW = 0.5  # seconds
BLOCKED = 1.5

FILE = "/app/images.py"
LINES = {
    40: "def resize(picture):",
    41: "    return picture.reduce(8)",
    56: "async def upload(picture):",
    57: "    thumbnail = resize(picture)",
}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The file that the record names: no such file exists, but tracebacks find its lines."""
    lines = [LINES.get(number, "") + "\n" for number in range(1, max(LINES) + 1)]
    source = "".join(lines)
    monkeypatch.setitem(linecache.cache, FILE, (len(source), None, lines, FILE))
    namespace: dict[str, Any] = {}
    exec(compile(source, FILE, "exec", dont_inherit=True), namespace)
    return namespace


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_record_of_a_blocked_loop_begins_and_ends_as_shown(
    backend: str, program: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    def seen() -> list[str]:
        records = [(record.levelname, record.getMessage()) for record in caplog.records]
        return [f"{level} {message}\n" for level, message in records if FILE in message]

    async def main() -> None:
        lock = threading.Lock()
        lock.acquire()
        picture = SimpleNamespace(reduce=lock.acquire)  # of C, so it has no frame of its own in the record
        threading.Timer(BLOCKED, lock.release).start()
        with anyio.fail_after(30.0):
            async with lifespan(HealthMiddleware(Starlette(), slow_loop=SLOW)):
                await program["upload"](picture)
                while not seen():  # noqa: ASYNC110  no event comes with a record of the log
                    await anyio.sleep(0.01)

    anyio.run(main, backend=backend)
    (shown,) = blocks("text", "how-to/blocked-loop.md")
    (record,) = seen()
    first, _, last = shown.partition("\n")
    assert re.sub(r"for \d+\.\d s", "for 2.4 s", record).startswith(first + "\n")
    assert record.endswith(last)
