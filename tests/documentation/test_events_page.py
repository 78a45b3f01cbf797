"""docs/how-to/events.md: its program prints the checks at the start, and then each one that changes."""

from typing import Any

import anyio
import httpx
import pytest

from ..servers.apps import TOKEN
from ..servers.process import started
from ..servers.servers import UVICORN
from ..support.waiting import wait_until_async
from .blocks import blocks


def program() -> dict[str, Any]:
    (text,) = blocks("python", "how-to/events.md")
    names: dict[str, Any] = {}
    exec(compile(text, "events.md", "exec", dont_inherit=True), names)
    return names


@pytest.mark.processes
def test_the_program_prints_the_checks_at_the_start_and_after_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    names = program()
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


def test_the_program_prints_a_status_once_and_no_observed_value_and_ends_where_there_are_no_events(
    capsys: pytest.CaptureFixture[str],
) -> None:
    streams = iter([200, 200, 404])
    checks = {"queue": [{"status": "pass"}], "queue:lag": [{"observedValue": 3, "observedUnit": "messages"}]}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/health/events":
            return httpx.Response(next(streams), text="event: updated\ndata: -\n\n" * 2)
        return httpx.Response(200, json={"status": "pass", "checks": checks})

    async def main() -> None:
        async with httpx.AsyncClient(base_url="http://app", transport=httpx.MockTransport(answer)) as client:
            await program()["follow"](client)

    with pytest.raises(httpx.HTTPStatusError):
        anyio.run(main)
    assert capsys.readouterr().out.split() == ["queue", "pass"]
