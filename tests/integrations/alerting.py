"""A Prometheus, an Alertmanager and a webhook of a test, with the configuration and the rules of the documentation."""

import http.server
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from ..checks.daemon import Daemon
from ..checks.port import HOST, reserved_port
from ..documentation.blocks import blocks
from ..support.waiting import wait_until
from .monitoring import RULES, succeed

SECOND = "1s"
PROMETHEUS_YML, ALERTMANAGER_YML = "prometheus.yml", "alertmanager.yml"


@dataclass(frozen=True)
class Webhook:
    """What Alertmanager has delivered.

    Attributes:
        port: The port on which the webhook listens.
        alerts: The alerts, in the order in which they came.
    """

    port: int
    alerts: list[dict[str, Any]]

    def wait_for(self, alert: str, status: str, since: datetime) -> dict[str, Any]:
        """Return the first alert of one name and status, firing or resolved, that began after `since`."""

        def found() -> list[dict[str, Any]]:
            return [
                each
                for each in list(self.alerts)
                if (each["labels"]["alertname"], each["status"]) == (alert, status)
                and datetime.fromisoformat(each["startsAt"]) > since
            ]

        wait_until(lambda: bool(found()), lambda: f"{alert} is {status}: {self.alerts}")
        return found()[0]


@dataclass(frozen=True)
class Monitoring:
    """A Prometheus that scrapes one app, and sends its alerts to a webhook by an Alertmanager.

    Attributes:
        prometheus: The port of Prometheus.
        webhook: What was delivered.
    """

    prometheus: int
    webhook: Webhook

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of a query; an expression that Prometheus refuses raises HTTPError."""
        result: list[dict[str, Any]] = self._ask(f"query?{urllib.parse.urlencode({'query': expression})}")["result"]
        return result

    def active_alerts(self) -> dict[str, str]:
        """Return the state, pending or firing, of each alert that is active."""
        return {each["labels"]["alertname"]: each["state"] for each in self._ask("alerts")["alerts"]}

    def _ask(self, target: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{HOST}:{self.prometheus}/api/v1/{target}", timeout=10.0) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
        return data


@contextmanager
def monitoring(app: str, folder: Path) -> Iterator[Monitoring]:
    """Scrape the app at `app` (host and port) until the end of the block."""
    with ExitStack() as stack:
        webhook = stack.enter_context(_webhook())
        prometheus, alertmanager = (stack.enter_context(reserved_port()) for _ in range(2))
        _configure(folder, app, alertmanager, webhook.port)
        succeed("promtool", "check", "config", folder / PROMETHEUS_YML)
        succeed("amtool", "check-config", folder / ALERTMANAGER_YML)
        stack.enter_context(
            _daemon(
                "prometheus-alertmanager",
                alertmanager,
                folder / ALERTMANAGER_YML,
                f"--storage.path={folder / 'alertmanager'}",
                "--cluster.listen-address=",  # no port for other Alertmanagers
            )
        )
        stack.enter_context(
            _daemon("prometheus", prometheus, folder / PROMETHEUS_YML, f"--storage.tsdb.path={folder / 'prometheus'}")
        )
        yield Monitoring(prometheus, webhook)


@contextmanager
def _daemon(program: str, port: int, config: Path, *options: str) -> Iterator[None]:
    command = [program, f"--config.file={config}", f"--web.listen-address={HOST}:{port}", *options]
    daemon = Daemon(program, command, config.with_suffix(".log"))

    def is_ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/-/ready", timeout=1.0) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as refused:
            refused.close()
            return False
        except OSError:
            return False

    try:
        daemon.start(is_ready)
        yield
    finally:
        daemon.kill()


def documented(name: str) -> dict[str, Any]:
    """Return one of the configurations of docs/how-to/metrics.md, which begins with its name."""
    (text,) = [each for each in blocks("yaml", "how-to/metrics.md") if each.startswith(f"# {name}\n")]
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def _configure(folder: Path, app: str, alertmanager: int, webhook: int) -> None:
    """Write the files of docs/how-to/metrics.md and the rules, with a test's addresses, and seconds for minutes."""
    rules = yaml.safe_load(RULES.read_text())
    for group in rules["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = SECOND
    prometheus = documented(PROMETHEUS_YML)
    prometheus["global"] = {"scrape_interval": SECOND, "evaluation_interval": SECOND}
    (scrape,) = prometheus["scrape_configs"]
    scrape["static_configs"] = [{"targets": [app]}]
    (sender,) = prometheus["alerting"]["alertmanagers"]
    sender["static_configs"] = [{"targets": [f"{HOST}:{alertmanager}"]}]
    router = documented(ALERTMANAGER_YML)
    router["route"] |= {"group_wait": "0s", "group_interval": SECOND}
    for receiver in router["receivers"]:
        for target in receiver["webhook_configs"]:
            target["url"] = f"http://{HOST}:{webhook}/"
    for name, document in ((RULES.name, rules), (PROMETHEUS_YML, prometheus), (ALERTMANAGER_YML, router)):
        (folder / name).write_text(yaml.safe_dump(document))


@contextmanager
def _webhook() -> Iterator[Webhook]:
    received: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.extend(json.loads(self.rfile.read(int(self.headers["content-length"])))["alerts"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Webhook(server.server_port, received)
        finally:
            server.shutdown()
            thread.join()
