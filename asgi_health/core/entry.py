"""What a Health holds of each check, and the forms in which an app hands its checks over."""

from collections.abc import Iterable, Mapping
from typing import TypedDict, TypeVar, cast

from .check import Check, CheckFunction
from .schedule import Run
from .state import UNKNOWN, CheckState
from .status import Probe

F = TypeVar("F", bound=CheckFunction)


class CheckOptions(TypedDict, total=False):
    """What a Check takes besides its name and function."""

    probes: tuple[Probe, ...]
    critical: bool
    interval: float
    retry_interval: float
    timeout: float
    failure_threshold: int
    success_threshold: int
    max_age: float | None


class Entry:
    __slots__ = ("check", "run", "state")

    def __init__(self, check: Check) -> None:
        self.check = check
        self.state: CheckState = UNKNOWN
        self.run: Run | None = None


def listed(checks: object) -> list[Check]:
    """Return the checks that an app has handed over, in whichever form. Raises TypeError for any other."""
    expected = "health: checks must be {name: function}, an iterable of Check, or a Health"
    if isinstance(checks, Mapping):
        given = cast("Mapping[str, CheckFunction]", checks)
        for name, run in given.items():
            if isinstance(run, Check):
                raise TypeError(
                    f"check {name!r}: run is {run!r:.40}, expected a function; a Check has its name, so pass a list"
                )
        return [Check(name, run) for name, run in given.items()]
    if not isinstance(checks, Iterable) or isinstance(checks, str | bytes):
        raise TypeError(f"{expected}, not {checks!r:.80}")
    given_checks = list(cast("Iterable[object]", checks))
    for each in given_checks:
        if not isinstance(each, Check):
            raise TypeError(f"{expected}, not an iterable with {each!r:.80}")
    return cast("list[Check]", given_checks)
