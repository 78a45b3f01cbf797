"""What surrounds the app where it is served: from the arguments, the manifest, the environment, or the defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...core.status import Probe
from .facts import Settings
from .manifest import DEFAULT_GRACE, Container
from .prober import BY_DEFAULT
from .workers import workers_of_environment


@dataclass(frozen=True, slots=True)
class Given:
    """The arguments of the command; None for one that is not given.

    Attributes:
        prober_timeout: Seconds after which each prober gives up.
        period: Seconds between two requests of readiness.
        failure_threshold: Failures of readiness in a row after which the prober acts.
        grace: Seconds from SIGTERM to SIGKILL.
        workers: Number of processes that share one address.
        instances: Number of instances of the app.
    """

    prober_timeout: float | None = None
    period: float | None = None
    failure_threshold: int | None = None
    grace: float | None = None
    workers: int | None = None
    instances: int | None = None


def settings_of(given: Given, environment: Mapping[str, str], container: Container | None = None) -> Settings:
    """Return the settings: an argument precedes the manifest, and that the environment of this process."""
    probers = dict(BY_DEFAULT)
    if container is not None:
        probers |= {each.probe: each.prober for each in container.probes}
    if given.prober_timeout is not None:
        for probe, prober in probers.items():
            probers[probe] = replace(prober, timeout=given.prober_timeout, source="--prober-timeout")
    if (given.period, given.failure_threshold) != (None, None):
        ready = probers[Probe.READINESS]
        probers[Probe.READINESS] = replace(
            ready,
            period=given.period or ready.period,
            failure_threshold=given.failure_threshold or ready.failure_threshold,
            source="the arguments",
        )
    workers = workers_of_environment(environment) if container is None else container.workers
    if given.workers is not None:
        workers = given.workers, f"--workers {given.workers}"
    count, source = workers or (1, "")
    return Settings(
        probers,
        grace=given.grace or (DEFAULT_GRACE if container is None else container.grace),
        workers=count,
        workers_source=source,
        instances=given.instances or (1 if container is None else container.replicas),
        container=container,
    )
