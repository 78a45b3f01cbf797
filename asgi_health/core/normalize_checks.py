"""The forms in which an app passes its checks."""

from collections.abc import Iterable, Mapping
from typing import Literal, TypedDict, TypeVar, cast

from .check import Check, CheckFunction
from .status import Probe

F = TypeVar("F", bound=CheckFunction)


class CheckOptions(TypedDict, total=False):
    """The options of Check after its name and function; see there."""

    probes: tuple[Probe, ...]
    critical: bool
    interval: float
    retry_interval: float
    timeout: float
    failure_threshold: int
    success_threshold: int
    max_age: float | None
    group: str | None
    scope: Literal["process", "host"]


def normalize_checks(checks: object) -> list[Check]:
    """Return the checks that an app has passed, in whichever form. Raises TypeError for any other."""
    expected = "health: checks must be {name: function} or an iterable of Check (HealthMiddleware also takes a Health)"
    if isinstance(checks, Mapping):
        functions = cast("Mapping[str, CheckFunction]", checks)
        for name, run in functions.items():
            if isinstance(run, Check):
                raise TypeError(
                    f"check {name!r}: run is {run!r:.40}, expected a function; a Check has its name, so pass a list"
                )
        return [Check(name, run) for name, run in functions.items()]
    if not isinstance(checks, Iterable) or isinstance(checks, str | bytes):
        raise TypeError(f"{expected}, not {checks!r:.80}")
    items = list(cast("Iterable[object]", checks))
    for item in items:
        if not isinstance(item, Check):
            raise TypeError(f"{expected}, not an iterable with {item!r:.80}")
    return cast("list[Check]", items)
