import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest

from benchmarks import load, prober, simulated
from benchmarks.__main__ import main
from benchmarks.servers import HOST

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def _site(answer: bytes) -> AsyncIterator[int]:
    """Serve one answer to every request, or none where it is empty, and yield the port."""

    talks: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while b"Connection: close" not in await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
            writer.write(answer)
            if not answer:
                await reader.read()
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks[writer] = asyncio.create_task(talk(reader, writer))

    server = await asyncio.start_server(accept, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for _ in range(10):  # until connections that have just come are accepted
        await asyncio.sleep(0)
    # An open transport would warn in a later test, also that of a connection whose task has not begun.
    while talks:  # one that is accepted meanwhile is added
        writer, task = talks.popitem()
        task.cancel()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@contextmanager
def _site_in_a_thread(answer: bytes) -> Iterator[str]:
    """Serve one answer to every request from another thread, and yield the URL."""
    started, ports, loops = threading.Event(), [], []

    async def serve() -> None:
        async with _site(answer) as port:
            ports.append(port)
            loops.append(asyncio.get_running_loop())
            started.set()
            await stopped.wait()

    stopped = asyncio.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(10.0)
        yield f"http://{HOST}:{ports[0]}/"
    finally:
        loops[0].call_soon_threadsafe(stopped.set)
        thread.join()


@pytest.fixture
def wrk() -> None:
    if reason := load.missing():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.usefixtures("wrk")
@pytest.mark.parametrize("close", [False, True], ids=["kept", "new"])
def test_wrk_counts_the_answers_and_their_latencies(close: bool) -> None:
    with _site_in_a_thread(OK) as url:
        result = load.run(url, 3, 0.3, close=close)
    assert result.requests > 0
    assert result.bad == 0
    assert 0 < result.latency["p50"] <= result.latency["p99.9"] <= result.latency["max"]


@pytest.mark.usefixtures("wrk")
def test_answers_that_are_no_success_are_counted() -> None:
    with _site_in_a_thread(OK.replace(b"200 OK", b"503 No")) as url:
        result = load.run(url, 3, 0.3)
    assert result.bad == result.requests > 0


def test_without_wrk_a_run_that_needs_it_does_not_start_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit):
        main(["--quick", "--only", "served"])
    assert "wrk, which sends the load, was not found: apt-get install wrk" in capsys.readouterr().err


def test_a_probe_reports_the_status_and_gives_up_when_its_patience_ends() -> None:
    async def run() -> tuple[prober.Probe, prober.Probe]:
        async with _site(OK) as port:
            answered = await prober.probe(port, "/")
        async with _site(b"") as port:
            ignored = await prober.probe(port, "/", timeout=0.05)
        return answered, ignored

    answered, ignored = asyncio.run(run())
    assert answered.status == 200
    assert ignored.status == 0
    assert ignored.seconds >= 0.05


def test_two_simulated_hours_hold_the_runs_of_two_hours() -> None:
    answer = simulated.simulate(2)
    # Ten checks, most of them every ten seconds; one fails now and then and runs more often.
    assert answer["runs"] == pytest.approx(10 * 720, rel=0.35)
    assert 0.9 < answer["last"] / answer["first"] < 1.2


def test_a_result_costs_time_whether_or_not_it_changes_a_status() -> None:
    answer = simulated.change(10, turns=20)
    assert answer["change"] > 0
    assert answer["repeat"] > 0
