"""The words every other room speaks: how well a thing is, and who asks."""

from collections.abc import Iterable
from enum import Enum, IntEnum


class Status(IntEnum):
    """How well a check, or everything a probe looks at, is; ordered from best to worst.

    The values begin at one so that no status is falsy: ``if status:`` must not silently mean "if bad".
    """

    HEALTHY = 1
    DEGRADED = 2
    UNHEALTHY = 3


class Probe(Enum):
    """The three questions that Kubernetes asks of a container."""

    LIVENESS = "liveness"
    """Must the process be restarted? Holds no dependencies: a restart does not mend a database."""

    READINESS = "readiness"
    """Should the process get traffic now?"""

    STARTUP = "startup"
    """Has the process finished starting? Once yes, for ever yes."""


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of the statuses, HEALTHY when there are none."""
    return max(statuses, default=Status.HEALTHY)
