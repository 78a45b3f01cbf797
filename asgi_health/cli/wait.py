"""Ask URLs again and again until all of them are healthy at once."""

import os
import sys
import time
from collections.abc import Sequence
from itertools import zip_longest
from threading import Thread
from typing import Protocol, TextIO

from .arguments import TIMEOUT, Wanted, program
from .probe import Outcome, ask

FIRST_PAUSE = 0.1
"""Seconds between the first round of questions and the second. Each pause is half as long again as the one before."""

LONGEST_PAUSE = 1.0
"""Seconds between two rounds at most."""

LAST_ROUND = 0.2
"""Seconds that must be left for a round to begin: in less than that many a server gives no answer."""


class World(Protocol):
    """What waiting needs of the world."""

    def now(self) -> float:
        """Return monotonic seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""

    def ask(self, round: Sequence[Wanted]) -> list[Outcome]:
        """Return what each answers, all asked at the same time."""
        ...


def wait(wanted: Sequence[Wanted], seconds: float) -> int:
    """Return 0 when all are healthy in one and the same round, 1 when that has not come about in `seconds`."""
    progress = Progress(sys.stderr)
    try:
        return wait_in(RealWorld(), wanted, seconds, progress)
    except KeyboardInterrupt:
        progress.end([])
        return 130


def wait_in(world: World, wanted: Sequence[Wanted], seconds: float, progress: "Progress") -> int:
    """Do what `wait` does, with that clock and those answers."""
    began = world.now()
    end = began + seconds
    pause = FIRST_PAUSE
    while True:
        limit = max(min(TIMEOUT, end - world.now()), 0.01)  # a machine may have slept for longer than it was told
        outcomes = world.ask([_within(each, limit) for each in wanted])
        news = [(each.target.shown, outcome.why) for each, outcome in zip(wanted, outcomes, strict=True)]
        now = world.now()
        if all(outcome.healthy for outcome in outcomes):
            progress.end([f"ready after {now - began:.1f} s"])
            return 0
        pause = min(pause, end - LAST_ROUND - now)
        if pause <= 0:
            progress.end([f"not ready after {now - began:.1f} s: {url}: {why}" for url, why in news if why])
            return 1
        progress.show(news, now - began)
        world.sleep(pause)
        pause = min(1.5 * pause, LONGEST_PAUSE)


class Progress:
    """A line that is rewritten in place on a terminal; elsewhere a line for each change."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._on_terminal = stream is not None and stream.isatty()
        self._known: list[str] = []

    def show(self, news: Sequence[tuple[str, str]], seconds: float) -> None:
        """Tell how each URL stands, after `seconds`."""
        if self._on_terminal:
            lacking = [(url, why) for url, why in news if why]
            url, why = lacking[0]
            more = f" (+{len(lacking) - 1} more)" if len(lacking) > 1 else ""
            line = f"{seconds:.0f} s, waiting for {url}: {why}{more}"
            self._write(f"\r\x1b[2K{line[: _columns() - 1]}")
            return
        for (url, why), known in zip_longest(news, self._known):
            if why != known:
                self._write(f"{program()} wait: {url}: {why or 'ready'}\n")
        self._known = [why for _, why in news]

    def end(self, lines: Sequence[str]) -> None:
        """Tell how it ended."""
        start = "\r\x1b[2K" if self._on_terminal else ""
        self._write(start + "".join(f"{program()} wait: {line}\n" for line in lines))

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # whoever read it has gone; the exit code still tells
            self._stream = None


class RealWorld:
    """This one."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def ask(self, round: Sequence[Wanted]) -> list[Outcome]:
        outcomes = [Outcome(why="not asked") for _ in round]

        def fetch(place: int, wanted: Wanted) -> None:
            outcomes[place] = ask(wanted)

        # Daemons, so that Ctrl-C does not wait for an answer. Each ends by itself in the time that it was given.
        threads = [Thread(target=fetch, args=item, daemon=True) for item in enumerate(round)]
        started: list[Thread] = []
        for place, thread in enumerate(threads):
            try:
                thread.start()
                started.append(thread)
            except RuntimeError as error:  # no more threads in this container, for now
                outcomes[place] = Outcome(why=str(error))
        for thread in started:
            thread.join()
        return outcomes


def _within(wanted: Wanted, seconds: float) -> Wanted:
    return Wanted(
        wanted.target, timeout=seconds, headers=wanted.headers, expected=wanted.expected, insecure=wanted.insecure
    )


def _columns() -> int:
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80
