"""The monitor thread: when it calls its polls, and when it ends."""

import os
import queue
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import inf

import pytest

from asgi_health.runtime.watchdog.monitor_thread import MonitorThread, Poll

from ..support.waiting import wait_until


class Calls:
    """Records the moments of the polls and what was written to the descriptor; `pause` is the time between polls."""

    def __init__(self, pause: float = inf) -> None:
        self.pause = pause
        self.moments: queue.SimpleQueue[float] = queue.SimpleQueue()
        self.received: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.needed = True

    def poll(self, now: float) -> float:
        self.moments.put(now)
        return now + self.pause


def monitor_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "asgi-health monitor"}


@contextmanager
def started(*polls: Poll, on_wakeup: Callable[[bytes], None] = lambda received: None) -> Iterator[MonitorThread]:
    """A monitor with these polls, until the end of the block, in which its thread ends."""
    others = monitor_threads()
    monitor = MonitorThread()
    monitor.start(polls, on_wakeup, lambda: True)
    try:
        yield monitor
    finally:
        monitor.stop()
        wait_until(lambda: monitor_threads() <= others, "its thread has ended")


def test_it_polls_at_once_and_when_it_is_woken() -> None:
    calls = Calls()
    with started(calls.poll, on_wakeup=calls.received.put) as monitor:
        first = calls.moments.get(timeout=10.0)
        monitor.wake()
        assert calls.moments.get(timeout=10.0) >= first
        assert calls.received.get(timeout=10.0) == b"\0"


def test_it_polls_again_when_the_poll_is_due() -> None:
    calls = Calls(pause=0.05)
    with started(calls.poll):
        moments = [calls.moments.get(timeout=10.0) for _ in range(4)]
    assert all(after - before >= 0.049 for before, after in pairwise(moments))


def test_of_several_polls_the_earliest_counts_and_all_are_called() -> None:
    seldom, often = Calls(), Calls(pause=0.01)
    with started(seldom.poll, often.poll):
        for _ in range(3):
            often.moments.get(timeout=10.0)
            seldom.moments.get(timeout=10.0)


def test_a_poll_that_is_always_due_does_not_make_it_spin() -> None:
    calls = Calls(pause=-1.0)
    with started(calls.poll):
        calls.moments.get(timeout=10.0)
        began = time.monotonic()
        for _ in range(20):
            calls.moments.get(timeout=10.0)
        assert time.monotonic() - began >= 0.015


def test_what_is_written_to_its_descriptor_is_received() -> None:
    calls = Calls()
    with started(calls.poll, on_wakeup=calls.received.put) as monitor:
        os.write(monitor.wakeup_fileno(), bytes([15, 0, 2]))
        received = b""
        while len(received) < 3:
            received += calls.received.get(timeout=10.0)
    assert received[:3] == bytes([15, 0, 2])


def test_wake_never_waits_and_never_fails() -> None:
    """It is called in a signal handler, for any number of signals."""
    released = threading.Event()
    with started(lambda now: released.wait(10.0) and now + 60.0) as monitor:
        for _ in range(100_000):
            monitor.wake()
        monitor.stop()
        released.set()
    monitor.wake()
    monitor.stop()


def test_it_ends_when_it_is_not_needed_any_more() -> None:
    """The loop has ended without stopping its services."""
    calls = Calls(pause=0.01)
    others = monitor_threads()
    monitor = MonitorThread()
    monitor.start([calls.poll], calls.received.put, lambda: calls.needed)
    calls.moments.get(timeout=10.0)
    calls.needed = False
    wait_until(lambda: monitor_threads() <= others, "its thread has ended")


def test_a_poll_that_fails_is_logged_and_called_again_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    called = threading.Semaphore(0)
    calls = Calls()

    def failing(now: float) -> float:
        called.release()
        raise RuntimeError("an error of the poll")

    with started(failing, calls.poll) as monitor:
        for _ in range(3):
            assert called.acquire(timeout=10.0)
            calls.moments.get(timeout=10.0)
            monitor.wake()
    assert "a callback in the monitor thread failed; the thread goes on" in caplog.text
    assert "an error of the poll" in caplog.text


def test_a_wakeup_that_fails_is_logged_and_the_polls_go_on(caplog: pytest.LogCaptureFixture) -> None:
    calls = Calls()

    def failing(received: bytes) -> None:
        raise RuntimeError("an error of the callback")

    with started(calls.poll, on_wakeup=failing) as monitor:
        for _ in range(3):
            calls.moments.get(timeout=10.0)
            monitor.wake()
    assert "an error of the callback" in caplog.text


def test_at_its_end_it_closes_its_descriptors() -> None:
    with started(Calls().poll) as monitor:
        os.fstat(monitor.wakeup_fileno())
    wait_until(lambda: monitor.wakeup_fileno() == -1, "its descriptors are closed")


def test_descriptors_above_1023_work_too() -> None:
    """select() does not take them, and an app with many connections gets no others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2048:
        resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    taken = [os.dup(0) for _ in range(1100)]
    try:
        calls = Calls()
        with started(calls.poll, on_wakeup=calls.received.put) as monitor:
            assert monitor.wakeup_fileno() > 1024
            calls.moments.get(timeout=10.0)
            monitor.wake()
            assert calls.received.get(timeout=10.0) == b"\0"
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
