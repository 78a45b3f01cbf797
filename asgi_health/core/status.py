"""The two enumerations that every other module uses: how well something is, and which probe asks."""

from collections.abc import Iterable
from enum import Enum, IntEnum


class Status(IntEnum):
    """The status of a check, or of everything that a probe covers; ordered from best to worst.

    The values begin at one so that no status is falsy: ``if status:`` must not silently mean "if bad".

    Attributes:
        HEALTHY: It works. The probe answers 200 and ``pass``.
        DEGRADED: It works with a problem that people should look at. The probe answers 200 and ``warn``.
        UNHEALTHY: It does not work, or its state is not known. The probe answers 503 and ``fail``.
    """

    HEALTHY = 1
    DEGRADED = 2
    UNHEALTHY = 3

    __hash__ = int.__hash__  # that of Enum is a Python function: every run looks statuses up in dicts


class Probe(Enum):
    """A question that a caller can ask: the three probes of Kubernetes, and all checks together.

    Attributes:
        LIVENESS: Can the process go on without a restart? Its checks should ask no dependency, because a restart
            repairs no database.
        READINESS: Should the process get traffic now?
        STARTUP: Has the process finished starting? Once true, it stays true until the next lifespan.
        HEALTH: All checks together, as ``/health`` answers it. Every check counts for it, and none can name it.
    """

    LIVENESS = "liveness"
    READINESS = "readiness"
    STARTUP = "startup"
    HEALTH = "health"

    __hash__ = object.__hash__  # as in Status; a member equals itself alone


CHECK_PROBES = (Probe.LIVENESS, Probe.READINESS, Probe.STARTUP)
"""The probes that a check can name in `Check.probes`."""


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of the statuses, HEALTHY when there are none."""
    return max(statuses, default=Status.HEALTHY)
