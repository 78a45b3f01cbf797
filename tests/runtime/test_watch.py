"""The thread that goes on looking."""

import os
import queue
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import inf

import pytest

from asgi_health.runtime.watchdog.monitor_thread import Watch

from ..servers.process import wait_until


class Looks:
    """Counts the looks, and answers when the next one is due."""

    def __init__(self, again: float = inf) -> None:
        self.again = again
        self.moments: queue.SimpleQueue[float] = queue.SimpleQueue()
        self.heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def look(self, now: float) -> float:
        self.moments.put(now)
        return now + self.again


@contextmanager
def watching(looks: Looks) -> Iterator[Watch]:
    watch = Watch(looks.look, looks.heard.put)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()
        wait_until(lambda: not watch._thread.is_alive(), "it has ended")


def test_it_looks_at_once_and_when_it_is_woken() -> None:
    looks = Looks()
    with watching(looks) as watch:
        first = looks.moments.get(timeout=10.0)
        watch.wake()
        assert looks.moments.get(timeout=10.0) >= first
        assert looks.heard.get(timeout=10.0) == b"\0"


def test_it_looks_again_when_it_said_so() -> None:
    looks = Looks(0.05)
    with watching(looks):
        moments = [looks.moments.get(timeout=10.0) for _ in range(4)]
    assert all(after - before >= 0.049 for before, after in pairwise(moments))


def test_one_that_wants_to_look_all_the_time_does_not_spin() -> None:
    looks = Looks(-1.0)
    with watching(looks):
        looks.moments.get(timeout=10.0)
        began = time.monotonic()
        for _ in range(20):
            looks.moments.get(timeout=10.0)
        assert time.monotonic() - began >= 0.015


def test_what_is_written_to_its_descriptor_is_heard() -> None:
    looks = Looks()
    with watching(looks) as watch:
        os.write(watch.fileno(), bytes([15, 0, 2]))
        heard = b""
        while len(heard) < 3:
            heard += looks.heard.get(timeout=10.0)
    assert heard[:3] == bytes([15, 0, 2])


def test_waking_it_never_waits_and_never_fails() -> None:
    """As a signal handler must not, however many signals come."""
    looks = Looks()
    released = threading.Event()
    watch = Watch(lambda now: released.wait(10.0) and now + 60.0, looks.heard.put)
    watch.start()
    for _ in range(100_000):
        watch.wake()
    watch.stop()
    released.set()
    wait_until(lambda: not watch._thread.is_alive(), "it has ended")
    watch.wake()
    watch.stop()


def test_a_look_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    looked = threading.Semaphore(0)

    def look(now: float) -> float:
        looked.release()
        raise RuntimeError("a mistake of ours")

    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    watch = Watch(look, heard.put)
    watch.start()
    for _ in range(3):
        assert looked.acquire(timeout=10.0)
        watch.wake()
    watch.stop()
    wait_until(lambda: not watch._thread.is_alive(), "it has ended")
    assert "the watch over the event loop failed; it goes on" in caplog.text
    assert "a mistake of ours" in caplog.text


def test_it_closes_what_it_has_opened() -> None:
    looks = Looks()
    with watching(looks) as watch:
        descriptor = watch.fileno()
        os.fstat(descriptor)
    wait_until(lambda: watch.fileno() == -1, "closed")


def test_descriptors_beyond_the_first_thousand_are_watched_too() -> None:
    """select() takes none of them, and an app with many connections opens no other."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2048:
        resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    filler = [os.dup(0) for _ in range(1100)]
    try:
        looks = Looks()
        with watching(looks) as watch:
            assert watch.fileno() > 1024
            looks.moments.get(timeout=10.0)
            watch.wake()
            assert looks.heard.get(timeout=10.0) == b"\0"
    finally:
        for descriptor in filler:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
