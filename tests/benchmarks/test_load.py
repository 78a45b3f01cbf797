import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from benchmarks import load, prober, simulated, start


class _Site:
    """A server that answers everything alike, or nothing at all, and counts."""

    def __init__(self, answer: bytes) -> None:
        self.asked = 0
        self.connections = 0
        self._answer = answer
        self._talks: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        """Serve, tell the port, and wait until every client has gone."""
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await asyncio.gather(*self._talks)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        self.connections += 1
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                self.asked += 1
                writer.write(self._answer)
                if b"Connection: close" in request and self._answer:
                    break
            writer.close()
            await writer.wait_closed()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


Loop = Callable[[], asyncio.AbstractEventLoop]


def _load(site: _Site, capsys: pytest.CaptureFixture[str], loop: Loop, *, close: bool) -> dict[str, Any]:
    async def run() -> None:
        async with site.open() as port:
            await load._stand_in("127.0.0.1", port, "/", 3, 0.1, close=close)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("close", [False, True], ids=["kept", "new"])
def test_the_stand_in_counts_what_it_was_answered(capsys: pytest.CaptureFixture[str], loop: Loop, close: bool) -> None:
    site = _Site(OK)
    told = _load(site, capsys, loop, close=close)
    assert 0 < told["requests"] <= site.asked
    assert told["bad"] == told["errors"] == 0
    assert 0 < told["p50"] <= told["p99.9"] <= told["max"]
    assert (site.connections > 3) is close


def test_the_stand_in_reads_answers_in_chunks(capsys: pytest.CaptureFixture[str]) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    site = _Site(chunked)
    told = _load(site, capsys, asyncio.new_event_loop, close=False)
    assert 0 < told["requests"] <= site.asked
    assert told["bad"] == 0


def test_the_stand_in_counts_answers_that_are_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    told = _load(_Site(OK.replace(b"200 OK", b"503 No")), capsys, asyncio.new_event_loop, close=False)
    assert told["bad"] == told["requests"] > 0


def test_a_probe_reports_the_status_and_gives_up_when_its_patience_ends() -> None:
    async def run() -> tuple[prober.Probe, prober.Probe]:
        async with _Site(OK).open() as port:
            answered = await prober.probe(port, "/")
        async with _Site(b"").open() as port:
            ignored = await prober.probe(port, "/", patience=0.05)
        return answered, ignored

    answered, ignored = asyncio.run(run())
    assert answered.status == 200
    assert ignored.status == 0
    assert ignored.seconds >= 0.05


def test_two_simulated_hours_hold_the_runs_of_two_hours() -> None:
    told = simulated.simulate(2)
    # Ten checks, most of them every ten seconds, one that fails now and then and is asked more often.
    assert told["runs"] == pytest.approx(10 * 720, rel=0.35)
    assert 0.9 < told["last"] / told["first"] < 1.2


def test_a_result_that_changes_a_status_costs_something() -> None:
    told = simulated.change(10, turns=20)
    assert told["change"] > 0
    assert told["repeat"] > 0


def test_a_probe_command_that_does_not_exist_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert start.probe_command("http://127.0.0.1:1/") is None
