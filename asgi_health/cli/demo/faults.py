"""The faults that the shop can have on request."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .dependencies import Database, Payments, Recommendations


@dataclass(frozen=True)
class Fault:
    """One way to break the shop and to repair it.

    Attributes:
        name: The name in the URLs.
        title: The name on the page.
        expect: What the probes answer while it lasts.
        begin: Break it, with the options of a query, and return what happened. Raises ValueError for a wrong option.
        end: Repair it and return what happened.
        broken: Return whether it lasts.
        ends_by_itself: Whether nothing repairs it.
    """

    name: str
    title: str
    expect: str
    begin: Callable[[Mapping[str, str]], str]
    end: Callable[[], str]
    broken: Callable[[], bool]
    ends_by_itself: bool = False


class LoopBlocker:
    """Blocks the event loop, as a slow call in an async function does."""

    MAX_SECONDS = 15.0

    def __init__(self) -> None:
        self._until = -math.inf

    @property
    def blocked(self) -> bool:
        return time.monotonic() < self._until

    def block(self, options: Mapping[str, str]) -> str:
        """Block the loop for `seconds` after a short delay, so that this request still gets an answer."""
        text = options.get("seconds", "5")
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not seconds > 0:
            raise ValueError("seconds must be a number above 0")
        seconds = min(seconds, self.MAX_SECONDS)
        asyncio.get_running_loop().call_later(0.1, self._block_now, seconds)
        return f"the event loop is blocked for {seconds:g} s (at most {self.MAX_SECONDS:g})"

    def release(self) -> None:
        """Unblock the loop. The signal handler calls this, so that the demo can exit at once."""
        self._until = -math.inf

    def _block_now(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        while self.blocked:
            time.sleep(0.02)


def make_faults(
    database: Database, payments: Payments, recommendations: Recommendations, blocker: LoopBlocker
) -> list[Fault]:
    """Return all faults."""

    def remove_database(_: Mapping[str, str]) -> str:
        database.move_away()
        return "the database file has been moved away"

    def restore_database() -> str:
        database.bring_back()
        return "the database file is back"

    def hang_payments(_: Mapping[str, str]) -> str:
        payments.hangs = True
        return "payments do not answer"

    def resume_payments() -> str:
        payments.hangs = False
        return "payments answer again"

    def begin_stubborn_payments(_: Mapping[str, str]) -> str:
        payments.stubborn = True
        return "payments do not answer, and a check that waits for them ignores its cancellation"

    def end_stubborn_payments() -> str:
        payments.stubborn = False
        return "checks of payments can be cancelled again"

    def stop_recommendations(_: Mapping[str, str]) -> str:
        recommendations.down = True
        return "recommendations are down"

    def start_recommendations() -> str:
        recommendations.down = False
        return "recommendations are up"

    return [
        Fault(
            "database",
            "The database is missing",
            "Ready turns 503 after 2 failed runs, and /products answers 503. "
            "Live stays 200: a restart does not repair a database.",
            remove_database,
            restore_database,
            lambda: database.missing,
        ),
        Fault(
            "payments-hang",
            "Payments hang",
            "Each run fails at its timeout and ready turns 503. The probes answer as fast as before.",
            hang_payments,
            resume_payments,
            lambda: payments.hangs,
        ),
        Fault(
            "payments-stubborn",
            "Payments ignore cancellation",
            "Ready turns 503. The run that cannot be stopped is reported with its age, and no second one is started.",
            begin_stubborn_payments,
            end_stubborn_payments,
            lambda: payments.stubborn,
        ),
        Fault(
            "recommendations",
            "Recommendations are down",
            "Not critical: ready stays 200 and says warn, and the shop works without them.",
            stop_recommendations,
            start_recommendations,
            lambda: recommendations.down,
        ),
        Fault(
            "loop",
            "The event loop is blocked",
            "Nothing answers until it ends, not even live. Afterwards no probe is healthy on old results.",
            blocker.block,
            lambda: "the event loop unblocks by itself",
            lambda: blocker.blocked,
            ends_by_itself=True,
        ),
    ]
