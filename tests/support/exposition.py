"""Read metrics as Prometheus' own client reads them, in both formats."""

from collections.abc import Iterable
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""The value of each series: its name and its labels."""


def read(body: bytes, content_type: str = TEXT) -> list[Metric]:
    """Return the families in the body of an answer. Raises ValueError for a body that breaks the format."""
    assert content_type in (TEXT, OPENMETRICS)
    parse: Any = parse_openmetrics if content_type == OPENMETRICS else parse_prometheus
    return list(parse(body.decode()))


def samples(families: Iterable[Metric]) -> Samples:
    """Return the samples of families, each of which must be there once."""
    found: Samples = {}
    for family in families:
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, key
            found[key] = float(sample.value)
    return found


def value(found: Samples, name: str, **labels: str) -> float | None:
    """Return the value of one series, None where it does not exist."""
    return found.get((name, frozenset(labels.items())))


def state(found: Samples, name: str, **labels: str) -> str:
    """Return the one state of a state set that is on."""
    (on,) = (
        dict(key)[name]
        for (series, key), number in found.items()
        if series == name and number == 1 and labels.items() <= dict(key).items()
    )
    return on
