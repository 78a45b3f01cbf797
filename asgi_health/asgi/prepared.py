"""The prepared answers: what is answered at each path, ready before the request comes."""

from math import inf
from typing import Any

from ..core.engine import Engine
from ..core.lifecycle import Phase
from ..core.probe_statuses import Statuses
from ..core.status import Probe, Status
from ..formats.answer import minimal
from ..runtime.scheduler.runner import Runner
from .paths import Paths
from .response_headers import ResponseHeaders

Prepared = tuple[float, dict[str, Any], list[tuple[bytes, bytes]], dict[str, Any]]
"""Until when the answer is valid (monotonic seconds), and its parts, which the middleware copies: the start message
without headers, the headers, and the body message."""


class PreparedAnswers:
    """Prepare the answers of all probes again after each change of their statuses.

    Args:
        engine: The engine whose statuses are answered.
        paths: The paths of the probes.
        runner: The runner of the engine: without its task a request has to run the checks, so answers expire.
        headers: The headers that answers get in addition to their own.
        has_details: Whether some readers may see more than the status at the paths of `health`.
    """

    def __init__(
        self, engine: Engine, paths: Paths, runner: Runner, headers: ResponseHeaders, *, has_details: bool
    ) -> None:
        self._engine = engine
        self._runner = runner
        self._headers = headers
        self._has_details = has_details
        self._probes = {
            spelling: probe for probe in Probe for path in paths.of(probe) for spelling in (path, f"{path}/")
        }
        self.by_path: dict[str, Prepared] = {}
        """The answer at each path. Keys are fixed and values replaced as a whole, so that any thread may read it."""
        self.prepare(engine.statuses)
        engine.on_change(self.prepare)

    def prepare(self, statuses: Statuses) -> None:
        """Prepare the answers for `statuses`."""
        while True:
            version = self._engine.version
            prepared = {probe: self._prepare(probe, statuses) for probe in Probe}
            for path, probe in self._probes.items():
                self.by_path[path] = prepared[probe]
            # Another thread, or a signal handler, may have prepared newer answers in the middle of this.
            if self._engine.version == version and self._engine.statuses is statuses:
                return
            statuses = self._engine.statuses

    def _prepare(self, probe: Probe, statuses: Statuses) -> Prepared:
        status = statuses[probe]
        answer = self._headers.add_status(minimal(status.status, reason=status.reason), probe, status.status)
        until = status.valid_until
        if not self._runner.alive:
            # No task starts and ends runs: the answer is valid until the next run starts or ends.
            if not self._engine.app_started or self._engine.phase is Phase.STOPPED:
                until = -inf  # a request on another loop starts again
            elif self._engine.depends_on_runs(probe):
                until = min(until, self._engine.next_wake())
        elif status.status is Status.UNHEALTHY and self._runner.first_results.may_wait:
            until = -inf  # the first probe may wait for first results
        if self._has_details and probe is Probe.HEALTH:
            until = -inf  # the answer depends on who asks
        if self._headers.draining:
            until = -inf  # the answer depends on the version of HTTP
        start = {"type": "http.response.start", "status": answer.status, "headers": None}
        return until, start, list(answer.headers), {"type": "http.response.body", "body": answer.body}
