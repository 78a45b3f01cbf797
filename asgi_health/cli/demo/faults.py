"""What can go wrong in the shop, on request."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .dependencies import Database, Payments, Recommendations


@dataclass(frozen=True)
class Fault:
    """One way to break something, and to mend it."""

    name: str
    title: str
    expect: str
    """What the probes will make of it."""
    begin: Callable[[Mapping[str, str]], str]
    """Break it, with the options out of a query, and say what happened. Raises ValueError for a wrong option."""
    end: Callable[[], str]
    """Mend it and say what happened."""
    broken: Callable[[], bool]


class LoopBlocker:
    """Does to the event loop what a slow call in an async function does."""

    LONGEST = 15.0

    def __init__(self) -> None:
        self._until = -math.inf

    @property
    def blocked(self) -> bool:
        return time.monotonic() < self._until

    def block(self, options: Mapping[str, str]) -> str:
        """Block the loop for `seconds`, a moment from now, so that whoever asked still gets an answer."""
        text = options.get("seconds", "5")
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not seconds > 0:
            raise ValueError("seconds must be a number above 0")
        seconds = min(seconds, self.LONGEST)
        asyncio.get_running_loop().call_later(0.1, self._sit, seconds)
        return f"the event loop is blocked for {seconds:g} s (at most {self.LONGEST:g})"

    def release(self) -> None:
        """Let the loop go on, from a signal handler: a demo must end when it is told to."""
        self._until = -math.inf

    def _sit(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        while self.blocked:
            time.sleep(0.02)


def make_faults(
    database: Database, payments: Payments, recommendations: Recommendations, blocker: LoopBlocker
) -> list[Fault]:
    """Return everything that can be broken."""

    def lose_database(_: Mapping[str, str]) -> str:
        database.move_away()
        return "the file of the database has been moved away"

    def find_database() -> str:
        database.bring_back()
        return "the file of the database is back"

    def hang_payments(_: Mapping[str, str]) -> str:
        payments.hangs = True
        return "payments give no answer"

    def answer_payments() -> str:
        payments.hangs = False
        return "payments do not hang"

    def harden_payments(_: Mapping[str, str]) -> str:
        payments.stubborn = True
        return "payments give no answer, and a check that waits for one ignores its cancellation"

    def soften_payments() -> str:
        payments.stubborn = False
        return "payments do not ignore cancellation"

    def stop_recommendations(_: Mapping[str, str]) -> str:
        recommendations.down = True
        return "recommendations are down"

    def start_recommendations() -> str:
        recommendations.down = False
        return "recommendations are up"

    return [
        Fault(
            "database",
            "The database is gone",
            "Ready turns 503 after 2 failed runs, and /products fails honestly. "
            "Live stays 200: a restart mends no database.",
            lose_database,
            find_database,
            lambda: database.gone,
        ),
        Fault(
            "payments-hang",
            "Payments hang",
            "Each run fails at its deadline and ready turns 503. The probes answer as fast as before.",
            hang_payments,
            answer_payments,
            lambda: payments.hangs,
        ),
        Fault(
            "payments-stubborn",
            "Payments ignore cancellation",
            "Ready turns 503. The run that cannot be stopped is reported with its age, and never started twice.",
            harden_payments,
            soften_payments,
            lambda: payments.stubborn,
        ),
        Fault(
            "recommendations",
            "Recommendations are down",
            "Not critical: ready says warn and stays 200, and the shop sells on.",
            stop_recommendations,
            start_recommendations,
            lambda: recommendations.down,
        ),
        Fault(
            "loop",
            "The event loop is blocked",
            "Nothing can answer meanwhile, live neither. Afterwards no probe is green on old results.",
            blocker.block,
            lambda: "the event loop goes on by itself",
            lambda: blocker.blocked,
        ),
    ]
