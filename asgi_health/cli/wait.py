"""Ask URLs repeatedly until all of them are healthy at the same time."""

import os
import sys
import time
from collections.abc import Sequence
from itertools import zip_longest
from threading import Thread
from typing import Protocol, TextIO

from .arguments import DEFAULT_PROBE_TIMEOUT, ProbeRequest, program
from .probe import Outcome, send

FIRST_PAUSE = 0.1
"""Seconds between the first and the second round of requests. Each further pause is 1.5 times the one before."""

MAX_PAUSE = 1.0
"""Maximum seconds between two rounds."""

MIN_ROUND = 0.2
"""Seconds that must remain for another round: in less time a server may not be able to answer."""


class Environment(Protocol):
    """The clock and the requests of `wait`; tests replace them."""

    def now(self) -> float:
        """Return monotonic seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""

    def send(self, requests: Sequence[ProbeRequest]) -> list[Outcome]:
        """Send all requests at the same time and return their outcomes in the same order."""
        ...


def wait(requests: Sequence[ProbeRequest], seconds: float, consecutive: int = 1) -> int:
    """Return 0 as soon as all requests of `consecutive` rounds in a row are healthy, 1 if not within `seconds`."""
    progress = Progress(sys.stderr)
    try:
        return wait_in(SystemEnvironment(), requests, seconds, progress, consecutive)
    except KeyboardInterrupt:
        progress.end([])
        return 130


def wait_in(
    environment: Environment,
    requests: Sequence[ProbeRequest],
    seconds: float,
    progress: "Progress",
    consecutive: int = 1,
) -> int:
    """Do the work of `wait` with the clock and the answers of `environment`."""
    passed = 0
    start = environment.now()
    end = start + seconds
    pause = FIRST_PAUSE
    while True:
        # At least 0.01: a suspended machine may have slept past the end.
        limit = max(min(DEFAULT_PROBE_TIMEOUT, end - environment.now()), 0.01)
        outcomes = environment.send([_with_timeout(request, limit) for request in requests])
        reasons = [
            (request.target.display_url, outcome.reason) for request, outcome in zip(requests, outcomes, strict=True)
        ]
        now = environment.now()
        passed = passed + 1 if all(outcome.healthy for outcome in outcomes) else 0
        if passed >= consecutive:
            progress.end([f"ready after {now - start:.1f} s"])
            return 0
        pause = min(pause, end - MIN_ROUND - now)
        if pause <= 0:
            if passed:
                reasons = [(url, f"ready {passed} of {consecutive} times in a row") for url, _ in reasons]
            progress.end([f"not ready after {now - start:.1f} s: {url}: {reason}" for url, reason in reasons if reason])
            return 1
        progress.show(reasons, now - start)
        environment.sleep(pause)
        pause = min(1.5 * pause, MAX_PAUSE)


class Progress:
    """Prints one line per change, or on a terminal a single line that is rewritten in place."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._on_terminal = stream is not None and stream.isatty()
        self._last_reasons: list[str] = []

    def show(self, reasons: Sequence[tuple[str, str]], seconds: float) -> None:
        """Show the state of each URL.

        Args:
            reasons: Pairs of a URL and the reason why it is not healthy; the reason is empty when it is.
            seconds: Seconds since the start.
        """
        if self._on_terminal:
            unhealthy = [(url, reason) for url, reason in reasons if reason]
            url, reason = unhealthy[0]
            more = f" (+{len(unhealthy) - 1} more)" if len(unhealthy) > 1 else ""
            line = f"{seconds:.0f} s, waiting for {url}: {reason}{more}"
            self._write(f"\r\x1b[2K{line[: _terminal_columns() - 1]}")
            return
        for (url, reason), last in zip_longest(reasons, self._last_reasons):
            if reason != last:
                self._write(f"{program()} wait: {url}: {reason or 'ready'}\n")
        self._last_reasons = [reason for _, reason in reasons]

    def end(self, lines: Sequence[str]) -> None:
        """Print the last lines."""
        start = "\r\x1b[2K" if self._on_terminal else ""
        self._write(start + "".join(f"{program()} wait: {line}\n" for line in lines))

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the reader has gone; the exit code reports the outcome
            self._stream = None


class SystemEnvironment:
    """The system's clock, and requests over the network."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def send(self, requests: Sequence[ProbeRequest]) -> list[Outcome]:
        outcomes = [Outcome(reason="not asked") for _ in requests]

        def send_one(index: int, request: ProbeRequest) -> None:
            outcomes[index] = send(request)

        # Daemon threads, so that Ctrl-C does not wait for them. Each ends by itself at the timeout of its request.
        threads = [Thread(target=send_one, args=item, daemon=True) for item in enumerate(requests)]
        started: list[Thread] = []
        for index, thread in enumerate(threads):
            try:
                thread.start()
                started.append(thread)
            except RuntimeError as error:  # the container allows no more threads at the moment
                outcomes[index] = Outcome(reason=str(error))
        for thread in started:
            thread.join()
        return outcomes


def _with_timeout(request: ProbeRequest, seconds: float) -> ProbeRequest:
    return ProbeRequest(
        request.target,
        timeout=seconds,
        headers=request.headers,
        expected=request.expected,
        insecure=request.insecure,
        max_age=request.max_age,
    )


def _terminal_columns() -> int:
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80
