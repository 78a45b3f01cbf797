"""docs/how-to/events.md: its program prints the checks at the start and after a change, from a real server."""

from typing import Any

import anyio
import httpx
import pytest

from ..servers.apps import TOKEN
from ..servers.process import started
from ..servers.servers import UVICORN
from ..support.waiting import wait_until_async
from .blocks import blocks


@pytest.mark.processes
def test_the_program_prints_the_checks_at_the_start_and_after_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = blocks("python", "how-to/events.md")
    names: dict[str, Any] = {}
    exec(compile(program, "events.md", "exec", dont_inherit=True), names)
    names["HEADERS"]["Authorization"] = f"Bearer {TOKEN}"
    printed = ""

    def has_printed(line: str) -> bool:
        nonlocal printed
        printed += capsys.readouterr().out
        return line in printed

    with started(UVICORN, checks=("dependency",)) as running:
        assert not isinstance(running.address, str)
        host, port = running.address

        async def main() -> None:
            base_url = f"http://{host}:{port}"
            async with (
                httpx.AsyncClient(base_url=base_url, trust_env=False) as client,
                anyio.create_task_group() as group,
            ):
                group.start_soon(names["follow"], client)
                await wait_until_async(lambda: has_printed("dependency pass"), "the check passes")
                running.folder.broken.touch()
                await wait_until_async(lambda: has_printed("dependency fail"), "the check fails")
                group.cancel_scope.cancel()

        anyio.run(main)
