"""The configuration of one check, validated when it is made rather than when it first runs."""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, field
from functools import partial, wraps
from typing import Any, Literal, cast

from .status import CHECK_PROBES, Probe
from .validate import in_milliseconds, require_count, require_seconds, require_short, require_type

CheckFunction = Callable[[], object]
"""An async or plain function without arguments. It returns None, True, False or a Result; see `interpret`."""

JITTER = 0.1
"""Share of the interval by which each pause is moved at random, so that the processes of a fleet do not run in step."""

LONG_INTERVAL = 3600.0
"""Seconds. A longer interval needs an explicit `max_age`, because it is probably meant as milliseconds."""

LONG_TIMEOUT = 60.0
"""Seconds. A longer timeout must not be more than three times the interval: it is probably a mistake."""

MAX_GROUP = 100
"""Characters of the name of a group."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Check:
    """A check: a function, and when and how it is run.

    `failure_threshold` and `success_threshold` mean what they mean in the probes of Kubernetes.

    Attributes:
        name: 1-63 of ``a-z 0-9 . _ -``, beginning with a letter or digit; unique in its Health.
        run: Async or plain function without arguments. A plain one runs in a thread of its own.
        probes: The probes it counts for. A check for STARTUP alone is not run again once it
            is healthy.
        critical: Whether its failure fails the probe. False: it degrades the probe, which stays 200.
        interval: Seconds from the end of a run to the start of the next while the status is settled, +-10 %. More than
            an hour needs a `max_age` too.
        retry_interval: Seconds to the next run while the status is unknown or inside a streak. Once the check has
            settled as unhealthy the pause doubles from run to run, up to `interval`.
        timeout: Seconds after which a run has failed, whatever the function does: at most 300, and above 60 at most
            three times the interval.
        failure_threshold: Consecutive failures that make a healthy check unhealthy. The very first result counts at
            once.
        success_threshold: Consecutive passes that make an unhealthy check healthy again.
        max_age: Seconds after which a result is stale; None: ``3 * interval + timeout``.
        group: A word to sort and filter by, such as the team that is called, of at most 100 characters; None for no
            group. Details, the status page and metrics show it, and ``?group=`` filters by it.
        scope: ``"process"``: each worker process runs it. ``"host"``: one of the workers that share a Board runs it,
            and the others use its result with its age. Without a Board both are the same.

    Raises:
        TypeError, ValueError: for a configuration that could not work; the message names the check.
    """

    name: str
    run: CheckFunction = field(repr=False)
    _: KW_ONLY
    probes: tuple[Probe, ...] = (Probe.READINESS,)
    critical: bool = True
    interval: float = 10.0
    retry_interval: float = 1.0
    timeout: float = 2.0
    failure_threshold: int = 3
    success_threshold: int = 1
    max_age: float | None = None
    group: str | None = None
    scope: Literal["process", "host"] = "process"

    def __post_init__(self) -> None:
        require_type(f"check {self.name!r}: name", self.name, str)
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"check {self.name!r}: name must be 1-63 of a-z 0-9 . _ - and begin with a letter or a digit"
            )
        object.__setattr__(
            self, "name", str.__str__(self.name)
        )  # the plain string, also of a string enum: JSON needs it
        subject = f"check {self.name!r}"
        _require_function(subject, self.run)
        object.__setattr__(self, "probes", _probes(subject, self.probes))
        require_type(f"{subject}: critical", self.critical, bool)
        for option in ("interval", "retry_interval", "timeout"):
            require_seconds(f"{subject}: {option}", getattr(self, option))
        for option in ("failure_threshold", "success_threshold"):
            require_count(f"{subject}: {option}", getattr(self, option))
        if self.max_age is not None:
            require_seconds(f"{subject}: max_age", self.max_age)
        _require_plausible(subject, self)
        if self.max_age is not None:
            longest = self.interval * (1 + JITTER) + self.timeout
            if self.max_age <= longest:
                raise ValueError(
                    f"{subject}: max_age {self.max_age} s must be longer than interval with jitter + timeout = "
                    f"{longest:g} s, or a result is stale before the next one can be there"
                )
        if self.group is not None:
            object.__setattr__(self, "group", _group(subject, self.group))
        if self.scope not in ("process", "host"):  # pyright: ignore[reportUnnecessaryContains]  callers without types
            raise ValueError(f"{subject}: scope must be 'process' or 'host', not {self.scope!r}")

    @property
    def stale_after(self) -> float:
        """Seconds after which a result no longer counts."""
        return 3 * self.interval + self.timeout if self.max_age is None else self.max_age

    @property
    def is_async(self) -> bool:
        """Whether `run` is known to return a coroutine, so that it needs no thread."""
        # `__wrapped__` is not followed: a plain wrapper around an async function may block, as asyncio.run does.
        return is_async(self.run)


def is_async(function: object) -> bool:
    """Return whether a function is known to return a coroutine, also when it is an object or a partial."""
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _group(subject: str, group: str) -> str:
    require_type(f"{subject}: group", group, str)
    text = str.__str__(group)  # the plain string, also of a string enum
    if not text or text != text.strip() or not text.isprintable() or len(text) > MAX_GROUP:
        raise ValueError(
            f"{subject}: group must be 1-{MAX_GROUP} printable characters without a space at either end, not"
            f" {text[: MAX_GROUP + 1]!r}"
        )
    return text


def _require_plausible(subject: str, check: Check) -> None:
    """Raise ValueError for seconds that are probably meant as milliseconds."""
    require_short(f"{subject}: timeout", check.timeout)
    if check.timeout > max(LONG_TIMEOUT, 3 * check.interval):
        raise ValueError(
            f"{subject}: timeout {check.timeout:g} s is more than three times interval {check.interval:g} s: a"
            f" hung check would stay healthy for that time{in_milliseconds(check.timeout)}. If that is intended, set"
            f" interval to at least {check.timeout / 3:g} s"
        )
    if check.interval > LONG_INTERVAL and check.max_age is None:
        raise ValueError(
            f"{subject}: interval {check.interval:g} s is more than an hour{in_milliseconds(check.interval)}. If that"
            " is intended, set max_age to the number of seconds for which a result counts"
        )
    if check.max_age is not None and check.max_age > max(LONG_INTERVAL, 100 * check.interval):
        raise ValueError(
            f"{subject}: max_age {check.max_age:g} s is more than an hour, and a hundred times as long as interval"
            f" {check.interval:g} s{in_milliseconds(check.max_age)}"
        )


def _require_function(subject: str, run: object) -> None:
    if inspect.iscoroutine(run):
        run.close()
        raise TypeError(f"{subject}: run is a coroutine; pass the function itself, without calling it")
    if not callable(run):
        raise TypeError(f"{subject}: run must be a function without arguments, not {run!r}")
    try:
        signature = inspect.signature(run)
    except (ValueError, TypeError):
        return  # some builtins have no signature
    try:
        signature.bind()
    except TypeError as error:
        raise TypeError(f"{subject}: run must be callable without arguments: {error}") from None


def _probes(subject: str, probes: object) -> tuple[Probe, ...]:
    if not isinstance(probes, Iterable) or isinstance(probes, str | bytes):
        raise TypeError(f"{subject}: probes must be a tuple such as (Probe.READINESS,), not {probes!r}")
    unique: dict[Probe, None] = {}
    for probe in cast("Iterable[object]", probes):
        if not isinstance(probe, Probe):
            hint = (
                f"; write Probe.{probe.upper()}"
                if isinstance(probe, str) and probe.lower() in {each.value for each in CHECK_PROBES}
                else ""
            )
            raise TypeError(f"{subject}: probes must hold members of Probe, not {probe!r}{hint}")
        if probe not in CHECK_PROBES:
            expected = ", ".join(map(str, CHECK_PROBES))
            raise ValueError(
                f"{subject}: probes must not hold {probe}, which every check counts for; expected some of {expected}"
            )
        unique[probe] = None
    if not unique:
        raise ValueError(f"{subject}: probes is empty; a check must count for at least one probe")
    return tuple(unique)


def _require_name(init: Any) -> Any:
    """Make ``Check(ping)`` say that the name is missing, where Python would say that `run` is."""

    @wraps(init)
    def __init__(self: Check, *positional: Any, **options: Any) -> None:
        if len(positional) == 1 and callable(positional[0]) and options.keys().isdisjoint(("name", "run")):
            found = getattr(positional[0], "__name__", type(positional[0]).__name__)
            raise TypeError(f"check: the name is missing; write Check('a-name', {found})")
        init(self, *positional, **options)

    return __init__


Check.__init__ = _require_name(Check.__init__)  # type: ignore[method-assign]
