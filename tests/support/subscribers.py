"""What the tests of subscribers share: callbacks of both kinds, short texts for transitions, and a check to turn."""

from collections.abc import Callable
from typing import Any

import anyio

from asgi_health import (
    Check,
    CheckTransition,
    Health,
    HealthMiddleware,
    Probe,
    Status,
    Transition,
)
from tests.apps import plain_app

from .app_thread import LOOPS

H, U = Status.HEALTHY, Status.UNHEALTHY


def run(loop: str, main: Callable[[], Any]) -> None:
    backend, options = LOOPS[loop]
    anyio.run(main, backend=backend, backend_options=options)


def callback_of(kind: str, function: Callable[[Transition], object]) -> Callable[[Transition], object]:
    """Return `function` itself, or an async function that calls it."""
    if kind == "plain":
        return function

    async def call(transition: Transition) -> None:
        function(transition)

    return call


def words(transitions: list[Transition]) -> list[str]:
    """Return one short text for each transition of a check or of readiness."""
    return [
        f"{each.name} {_word(each.old)}-{_word(each.new)}"
        if isinstance(each, CheckTransition)
        else f"ready {_word(each.old)}-{_word(each.new)} {each.cause} {','.join(each.checks)}".rstrip()
        for each in transitions
        if isinstance(each, CheckTransition) or each.probe is Probe.READINESS
    ]


def _word(status: Status | None) -> str:
    return "none" if status is None else status.name.lower()


def app_with(health: Health, **options: Any) -> HealthMiddleware:
    return HealthMiddleware(plain_app, health, **options)


class Switch:
    """A check that fails while it is off."""

    def __init__(self) -> None:
        self.on = True

    async def __call__(self) -> bool:
        return self.on


def switch_check(switch: Switch) -> Check:
    return Check("a", switch, interval=0.05, retry_interval=0.01, timeout=0.04, failure_threshold=1)
