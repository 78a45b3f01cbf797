"""The metrics of a Health in a registry of prometheus_client, next to the app's own."""

from collections.abc import Iterator
from itertools import accumulate

from . import not_installed

try:
    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError as _error:
    raise not_installed(_error, "prometheus_client", extra="prometheus") from None

from ..asgi.metrics import Metrics
from ..core.validate import require_type
from ..formats.metrics import Distribution, Family, number_text
from ..health import Health, engine_of

__all__ = ["HealthCollector"]


class HealthCollector(Collector):
    """Collect the metrics of `health`, the same that ``Paths(metrics=...)`` shows.

    ``REGISTRY.register(HealthCollector(health))`` adds them to those of the app. A registry takes one collector of this
    class, because the names of a second one would be the same. Collecting takes no lock and runs no check.

    Args:
        health: The Health.

    Raises:
        TypeError: for an argument that is not a Health.
    """

    def __init__(self, health: Health) -> None:
        require_type("HealthCollector: health", health, Health)
        self._metrics = Metrics(engine_of(health))

    def collect(self) -> Iterator[Metric]:
        """Yield each family that has a value at the present moment."""
        for family in self._metrics.families():
            metric = _metric(family)
            if metric.samples:
                yield metric

    def describe(self) -> Iterator[Metric]:
        """Yield each family without values: a registry asks for the names when the collector is registered."""
        for family in self._metrics.families([]):
            yield _metric(Family(family.metric, ()))


def _metric(family: Family) -> Metric:
    described = family.metric
    name = described.name
    metric = Metric(name, described.help, described.type, described.unit)
    for values, value in family.points:
        labels = {name: text for name, text in zip(described.labels, values, strict=True) if text}
        match value:
            case Distribution():
                count = 0
                for bound, count in zip(described.bounds, accumulate(value.buckets), strict=True):
                    metric.add_sample(f"{name}_bucket", {**labels, "le": number_text(bound)}, count)
                metric.add_sample(f"{name}_count", labels, count)
                metric.add_sample(f"{name}_sum", labels, value.sum)
            case str():
                for state in described.states:
                    metric.add_sample(name, {**labels, name: state}, int(state == value))
            case _:
                metric.add_sample(f"{name}_total" if described.type == "counter" else name, labels, value)
    return metric
