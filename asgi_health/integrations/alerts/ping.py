"""Ping: one request per interval while a probe is healthy, to a service that raises the alarm when they stop."""

from dataclasses import dataclass
from logging import ERROR
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING
from weakref import ref

from ...core.engine import Engine
from ...core.logger import logger
from ...core.status import Probe, Status
from ...core.validate import require_seconds, require_type
from ...health import Health, engine_of
from ...runtime.log_failure import log_failure
from ...runtime.scheduler.runner import runner_of
from .receiver_url import parse_receiver_url

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_INTERVAL = 1.0
"""Seconds. Services that take pings count in minutes, and a short interval is a load for them."""

RECHECK = 1.0
"""Seconds between two looks at a probe that is not healthy, so that the ping follows soon after its recovery."""

TIMEOUT = 10.0
"""Seconds for one request. A slow one delays the next, and never overlaps with it."""


@dataclass(slots=True)
class Schedule:
    """When the next ping is due. The caller has the clock.

    Attributes:
        interval: Seconds between two pings.
        due: When to look at the probe next (monotonic seconds).
    """

    interval: float
    due: float

    def step(self, now: float, healthy: bool) -> bool:
        """Return whether to send a ping at `now`, which is due, and move `due`."""
        if not healthy:
            self.due = now + min(RECHECK, self.interval)
            return False
        # From the moment at which it was due, so that the time of the requests does not add up. A process that was
        # suspended sends one ping, and not one for each that it has missed.
        self.due = self.due + self.interval if now - self.due < self.interval else now + self.interval
        return True


class Ping:
    """Send one GET per `interval` to `url` while `probe` is healthy. Silence is the alarm.

    For services that raise the alarm when pings stop (a dead man's switch), such as healthchecks.io and Uptime Kuma (a
    monitor of type "push"): they also notice that the process, or its host, is gone. The time after which they raise
    the alarm must be longer than `interval`.

    No ping is sent while the probe would answer 503: a critical check fails or its result is stale, the app starts,
    drains, has stopped or is under maintenance, or its event loop is blocked (for more than 5 s; 30 s for liveness; or
    as a Listener says). A degraded probe answers 200, so it counts as healthy. A daemon thread of its own looks at the
    status, and runs no check. An answer other than 200 to 299 counts as a failure, and so does a redirect: the first
    one of a streak is logged, and the next ping follows after the interval.

    With a Board one worker pings, while its host is healthy. Without one each worker process sends its own pings: to
    one URL, one healthy worker keeps the alarm off. Give each its own URL where each one counts.

    Args:
        url: The URL, with ``https://`` or ``http://``. Logs, errors and ``repr`` show its host alone.
        interval: Seconds between two pings.
        probe: The probe.

    Raises:
        ModuleNotFoundError: httpcore is not installed.
        TypeError: for an argument of another type.
        ValueError: for a URL or an interval that could not work.
    """

    def __init__(self, url: str, *, interval: float = 60.0, probe: Probe = Probe.READINESS) -> None:
        self._url = parse_receiver_url("ping", url)
        require_seconds("ping: interval", interval)
        if interval < MIN_INTERVAL:
            raise ValueError(f"ping: interval must be at least {MIN_INTERVAL:g} s, not {interval!r}")
        require_type("ping: probe", probe, Probe)
        self._interval = float(interval)
        self._probe = probe
        self._ended = Event()
        self._logged_failure = False
        # Imported now, so that a missing package is an error of the configuration and not of the first ping.
        from . import http_request  # noqa: F401  # pyright: ignore[reportUnusedImport]

    def __repr__(self) -> str:
        return f"Ping({self._url.origin!r}, interval={self._interval!r}, probe={self._probe!s})"

    def start(self, health: Health, /) -> None:
        """Start to ping for `health`, from a new thread: that of an earlier start may still wait for its receiver."""
        self.stop()
        self._ended = Event()
        thread = Thread(
            target=self._run,
            args=(ref(health), self._ended),
            name=f"asgi-health ping {self._url.authority}",
            daemon=True,
        )
        thread.start()

    def stop(self) -> None:
        """Stop without waiting: no further request begins."""
        self._ended.set()

    def _run(self, health: "Callable[[], Health | None]", ended: Event) -> None:
        schedule = Schedule(self._interval, monotonic())
        failing = False
        while not ended.wait(schedule.due - monotonic()):
            # Held for a moment only: an app that ends without a shutdown takes its Health with it, and this ends.
            found = health()
            if found is None:
                return
            healthy = self._is_healthy(found) and engine_of(found).leads(monotonic())
            del found
            if schedule.step(monotonic(), healthy):
                failing = self._send(failing)

    def _is_healthy(self, health: Health) -> bool:
        try:
            healthy = is_healthy(engine_of(health), self._probe)
        except Exception as error:  # the clock may be code of the app
            if not self._logged_failure:
                self._logged_failure = True
                log_failure(
                    ERROR,
                    "ping %s: the probe has no status, which counts as a failure",
                    self._url.authority,
                    error=error,
                )
            return False
        self._logged_failure = False
        return healthy

    def _send(self, failing: bool) -> bool:
        """Send one ping, log where it fails for the first time or works again, and return whether it failed."""
        from .http_request import RequestFailed, send_request

        try:
            answer = send_request("GET", self._url, [], None, TIMEOUT)
            reason = "" if answer.ok else answer.reason
        except RequestFailed as error:
            reason = str(error)
        except Exception as error:  # no thread for the look-up of the name, say: the next ping may work
            reason = type(error).__name__
        if reason and not failing:
            name, seconds = self._url.authority, self._interval
            logger.warning("ping %s failed: %s; it is sent again every %g s", name, reason, seconds)
        elif failing and not reason:
            logger.info("ping %s works again", self._url.authority)
        return bool(reason)


def is_healthy(engine: Engine, probe: Probe) -> bool:
    """Return whether `probe` would answer 200 at this moment, from a loop that exists. Called in any thread."""
    if runner_of(engine).figures.loop_lag(monotonic()) is None:  # it has ended, perhaps without a shutdown of the app
        return False
    return engine.effective_status(probe, engine.clock())[0] is not Status.UNHEALTHY
