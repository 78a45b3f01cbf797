"""Many watchers, and watchers that take no message: neither delays a `Check`, another watcher or the end."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import quantiles
from typing import IO

import pytest

from asgi_health import Check, Health, HealthMiddleware
from asgi_health.integrations.grpc import Grpc
from asgi_health.integrations.grpc.watchers import MAX_WATCHERS, SEND_TIMEOUT
from tests.servers.process import ROOT
from tests.support.app_thread import running_app
from tests.support.grpc_client import (
    NOT_SERVING,
    SERVING,
    Client,
    Watching,
    connected,
    held_port,
    watching_without_reading,
)
from tests.support.lifespan_apps import lifespan_app
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

THREADS = 12
"""Threads of Python that may be added: the app's loop and monitor, the subscriber, two for calls, three for watchers,
gRPC's own, and those of the test's client."""


class Watchers:
    """Watchers in another process, and the lines that it prints."""

    def __init__(self, output: IO[str]) -> None:
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(output,), daemon=True)
        self._thread.start()

    def wait_for(self, line: str) -> None:
        wait_until(lambda: self.lines[-1:] == [line], lambda: f"{line}, not {self.lines[-3:]}")

    def _read(self, output: IO[str]) -> None:
        for line in output:
            self.lines.append(line.strip())


@contextmanager
def many(address: str, number: int) -> Iterator[Watchers]:
    command = [sys.executable, "-m", "tests.support.grpc_watchers", address, str(number)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            yield Watchers(process.stdout)
        finally:
            process.kill()


@pytest.fixture
def port() -> Iterator[int]:
    with held_port() as port:
        yield port


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    with connected(f"127.0.0.1:{port}") as client:
        yield client


def serving_app(port: int, health: Health) -> HealthMiddleware:
    return HealthMiddleware(lifespan_app, health, integrations=[Grpc(f"127.0.0.1:{port}")])


def latency(client: Client) -> float:
    """Return the duration of a quick `Check` (seconds): of four three take longer."""
    durations = []
    for _ in range(200):
        began = time.perf_counter()
        assert client.check("liveness") == SERVING
        durations.append(time.perf_counter() - began)
    return quantiles(durations)[0]


def test_a_thousand_watchers_get_each_change_from_a_dozen_threads_and_one_more_is_refused(
    port: int, client: Client
) -> None:
    health = Health()
    before = threading.active_count()
    with running_app(serving_app(port, health)):
        wait_until(lambda: client.check() == SERVING, "it serves")
        alone = latency(client)
        with many(f"127.0.0.1:{port}", MAX_WATCHERS) as watchers:
            watchers.wait_for(f"SERVING={MAX_WATCHERS}")
            assert threading.active_count() - before <= THREADS
            refused = Watching(client)
            wait_until(lambda: refused.code == "RESOURCE_EXHAUSTED", "one more is refused")
            with_watchers = latency(client)
            health.drain()
            watchers.wait_for(f"NOT_SERVING={MAX_WATCHERS}")
        # Loose, because a busy machine varies by more than the watchers, which cost nothing until there is a change.
        assert with_watchers < 3 * alone + 0.005
        # All have gone: there is room again.
        wait_until(lambda: is_admitted(client), "it is watched again")


def is_admitted(client: Client) -> bool:
    watching = Watching(client)
    wait_until(lambda: bool(watching.seen or watching.code), "it is admitted or refused")
    return bool(watching.seen)


def test_watchers_get_the_last_status_before_the_end_and_do_not_delay_it(port: int, client: Client) -> None:
    with many(f"127.0.0.1:{port}", 500) as watchers:
        with running_app(serving_app(port, Health())):
            wait_until(lambda: client.check() == SERVING, "it serves")
            watchers.wait_for("SERVING=500")
            began = time.monotonic()
        ended = time.monotonic() - began
        watchers.wait_for("UNAVAILABLE-after-NOT_SERVING=500")
    assert ended < 5.0  # of a busy machine; it takes 10 ms


def test_a_watcher_that_takes_no_message_delays_no_answer_and_loses_its_call(port: int, client: Client) -> None:
    broken = threading.Event()
    check = Check("database", lambda: not broken.is_set(), interval=0.02, retry_interval=0.02, failure_threshold=1)
    with running_app(serving_app(port, Health([check]))):
        wait_until(lambda: client.check() == SERVING, "it serves")
        honest = Watching(client)
        honest.wait_for(SERVING)
        with watching_without_reading(port, calls=100):
            began = time.monotonic()
            while time.monotonic() - began < 2 * SEND_TIMEOUT:
                assert client.check("liveness") == SERVING
            broken.set()
            honest.wait_for(SERVING, NOT_SERVING)
            assert client.check() == NOT_SERVING
            Watching(client).wait_for(NOT_SERVING)  # the calls of that connection have ended together


def test_a_watcher_that_takes_no_message_does_not_delay_the_end(port: int, client: Client) -> None:
    with watching_in(port, client):
        began = time.monotonic()
    assert time.monotonic() - began < 5.0
    wait_until(lambda: client.check() == "UNAVAILABLE", "it has ended")
    wait_until(lambda: not [each for each in threading.enumerate() if "asgi-health" in each.name], "no thread is left")


@contextmanager
def watching_in(port: int, client: Client) -> Iterator[None]:
    with running_app(serving_app(port, Health())):
        wait_until(lambda: client.check() == SERVING, "it serves")
        with watching_without_reading(port, calls=4):
            yield
