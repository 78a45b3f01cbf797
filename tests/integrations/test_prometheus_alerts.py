"""A real Prometheus scrapes the demo, and a real Alertmanager delivers what its rules find."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ..cli.demo import Demo, running_demo
from ..support.waiting import wait_until
from .alerting import Monitoring, monitoring
from .monitoring import METRICS, metrics_of, panel_expressions, require

pytestmark = pytest.mark.processes


@dataclass(frozen=True)
class Monitored:
    demo: Demo
    monitoring: Monitoring


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Monitored]:
    """Run the demo, and a Prometheus that has scraped it."""
    require("prometheus", "promtool", "prometheus-alertmanager", "amtool")
    with running_demo() as demo, monitoring(urlsplit(demo.url).netloc, tmp_path) as found:
        demo.wait_for_status_word("/readyz", "pass")
        ready = 'min(asgi_health_check_up) == 1 and sum(asgi_health_probe_up{probe="readiness"}) == 1'
        wait_until(lambda: bool(found.query(ready)), "Prometheus sees a healthy app")
        yield Monitored(demo, found)


def test_an_alert_is_delivered_when_a_dependency_breaks_and_again_when_it_works(shop: Monitored) -> None:
    demo, webhook = shop.demo, shop.monitoring.webhook
    # With seconds for minutes, AsgiHealthMetricsAbsent may fire before the first scrape.
    wait_until(lambda: shop.monitoring.active_alerts() == {}, "no alert is active before the fault")

    broken = datetime.now(UTC)
    demo.request("/break/database")
    alert = webhook.wait_for("AsgiHealthNoInstanceReady", "firing", broken)
    assert alert["labels"]["severity"] == "critical"
    assert alert["annotations"]["summary"] == "No instance of shop is ready"
    assert " database (on 1)" in alert["annotations"]["description"]
    wait_until(
        lambda: shop.monitoring.active_alerts().get("AsgiHealthCheckUnhealthy") == "firing", "the check's alert fires"
    )

    demo.request("/repair/database")
    resolved = webhook.wait_for("AsgiHealthNoInstanceReady", "resolved", broken)
    assert (resolved["startsAt"], resolved["labels"]) == (alert["startsAt"], alert["labels"])
    wait_until(lambda: shop.monitoring.active_alerts() == {}, "no alert is active after the repair")

    scraped = {name for name in METRICS if shop.monitoring.query(f'{{__name__=~"{name}(_total|_bucket)?"}}')}
    assert len(scraped) > 10
    for expression in panel_expressions():
        shown = shop.monitoring.query(expression)
        assert shown or not metrics_of(expression) <= scraped, expression

    killed = datetime.now(UTC)
    demo.process.kill()
    assert webhook.wait_for("AsgiHealthTargetDown", "firing", killed)["labels"]["job"] == "shop"
