"""A Deployment and a Service of Kubernetes."""

from shlex import quote
from typing import Any

from ...formats.redact.clean import one_line
from .facts import AppFacts, ListenerFacts
from .numbers import (
    BY_COMMAND,
    ENDPOINTS,
    PREPARED,
    PROBE_TIMEOUT,
    Noted,
    ProbeNumbers,
    answer_timeout,
    grace,
    hook_seconds,
    liveness_probe,
    readiness_probe,
    startup_probe,
)
from .options import ALL_ADDRESSES, Options
from .remarks import (
    LIVENESS_AT_APP,
    LIVENESS_AT_LISTENER,
    READINESS_AT_APP,
    STARTUP_AT_APP,
    STARTUP_AT_LISTENER,
    head,
)
from .servers import command
from .yaml_text import dump

LONGEST_PERIOD = 5.0
DEFAULT_PROGRESS_DEADLINE = 600
APP, LISTENER = "http", "health"
WITHOUT_DRAIN = (
    "A stop does not depend on it: Kubernetes itself takes a pod that stops out of its endpoints (see preStop)."
)
TO_SET = "Set image and replicas."
WITHOUT_BOARD = f"{TO_SET} Run one worker in each container, so that each probe is about one process."


def render(app: AppFacts, options: Options) -> str:
    """Return the manifest."""
    remark = WITHOUT_BOARD if app.board is None else _with_board(app.board)
    return dump(head("kubernetes", app, options, [remark]), _deployment(app, options), _service(app))


def _with_board(path: str) -> str:
    return (
        f"{TO_SET} The workers of a container answer for each other by the board {one_line(path)}. Where its file"
        " system is read-only, mount an emptyDir with medium: Memory above the directory of the board, which the app"
        " makes."
    )


def _deployment(app: AppFacts, options: Options) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": app.name}
    started = startup_probe(app.checks, options.start)
    spec: dict[str, Any] = {
        "replicas": 2,
        "selector": {"matchLabels": labels},
        "strategy": {
            "rollingUpdate": Noted(
                {"maxUnavailable": 0, "maxSurge": 1}, "A new pod is ready before an old one is stopped."
            )
        },
    }
    seconds = started.failures.value
    if seconds >= DEFAULT_PROGRESS_DEADLINE:
        spec["progressDeadlineSeconds"] = Noted(
            seconds + 60, f"Longer than the {seconds} s that a pod may need to start, or the rollout counts as failed."
        )
    spec["template"] = {"metadata": {"labels": labels}, "spec": _pod(app, options)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app.name, "labels": labels},
        "spec": spec,
    }


def _service(app: AppFacts) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": app.name},
        "spec": {
            "selector": {"app.kubernetes.io/name": app.name},
            "ports": [{"name": APP, "port": 80, "targetPort": APP}],
        },
    }


def _pod(app: AppFacts, options: Options) -> dict[str, Any]:
    hook = _hook(app, options)
    server = options.server
    words = command(
        server,
        app.target,
        options.bind(ALL_ADDRESSES),
        options.port,
        delay=app.delay,
        longest_request=options.longest_request,
    )
    ports: list[dict[str, Any]] = [{"name": APP, "containerPort": options.port}]
    if app.listener is not None and not app.listener.is_local:
        ports.append({"name": LISTENER, "containerPort": app.listener.port})
    container: dict[str, Any] = {
        "name": app.name,
        "image": f"{app.name}:1",
        "command": Noted(words, "A kubelet asks the address of the pod, so 127.0.0.1 would be closed to it."),
        "ports": ports,
        **_probes(app, options),
    }
    if hook is not None:
        container["lifecycle"] = {"preStop": hook}
    return {
        "terminationGracePeriodSeconds": grace(
            app, server, options.longest_request, hook=0 if hook is None else hook_seconds(app)
        ),
        "containers": [container],
    }


def _probes(app: AppFacts, options: Options) -> dict[str, Any]:
    listener = app.listener
    # Without lifespan the listener opens with the first request, which the startup probe may be.
    listener_at_start = listener if options.server.has_lifespan else None
    found: dict[str, Any] = {}
    if app.startup is not None:
        numbers = startup_probe(app.checks, options.start, _listener_timeout(listener_at_start))
        why = STARTUP_AT_APP if listener_at_start is None else STARTUP_AT_LISTENER
        found["startupProbe"] = Noted(_action(listener_at_start, app.startup) | _numbers(numbers), why)
    if app.live is not None:
        timeout = answer_timeout(app.checks, "liveness") if listener is None else _listener_timeout(listener)
        numbers = liveness_probe(app, timeout)
        why = LIVENESS_AT_APP if listener is None else LIVENESS_AT_LISTENER
        found["livenessProbe"] = Noted(_action(listener, app.live) | _numbers(numbers), why)
    if app.ready is not None:
        numbers = readiness_probe(
            app.drain,
            longest=LONGEST_PERIOD,
            unit=1,
            spread=ENDPOINTS,
            without=WITHOUT_DRAIN,
            timeout=answer_timeout(app.checks, "readiness"),
        )
        found["readinessProbe"] = Noted(_action(None, app.ready) | _numbers(numbers), READINESS_AT_APP)
    return found


def _numbers(numbers: ProbeNumbers) -> dict[str, Any]:
    return {
        "periodSeconds": numbers.period,
        "timeoutSeconds": numbers.timeout,
        "failureThreshold": numbers.failures,
    }


def _action(listener: ListenerFacts | None, path: str) -> dict[str, Any]:
    """Return the action of a probe that asks the listener, or the app's own port where that is None."""
    if listener is None or not listener.is_local:
        return {"httpGet": {"path": path, "port": APP if listener is None else LISTENER}}
    # A kubelet reaches no unix socket and no loopback address of the pod.
    return {"exec": {"command": ["asgi-health", "probe", "--timeout", str(PROBE_TIMEOUT), listener.url(path)]}}


def _listener_timeout(listener: ListenerFacts | None) -> Noted[int]:
    return BY_COMMAND if listener is not None and listener.is_local else PREPARED


def _hook(app: AppFacts, options: Options) -> dict[str, Any] | None:
    """Return the preStop hook; None where the signal itself starts the drain."""
    server, drain = options.server, app.drain
    if server.drains_by_signal and app.delay:
        return None
    seconds = hook_seconds(app)
    sleep = {"seconds": seconds}
    endpoints = f"Kubernetes (1.30 or newer) takes the pod out of its endpoints meanwhile ({ENDPOINTS:g} s)"
    if server.drains_by_signal:
        why = f"The app has no Drain that delays SIGTERM. {endpoints}; balancers that ask readiness learn nothing."
        return {"sleep": Noted(sleep, why)}
    workers = f"{server.name} passes no SIGTERM on to its workers (with --workers 0 the signal would drain)"
    if drain is not None and drain.path is not None and drain.delay:
        headers = [{"name": "Authorization", "value": "Bearer a-secret"}]
        why = (
            f"{workers}, so this request drains. It is answered after the {drain.delay:g} s of the Drain. Put the token"
        )
        why += " in that its `allow` admits."
        return {"httpGet": Noted({"path": drain.path, "port": APP, "httpHeaders": headers}, why)}
    if drain is not None and drain.file is not None:
        script = f"touch {quote(drain.file)} && sleep {seconds}"
        return {"exec": Noted({"command": ["/bin/sh", "-c", script]}, f"{workers}, so the file of the Drain drains.")}
    return {"sleep": Noted(sleep, f"{workers}. {endpoints}; Drain(path=...) would turn readiness 503 too.")}
