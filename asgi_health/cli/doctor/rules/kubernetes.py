"""The probes of a manifest of Kubernetes against the app."""

import re
from collections.abc import Iterator
from urllib.parse import quote

from ....asgi.router import Route
from ....core.status import Probe
from ..facts import AppFacts, Layer
from ..finding import Finding, rule
from ..manifest import Container, ContainerProbe

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_MIXED = {
    (Probe.LIVENESS, Probe.READINESS): "a dependency that is down restarts the container",
    (Probe.LIVENESS, Probe.STARTUP): "it stays healthy once the app has started, whatever happens",
    (Probe.LIVENESS, Probe.HEALTH): "any check that fails, critical for readiness alone, restarts the container",
    (Probe.READINESS, Probe.LIVENESS): "the container is never taken out of the rotation, not even in a drain",
    (Probe.READINESS, Probe.STARTUP): "the container is never taken out of the rotation, not even in a drain",
    (Probe.READINESS, Probe.HEALTH): "checks that count for other probes alone take it out of the rotation too",
    (
        Probe.STARTUP,
        Probe.LIVENESS,
    ): "it passes whatever the checks of startup say",
    (Probe.STARTUP, Probe.READINESS): "a dependency that is down at the start restarts the container",
    (Probe.STARTUP, Probe.HEALTH): "a dependency that is down at the start restarts the container",
}
"""What happens where a probe (first) asks the path of another one (second)."""


def _asked(facts: AppFacts) -> Iterator[tuple[Container, ContainerProbe, Route | None]]:
    """Yield each probe that asks a path of the app, and what that path is."""
    container = facts.settings.container
    for each in () if container is None else container.probes:
        if each.path and container is not None and any(layer.find for layer in facts.layers):
            found = (layer.find(each.path) for layer in facts.layers if layer.find)
            yield container, each, next((route for route in found if route is not None), None)


def _is_probe(route: Route) -> bool:
    return not (route.drain or route.metrics or route.events or route.maintenance)


def _suggested(facts: AppFacts, probe: Probe) -> str:
    paths = [path for layer in facts.layers for path in layer.paths.of(probe)]
    return f"path: {quote(paths[0])}" if paths else f"Paths({_OPTIONS[probe]}=...) of the app"


_OPTIONS = {Probe.LIVENESS: "live", Probe.READINESS: "ready", Probe.STARTUP: "startup", Probe.HEALTH: "health"}


@rule("kubernetes-path", "error", "The app answers 404, which is a failure: the probe never passes.")
def kubernetes_path(facts: AppFacts) -> Iterator[Finding]:
    for _, each, route in _asked(facts):
        if route is None and not facts.routes & {each.path, each.path.rstrip("/"), f"{each.path}/"}:
            yield Finding(f"{each.name} asks {each.path}, which the app does not answer", _suggested(facts, each.probe))
        elif route is not None and not _is_probe(route):
            other = "drains the app" if route.drain else "is no probe"
            yield Finding(f"{each.name} asks {each.path}, which {other}", _suggested(facts, each.probe))


@rule(
    "kubernetes-probe",
    "error",
    "Each probe has an effect of its own, and its path answers the question behind that effect.",
)
def kubernetes_probe(facts: AppFacts) -> Iterator[Finding]:
    for _, each, route in _asked(facts):
        if route is None or not _is_probe(route) or route.probe is each.probe:
            continue
        if not _is_same(facts, each.probe, route.probe):
            effect = _MIXED[each.probe, route.probe]
            yield Finding(
                f"{each.name} asks {each.path}, the path of {route.probe.value}: {effect}",
                _suggested(facts, each.probe),
            )


def _is_same(facts: AppFacts, probe: Probe, asked: Probe) -> bool:
    """Return whether the checks of the app make no difference between `probe` and the one that is asked."""
    if (probe, asked) == (Probe.STARTUP, Probe.LIVENESS):
        return not any(Probe.STARTUP in check.probes for check in facts.checks)
    return (probe, asked) == (Probe.READINESS, Probe.HEALTH) and all(probe in each.probes for each in facts.checks)


@rule("kubernetes-port", "error", "The kubelet asks the address of the pod. No process answers there.")
def kubernetes_port(facts: AppFacts) -> Iterator[Finding]:
    tcp = {each.port: each for each in facts.listeners if each.path is None}
    for container, each, _ in _asked(facts):
        if each.port_name:
            declared = ", ".join(filter(None, container.ports.values())) or "none"
            yield Finding(
                f"{each.name} asks port {each.port_name!r}, and the ports of the container are: {declared}",
                "the name of a port of the container, or its number",
            )
        elif each.port in tcp:
            if each.action == "http" and tcp[each.port].host in LOOPBACK:
                yield Finding(
                    f"{each.name} asks port {each.port}, where the listener is bound to {tcp[each.port].host} alone",
                    f'Listener("0.0.0.0:{each.port}")',
                )
            if each.tls:
                yield Finding(
                    f"{each.name} asks port {each.port} by HTTPS, and the listener speaks plain HTTP", "scheme: HTTP"
                )
        elif (
            each.action == "http"
            and container.ports
            and each.port not in container.ports
            and not _names(container, each.port)
        ):
            yield Finding(
                f"{each.name} asks port {each.port}, which neither the container declares nor a listener has",
                f"port: {next(iter(container.ports))}, or a containerPort {each.port}",
            )


def _names(container: Container, port: int | None) -> bool:
    """Return whether the command or the environment names the port: a container need not declare each of its ports."""
    words = (*container.command, *container.environment.values())
    return any(str(port) in re.findall(r"[0-9]+", word) for word in words)


@rule("kubernetes-exec", "error", "Kubernetes ends the command before it has an answer, and the reason is lost.")
def kubernetes_exec(facts: AppFacts) -> Iterator[Finding]:
    for _, each, _ in _asked(facts):
        if each.action == "exec" and each.command_timeout >= each.prober.timeout:
            yield Finding(
                f"{each.name}: asgi-health probe waits for {each.command_timeout:g} s, and timeoutSeconds is"
                f" {each.prober.timeout:g}",
                f"timeoutSeconds: {int(each.command_timeout) + 2}, which leaves time for the start of Python",
            )


@rule("kubernetes-socket", "error", "The probe finds no process at this socket.")
def kubernetes_socket(facts: AppFacts) -> Iterator[Finding]:
    sockets = [each.path for each in facts.listeners if each.path]
    for _, each, _ in _asked(facts):
        if each.socket and sockets and each.socket not in sockets:
            yield Finding(
                f"{each.name} asks the socket {each.socket}, and the listener has {', '.join(sockets)}",
                f"unix:{sockets[0]}:{quote(each.path)}",
            )


@rule(
    "kubernetes-startup",
    "error",
    "Kubernetes restarts the container before the checks of startup can pass, again and again.",
)
def kubernetes_startup(facts: AppFacts) -> Iterator[Finding]:
    container = facts.settings.container
    needs = {each.name: 2 * each.timeout + each.retry_interval for each in facts.checks if Probe.STARTUP in each.probes}
    if container is None or not needs:
        return
    probe = container.of(Probe.STARTUP)
    slowest = max(needs, key=lambda name: needs[name])
    if probe is not None and probe.budget < needs[slowest]:
        yield Finding(
            f"{probe.name} gives the app {probe.budget:g} s, and check {slowest!r} needs {needs[slowest]:g} s for one"
            " run that times out and one more",
            f"failureThreshold: {int((needs[slowest] - probe.initial_delay) / probe.prober.period) + 1} or more",
        )


@rule(
    "kubernetes-prestop",
    "error",
    "The hook fails, Kubernetes sends SIGTERM at once, and the app does not drain before.",
)
def kubernetes_prestop(facts: AppFacts) -> Iterator[Finding]:
    container = facts.settings.container
    path = "" if container is None else container.prestop_path
    if container is None or not path or path in facts.routes or not any(layer.find for layer in facts.layers):
        return
    if not any(_drains(layer, path) for layer in facts.layers):
        paths = [layer.drain.path for layer in facts.layers if layer.drain is not None and layer.drain.path]
        yield Finding(
            f"preStop of {container.name} asks {path}, which drains nothing",
            f"path: {quote(paths[0])}" if paths else f'Drain(path="{path}", allow=...)',
        )


def _drains(layer: Layer, path: str) -> bool:
    route = layer.find(path) if layer.find is not None else None
    return route is not None and route.drain


@rule(
    "kubernetes-tcp",
    "warning",
    "The kernel accepts connections of a process whose event loop is blocked, and before the app has started.",
)
def kubernetes_tcp(facts: AppFacts) -> Iterator[Finding]:
    container = facts.settings.container
    for each in () if container is None else container.probes:
        if each.action == "tcp":
            yield Finding(
                f"{each.name} opens a connection, and asks nothing", f"httpGet with {_suggested(facts, each.probe)}"
            )


RULES = (
    kubernetes_path,
    kubernetes_probe,
    kubernetes_port,
    kubernetes_exec,
    kubernetes_socket,
    kubernetes_startup,
    kubernetes_prestop,
    kubernetes_tcp,
)
