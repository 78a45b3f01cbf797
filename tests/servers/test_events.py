"""Watchers of the events at each server: what they get, and that none of them keeps the server from its exit."""

import time
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from ..support.event_client import parse, retries
from ..support.stream_reader import StreamReader, reading
from .apps import TOKEN
from .process import Exit, Running, launched, wait_for_boot
from .servers import Server

pytestmark = pytest.mark.timeout(120)

AUTHORISED = (("authorization", f"Bearer {TOKEN}"),)
LIFETIME = 4.0  # seconds of a stream in these tests, in place of twenty
DELAY = 1.0  # seconds of the drain
MARGIN = 4.0  # seconds that a server may take in addition: it is one of several on a busy machine

SHOWS_ITS_STOP = ("uvicorn", "gunicorn-uvicorn")
"""Servers whose stop the app can see."""

CANNOT_DRAIN = ("hypercorn-asyncio-worker", "hypercorn-trio", "granian-asginl")


@dataclass(frozen=True)
class Ending:
    """How a server has ended that had a watcher.

    Attributes:
        exit: How it has ended.
        seconds: From SIGTERM to the exit.
        watcher: The watcher.
    """

    exit: Exit
    seconds: float
    watcher: StreamReader


@pytest.fixture(scope="module")
def endings(server: Server) -> dict[str, Ending]:
    with ExitStack() as stack:
        cases: dict[str, Running] = {
            name: stack.enter_context(launched(server, checks=("regular",), drain=drain, stream_lifetime=LIFETIME))
            for name, drain in (("plain", None), ("drain", DELAY))
        }
        for running in cases.values():
            wait_for_boot(running)
        watchers = {name: stack.enter_context(reading(each.address, AUTHORISED)) for name, each in cases.items()}
        for each in watchers.values():
            each.wait_for(b"event: updated")
        began = time.monotonic()
        for running in cases.values():
            running.terminate()
        found: dict[str, Ending] = {}
        for name in ("drain", "plain"):
            end = cases[name].wait_for_exit()
            found[name] = Ending(end, time.monotonic() - began, watchers[name])
        return found


def test_a_watcher_gets_the_state_and_its_changes(server: Server, running: Running) -> None:
    with reading(running.address, AUTHORISED) as reader:
        reader.wait_for(b"event: updated")
        assert reader.head.startswith(b"HTTP/1.1 200")
        assert b"content-type: text/event-stream" in reader.head.lower()
        assert reader.body.startswith(b"retry: 2000\n\n")
        running.folder.broken.touch()
        try:
            began = time.monotonic()
            reader.wait_for(b'id="check-dependency" class="check fail"')
            assert time.monotonic() - began < 5.0
        finally:
            running.folder.broken.unlink()
        reader.wait_for(b'id="check-dependency" class="check pass"')
        assert {"head", "check", "updated"} <= {each.name for each in parse(reader.body)}


def test_strangers_get_404_and_head_the_headers(running: Running) -> None:
    assert running.status("/health/events") == 404
    head = running.ask("HEAD", "/health/events", *AUTHORISED)
    assert (head.status, head.one("content-type"), head.body) == (200, "text/event-stream", b"")
    assert running.ask("POST", "/health/events", *AUTHORISED).status == 405


def assert_ended(end: Exit, server: Server) -> None:
    """Check that it has ended in time, with all its processes, and without a traceback."""
    if server.name.startswith("hypercorn-asyncio"):
        # After three seconds it cancels any open request, and asyncio's own callback logs that on Python 3.11.
        assert end.code is not None, end.log
        assert end.alone, end.log
    else:
        end.assert_quiet()


def test_no_server_waits_for_a_watcher_longer_than_a_stream_lasts(endings: dict[str, Ending], server: Server) -> None:
    ending = endings["plain"]
    assert_ended(ending.exit, server)
    if server.name.startswith(SHOWS_ITS_STOP):
        assert ending.watcher.complete
        assert retries(ending.watcher.body) == [2000], "it has ended because of the stop, and not of its age"
    else:
        assert ending.seconds < LIFETIME + MARGIN


def test_a_stream_goes_on_until_the_delay_of_a_drain_is_over(endings: dict[str, Ending], server: Server) -> None:
    ending = endings["drain"]
    assert_ended(ending.exit, server)
    if server.name in CANNOT_DRAIN:
        assert ending.seconds < LIFETIME + MARGIN
        return
    assert DELAY - 0.5 < ending.seconds < DELAY + MARGIN
    assert b"Draining" in ending.watcher.body
    assert retries(ending.watcher.body) == [2000], "it has ended because of the signal, and not of its age"
    if not server.name.startswith("daphne"):  # it cuts off every request
        assert ending.watcher.complete
