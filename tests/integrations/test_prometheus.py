"""The collector for prometheus_client: the samples that the path of the metrics shows, in a registry of the app."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from asgi_health import Check, Health, HealthMiddleware, Paths, degraded, healthy, unhealthy
from asgi_health.health import engine_of
from asgi_health.integrations.prometheus import HealthCollector

from ..servers.process import ROOT
from ..support.asgi_caller import ask, echo_nothing
from ..support.exposition import OPENMETRICS, TEXT, Samples, read, samples, value
from ..support.known_state import Clock, health_with, make_check


def some_health() -> Health:
    """Return a Health with one check in each state."""
    health = health_with(
        Clock(),
        (make_check("database"), healthy(data={"pool_in_use": 3, "pool_size": 10})),
        (make_check("disk"), degraded("slow")),
        (make_check("cache", group="the shop's"), unhealthy("Connection refused")),
    )
    health.add(Check("new", lambda: None))
    engine_of(health).record_stall(1.5)
    health.maintain("disk", 600.0)
    health.maintain(None, 60.0)
    return health


def registry_of(health: Health) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(HealthCollector(health))
    return registry


def of_the_path(health: Health, accept: str) -> bytes:
    app = HealthMiddleware(echo_nothing, health, paths=Paths(metrics="/metrics"), allow_metrics=True)
    return asyncio.run(ask(app, "/metrics", headers=[(b"accept", accept.encode())])).body


def without_time(found: Samples) -> Samples:
    """Return the samples without those that differ between two moments."""
    return {key: number for key, number in found.items() if "timestamp" not in key[0]}


@pytest.mark.parametrize("content_type", [TEXT, OPENMETRICS])
def test_the_collector_yields_what_the_path_shows(content_type: str) -> None:
    health = some_health()
    generate = generate_openmetrics if content_type == OPENMETRICS else generate_latest
    theirs = read(generate(registry_of(health)), content_type)
    ours = read(of_the_path(health, content_type), content_type)
    assert without_time(samples(theirs)) == without_time(samples(ours))
    assert samples(theirs).keys() == samples(ours).keys()
    described = {each.name: (each.type, each.unit, each.documentation) for each in ours}
    assert {each.name: (each.type, each.unit, each.documentation) for each in theirs} == described


def test_registering_asks_for_names_and_runs_nothing() -> None:
    def run() -> None:
        raise AssertionError("a scrape must not run a check")

    health = Health([Check("db", run)])
    registry = registry_of(health)
    generate_latest(registry)
    found = samples(read(generate_latest(registry)))
    assert value(found, "asgi_health_check_runs_total", check="db") == 0
    assert all(not each.samples for each in HealthCollector(health).describe())


def test_a_metric_of_the_app_with_one_of_the_names_and_a_second_collector_are_refused() -> None:
    registry = registry_of(some_health())
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        Counter("asgi_health_check_runs", "the app's own", registry=registry)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        registry.register(HealthCollector(Health()))


def test_a_collector_takes_a_health_alone() -> None:
    app = HealthMiddleware(echo_nothing)
    with pytest.raises(TypeError, match="HealthCollector: health must be"):
        HealthCollector(app)  # type: ignore[arg-type]
    HealthCollector(app.health)


def test_collecting_takes_no_lock() -> None:
    health = some_health()
    registry = registry_of(health)
    held, release = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        if threading.current_thread() is holder:
            held.set()
            assert release.wait(20.0)

    holder = threading.Thread(target=lambda: health.add(Check("other", lambda: None)))
    engine_of(health).on_change(hold)  # called with the lock of the engine held
    holder.start()
    try:
        assert held.wait(20.0)
        assert value(samples(read(generate_latest(registry))), "asgi_health_check_up", check="other") == 0
    finally:
        release.set()
        holder.join(20.0)


MULTIPROCESS = """
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest, multiprocess
from asgi_health import Health
from asgi_health.integrations.prometheus import HealthCollector

Counter("requests", "of the app").inc()
REGISTRY.register(HealthCollector(Health({"db": print})))
of_all = CollectorRegistry()
multiprocess.MultiProcessCollector(of_all)
print(b"requests_total" in generate_latest(of_all), b"asgi_health" in generate_latest(of_all))
print(b"asgi_health_check_up" in generate_latest(REGISTRY))
"""


def test_the_multiprocess_mode_of_prometheus_client_leaves_collectors_out(tmp_path: Path) -> None:
    """docs/how-to/metrics.md says so. Its files hold the values of its own classes alone."""
    done = subprocess.run(
        [sys.executable, "-c", MULTIPROCESS],
        cwd=ROOT,
        env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "False", "True"]
