"""Manifests of Kubernetes: a healthy one, and changes that each make one fault."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from starlette.routing import Route

from asgi_health import Check, Drain, Health, Listener, Paths, Probe, bearer_token

from .apps import around, page, ping, starlette

HEALTHY: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {
        "replicas": 3,
        "template": {
            "spec": {
                "terminationGracePeriodSeconds": 60,
                "containers": [
                    {
                        "name": "app",
                        "image": "shop",
                        "command": ["uvicorn", "shop:app", "--host", "0.0.0.0"],
                        "ports": [{"name": "http", "containerPort": 8000}],
                        "livenessProbe": {
                            "httpGet": {"path": "/health/live", "port": "http"},
                            "timeoutSeconds": 2,
                        },
                        "readinessProbe": {
                            "httpGet": {"path": "/readyz/?strict", "port": 8000},
                            "periodSeconds": 5,
                            "timeoutSeconds": 2,
                            "failureThreshold": 1,
                        },
                        "startupProbe": {
                            "exec": {"command": ["asgi-health", "probe", "http://127.0.0.1:8000/startupz"]},
                            "periodSeconds": 1,
                            "timeoutSeconds": 4,
                            "failureThreshold": 60,
                        },
                    }
                ],
            }
        },
    },
}
SIDECAR = {"name": "proxy", "livenessProbe": {"tcpSocket": {"port": 15000}}}


def changed(change: Callable[[Any, Any], object]) -> dict[str, Any]:
    """Return the healthy manifest after `change`, which gets its pod and its container."""
    document = deepcopy(HEALTHY)
    pod = document["spec"]["template"]["spec"]
    change(pod, pod["containers"][0])
    return document


def probe(name: str, **action: Any) -> Callable[[Any, Any], object]:
    """Return a change that gives the probe another action or time."""

    def change(_: Any, container: Any) -> None:
        if action.keys() & {"httpGet", "exec", "tcpSocket", "grpc"}:
            for each in ("httpGet", "exec"):
                container[name].pop(each, None)
        container[name].update(action)

    return change


def asks(name: str, path: str, port: object = "http") -> Callable[[Any, Any], object]:
    return probe(name, httpGet={"path": path, "port": port})


def runs(name: str, *command: str) -> Callable[[Any, Any], object]:
    return probe(name, exec={"command": [*command]})


def prestop(**hook: Any) -> Callable[[Any, Any], object]:
    return lambda pod, container: container.update(lifecycle={"preStop": hook})


def listening(address: str) -> Callable[[], Any]:
    return lambda: around(listener=Listener(address))


def at_startup() -> Any:
    return around(Check("migrations", ping, probes=(Probe.STARTUP,)))


@dataclass(frozen=True)
class Case:
    """A change of the healthy manifest, and what the doctor finds after it; no rule for nothing."""

    name: str
    change: Callable[[Any, Any], object]
    rule: str = ""
    says: str = ""
    app: Callable[[], Any] = field(default=around)

    def __str__(self) -> str:
        return f"{self.rule or 'healthy'}: {self.name}"


CASES = [
    Case("as it is", lambda pod, container: None),
    Case("a Health alone", lambda pod, container: None, app=lambda: Health({"orders": ping})),
    Case("paths that end in z", asks("livenessProbe", "/livez"), app=lambda: around(paths=Paths(live="/livez"))),
    Case("a path of the app", asks("livenessProbe", "/own/"), app=lambda: around(app=starlette(Route("/own", page)))),
    Case("a sidecar", lambda pod, container: pod["containers"].insert(0, SIDECAR)),
    Case("a command of its own", runs("readinessProbe", "cat", "/tmp/ready")),
    Case("gRPC", probe("readinessProbe", grpc={"port": 50051})),
    Case("a listener", asks("livenessProbe", "/livez", 9000), app=listening("0.0.0.0:9000")),
    Case(
        "a command at the loopback listener",
        runs("readinessProbe", "sh", "-c", "exec python -m asgi_health probe --timeout 1 http://127.0.0.1:9000/readyz"),
        app=listening("127.0.0.1:9000"),
    ),
    Case(
        "the socket of the listener",
        runs("readinessProbe", "asgi-health", "probe", "unix:/run/health.sock:/readyz", "--timeout", "1"),
        app=listening("/run/health.sock"),
    ),
    Case(
        "all checks for readiness at /health",
        asks("readinessProbe", "/health"),
        app=lambda: around(Check("orders", ping)),
    ),
    Case(
        "a hook that drains",
        prestop(httpGet={"path": "/drain", "port": "http"}),
        app=lambda: around(drain=Drain(delay=10.0, path="/drain", allow=bearer_token("secret"))),
    ),
    Case("no startup probe", lambda pod, container: container.pop("startupProbe"), app=at_startup),
    Case("startup at liveness, and no check of startup", asks("startupProbe", "/livez")),
    Case("time for its checks", lambda pod, container: None, app=at_startup),
    # the rules of the app, with the times of the manifest
    Case(
        "the default timeout of Kubernetes",
        lambda pod, container: container["readinessProbe"].pop("timeoutSeconds"),
        "check-timeout",
        "1 s (readinessProbe of Deployment/shop)",
        lambda: around(Check("orders", ping)),
    ),
    Case(
        "the default threshold of Kubernetes",
        lambda pod, container: container["readinessProbe"].pop("failureThreshold"),
        "drain-too-short",
        "period 5 s x failure threshold 3",
        lambda: around(drain=Drain(delay=14.0)),
    ),
    Case(
        "the default grace",
        lambda pod, container: pod.pop("terminationGracePeriodSeconds"),
        "drain-grace",
        "the 30 s from SIGTERM to SIGKILL (terminationGracePeriodSeconds of Deployment/shop, container app)",
        lambda: around(drain=Drain(delay=30.0)),
    ),
    *(
        Case(
            "a hook that sleeps",
            prestop(**hook),
            "drain-grace",
            "10 s after 50 s of the preStop hook",
            lambda: around(drain=Drain(delay=10.0)),
        )
        for hook in ({"sleep": {"seconds": 50}}, {"exec": {"command": ["/bin/sh", "-c", "sleep 50; true"]}})
    ),
    Case(
        "replicas",
        lambda pod, container: container.update(args=["--workers", "4"]),
        "workers-without-board",
        "4 workers (--workers 4 in Deployment/shop)",
    ),
    Case(
        "variables of the container",
        lambda pod, container: container.update(env=[{"name": "WEB_CONCURRENCY", "value": "4"}]),
        "workers-without-board",
        "WEB_CONCURRENCY=4",
    ),
    # the rules of the manifest
    Case("a typo", asks("livenessProbe", "/health/liv"), "kubernetes-path", "which the app does not answer"),
    Case("no path", probe("livenessProbe", httpGet={"port": "http"}), "kubernetes-path", "asks /,"),
    Case(
        "the drain",
        asks("livenessProbe", "/drain"),
        "kubernetes-path",
        "which drains the app",
        lambda: around(drain=Drain(path="/drain", allow=bearer_token("secret"))),
    ),
    Case(
        "the maintenances",
        asks("readinessProbe", "/maintenance"),
        "kubernetes-path",
        "which is no probe",
        lambda: around(paths=Paths(maintenance="/maintenance"), allow_maintenance=bearer_token("secret")),
    ),
    *(
        Case(f"{name} at {path}", asks(name, path), "kubernetes-probe", says)
        for name, path, says in (
            ("livenessProbe", "/readyz", "the path of readiness: a dependency that is down restarts"),
            ("livenessProbe", "/health", "the path of health: any check"),
            ("livenessProbe", "/startupz", "the path of startup"),
            ("readinessProbe", "/livez", "never taken out of the rotation"),
            ("startupProbe", "/readyz", "down at the start restarts the container"),
        )
    ),
    Case("startup at liveness", asks("startupProbe", "/livez"), "kubernetes-probe", "whatever the checks", at_startup),
    Case(
        "readiness at /health",
        asks("readinessProbe", "/health"),
        "kubernetes-probe",
        "count for other probes",
        lambda: around(Check("loop", ping, probes=(Probe.LIVENESS,))),
    ),
    Case("no such name", asks("livenessProbe", "/livez", "web"), "kubernetes-port", "asks port 'web'"),
    Case("no such number", asks("livenessProbe", "/livez", 8080), "kubernetes-port", "asks port 8080, which neither"),
    Case(
        "loopback",
        asks("livenessProbe", "/livez", 9000),
        "kubernetes-port",
        "bound to 127.0.0.1 alone",
        listening("127.0.0.1:9000"),
    ),
    Case(
        "HTTPS at the listener",
        probe("livenessProbe", httpGet={"path": "/livez", "port": 9000, "scheme": "HTTPS"}),
        "kubernetes-port",
        "by HTTPS",
        listening("0.0.0.0:9000"),
    ),
    Case("as long as its command", probe("startupProbe", timeoutSeconds=2), "kubernetes-exec", "waits for 2 s"),
    Case(
        "another socket",
        runs("readinessProbe", "asgi-health", "probe", "unix:/run/app.sock:/readyz", "--timeout=1"),
        "kubernetes-socket",
        "and the listener has /run/health.sock",
        listening("/run/health.sock"),
    ),
    Case(
        "less than its checks need",
        probe("startupProbe", failureThreshold=4),
        "kubernetes-startup",
        "gives the app 4 s, and check 'migrations' needs 5 s",
        at_startup,
    ),
    Case(
        "a hook without a drain",
        prestop(httpGet={"path": "/drain", "port": "http"}),
        "kubernetes-prestop",
        "asks /drain, which drains nothing",
    ),
    Case(
        "a bare connection", probe("livenessProbe", tcpSocket={"port": "http"}), "kubernetes-tcp", "opens a connection"
    ),
]
