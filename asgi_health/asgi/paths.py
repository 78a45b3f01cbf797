"""The paths of the probes, of the metrics, of the events and of the maintenances."""

from dataclasses import dataclass
from typing import cast

from ..core.status import Probe


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of each probe, of the metrics, of the events and of the maintenances.

    Each is a string, a tuple of strings, or None to leave them to the app.

    A trailing slash makes no difference.

    Attributes:
        health: Paths of all checks together. Cloud Run answers the exact path ``/healthz`` itself: use ``/health``
            there.
        live: Paths of liveness.
        ready: Paths of readiness.
        startup: Paths of startup.
        metrics: Paths of the metrics, in the formats of Prometheus. They need readers: `details` or `allow_metrics`.
        events: Paths of the events, by which a page shows each change when it happens. They exist where `details` admit
            readers, and for these.
        maintenance: Paths at which maintenances are shown, begun and ended. They need `allow_maintenance`.

    Raises:
        ValueError: for a path without a leading slash, the bare ``/``, and a path that is given twice.
        TypeError: for anything that is not a string.
    """

    health: str | tuple[str, ...] | None = ("/health", "/healthz")
    live: str | tuple[str, ...] | None = ("/health/live", "/livez")
    ready: str | tuple[str, ...] | None = ("/health/ready", "/readyz")
    startup: str | tuple[str, ...] | None = ("/health/startup", "/startupz")
    metrics: str | tuple[str, ...] | None = None
    events: str | tuple[str, ...] | None = "/health/events"
    maintenance: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for option in ("health", "live", "ready", "startup", "metrics", "events", "maintenance"):
            paths = _normalised(option, getattr(self, option))
            for path in paths:
                if path in seen:
                    other = seen[path]
                    both = "twice" if other == option else f"for both {other} and {option}"
                    raise ValueError(f"paths: {path!r} is given {both}")
                seen[path] = option
            object.__setattr__(self, option, paths)

    def of(self, probe: Probe) -> tuple[str, ...]:
        """Return the paths of `probe`, without trailing slashes."""
        names = {Probe.LIVENESS: "live", Probe.READINESS: "ready", Probe.STARTUP: "startup", Probe.HEALTH: "health"}
        paths: tuple[str, ...] = getattr(self, names[probe])
        return paths

    @property
    def of_metrics(self) -> tuple[str, ...]:
        """The paths of the metrics, without trailing slashes."""
        return cast("tuple[str, ...]", self.metrics)

    @property
    def of_events(self) -> tuple[str, ...]:
        """The paths of the events, without trailing slashes."""
        return cast("tuple[str, ...]", self.events)

    @property
    def of_maintenance(self) -> tuple[str, ...]:
        """The paths of the maintenances, without trailing slashes."""
        return cast("tuple[str, ...]", self.maintenance)

    @property
    def all(self) -> tuple[str, ...]:
        """The paths of all probes: those of the three probes of Kubernetes first."""
        return tuple(path for probe in Probe for path in self.of(probe))


def _normalised(option: str, value: object) -> tuple[str, ...]:
    if value is not None and not isinstance(value, str | tuple | list):
        raise TypeError(f"paths: {option} must be a string, a tuple of strings or None, not {value!r}")
    items = () if value is None else (value,) if isinstance(value, str) else cast("tuple[object, ...]", value)
    paths: list[str] = []
    for path in items:
        if not isinstance(path, str):
            raise TypeError(f"paths: {option} must hold strings, not {path!r}")
        if not path.startswith("/") or not path.rstrip("/"):
            raise ValueError(f"paths: {option} {path!r} must begin with a slash and name something behind it")
        if "?" in path or "#" in path:
            raise ValueError(f"paths: {option} {path!r} must be a path alone, without a query or a fragment")
        paths.append(path.rstrip("/"))
    return tuple(paths)
