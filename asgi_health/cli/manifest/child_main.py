"""The main program of the child process: import the app, and report what a configuration has to know of it.

Its own message is ``rows``, one row of facts; `child_frame` sends the others.
"""

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from asgi_health import Check, Drain, Health, HealthMiddleware, Listener, Probe
from asgi_health.integrations.systemd import Systemd

from ..check.check_error import CheckError
from ..check.child_frame import run_in_frame
from ..check.find_health import find_middlewares, require_app, suggest_health
from ..check.load_app import load_app
from ..check.message_writer import MessageWriter
from .facts import AppFacts, CheckFacts, DrainFacts, ListenerFacts


def start(arguments: str) -> None:
    """Run in the child process that has just been started; `arguments` is JSON from the parent."""
    run_in_frame(arguments, main)


def main(messages: MessageWriter, options: dict[str, Any]) -> None:
    """Report the facts of the app."""
    module, attribute = options["module"], options["attribute"]
    name = f"{module}:{attribute}"
    messages.begin(f"importing {module}")
    app = load_app(module, attribute)
    if isinstance(app, Health):
        raise CheckError(f"{name} is a Health, which has no paths; name the app with its HealthMiddleware")
    require_app(app, name)
    middlewares = find_middlewares(app, name)
    if not middlewares:
        raise CheckError(f"{name} has no HealthMiddleware, neither around it nor inside it{suggest_health(app)}")
    messages.write(rows=[asdict(facts_of(middlewares[0], name))])
    messages.write(done=True)


def facts_of(middleware: HealthMiddleware, target: str) -> AppFacts:
    """Return the facts of the app inside of `middleware`."""
    paths = middleware.paths
    return AppFacts(
        target=target,
        live=_first(paths.of(Probe.LIVENESS)),
        ready=_first(paths.of(Probe.READINESS) or paths.of(Probe.HEALTH)),
        startup=_first(paths.of(Probe.STARTUP)),
        checks=tuple(map(_check, middleware.health.checks)),
        listener=_listener(middleware.listener),
        drain=None if middleware.drain is None else _drain(middleware.drain),
        notifies_systemd=any(isinstance(each, Systemd) for each in middleware.integrations),
        board=None if middleware.board is None else middleware.board.path,
    )


def _first(paths: Sequence[str]) -> str | None:
    """Return the first path that does not end in z, which Cloud Run reserves, or else the first; as a URL has it."""
    path = next((path for path in paths if not path.endswith("z")), paths[0] if paths else None)
    return None if path is None else quote(path)


def _check(check: Check) -> CheckFacts:
    return CheckFacts(
        check.name,
        tuple(probe.value for probe in check.probes),
        check.interval,
        check.retry_interval,
        check.timeout,
        check.failure_threshold,
        check.success_threshold,
    )


def _listener(listener: Listener | None) -> ListenerFacts | None:
    if listener is None or (listener.path is None and not listener.port):
        return None  # where it listens is not known before
    if listener.path is not None:
        return ListenerFacts("", 0, listener.path, listener.stall_live)
    return ListenerFacts(listener.host, listener.port, None, listener.stall_live)


def _drain(drain: Drain) -> DrainFacts:
    file = None if drain.file is None else os.fspath(drain.file)
    return DrainFacts(drain.delay, file, None if drain.path is None else quote(drain.path), drain.envoy)
