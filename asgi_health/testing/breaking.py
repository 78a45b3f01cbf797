"""Make a check fail in a test, without a broken dependency."""

from types import TracebackType
from typing import Self

from ..core.lifecycle import Phase
from ..core.result import unhealthy
from ..core.validate import require_type
from ..health import Health, engine_of


def break_check(health: Health, name: str, message: str = "broken by the test") -> "BrokenCheck":
    """Make the check `name` fail from now on, and return what repairs it.

    The app's state changes at once, without waiting for a run or a threshold. However the check runs meanwhile, in the
    background or on demand, it runs the same function, and counts as failed. Any thread may call it, also while the app
    runs in another one.

    As a context, it is repaired at the end of the block:

        with break_check(health, "database"):
            assert_not_ready(health, because="database")

    Args:
        health: The Health.
        name: Name of the check.
        message: The reason that details show.

    Raises:
        KeyError: for an unknown name; the message lists the known ones.
        TypeError: for an argument of another type.
    """
    require_type("break_check: health", health, Health)
    require_type("break_check: name", name, str)
    require_type("break_check: message", message, str)
    return BrokenCheck(health, name, message)


class BrokenCheck:
    """A check that fails because of a test, until `repair` or the end of the ``with`` block."""

    def __init__(self, health: Health, name: str, message: str) -> None:
        self._health = health
        try:
            self._end = engine_of(health).force(name, unhealthy(message), _now(health))
        except KeyError:
            known = ", ".join(check.name for check in health.checks) or "none"
            raise KeyError(f"break_check: there is no check {name!r}; the checks are: {known}") from None

    def repair(self) -> None:
        """Give the check the status back that it had, and let it run at once. No effect when it is repaired already."""
        self._end(_now(self._health))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.repair()


def _now(health: Health) -> float | None:
    """Return the present moment; None while the app does not run, because the clock may belong to its loop."""
    engine = engine_of(health)
    return engine.clock() if engine.phase in (Phase.SERVING, Phase.DRAINING) else None
