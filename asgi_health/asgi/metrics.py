"""Answers scrapes: the metrics of an engine as text, rendered in parts between which the event loop goes on."""

import time
from collections.abc import Iterator

from ..core.engine import Engine
from ..formats.answer import Answer, answer
from ..formats.metrics import CheckFigures, Family, app_figures, check_figures, families, negotiate, render
from ..listener.interface import StallOf
from ..runtime.publisher.publisher import publisher_of
from ..runtime.scheduler.runner import runner_of
from .query import accept_of
from .steps import Steps
from .types import Scope


class Metrics:
    """The metrics of an engine. Reading them takes no lock and runs no check. Any thread may read them."""

    __slots__ = ("_engine", "_figures", "_publisher")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._figures = runner_of(engine).figures
        self._publisher = publisher_of(engine)

    def families(self, checks: list[CheckFigures] | None = None, stall_of: StallOf | None = None) -> Iterator[Family]:
        """Return every family at the present moment.

        Args:
            checks: The figures of the checks, where they have been taken.
            stall_of: Returns the present stall of the app's event loop, as a probe sees it.
        """
        engine, now, wall = self._engine, self._engine.clock(), time.time()
        if checks is None:
            checks = [check_figures(slot, now, wall) for slot in engine.slots]
        connections = self._figures.connections()
        app = app_figures(
            engine,
            now,
            stall_of=stall_of,
            loop_lag=self._figures.loop_lag(time.monotonic()),
            dropped=self._publisher.dropped,
            connections=None if connections is None else (connections.evicted, connections.refused),
        )
        return families(app, checks)

    async def answer(self, scope: Scope, stall_of: StallOf) -> Answer:
        """Return the answer to a scrape. The figures of one check belong to one moment, those of two need not."""
        exposition = negotiate(accept_of(scope))
        steps = Steps()
        checks: list[CheckFigures] = []
        for slot in self._engine.slots:
            checks.append(check_figures(slot, self._engine.clock(), time.time()))
            await steps.may_end()
        parts: list[bytes] = []
        for part in render(self.families(checks, stall_of), exposition):
            parts.append(part.encode())
            await steps.may_end()
        return answer(200, exposition.content_type, b"".join(parts))
