"""Start the listener before the app: for apps whose imports take long."""

from dataclasses import replace
from time import monotonic

from ..core.engine import Engine
from ..core.validate import require_type
from ..formats.answer import Answer
from ..listener.config import Listener
from ..listener.interface import StreamedAnswer, require_h11
from ..runtime.last_resort import install_last_resort
from .paths import Paths
from .router import HealthRouter, no_stall
from .types import Scope


def listen_early(listener: Listener, *, paths: Paths = Paths()) -> Listener:  # noqa: B008  frozen, as in HealthMiddleware
    """Answer at `listener` from now on as an app that is starting: live is 200, ready and startup are 503.

    Call it before the imports that take long; the app with that listener takes over when it starts. Where the process
    forks first, as under ``gunicorn --preload``, the first worker that starts makes the parent process close its
    listener. Returns `listener`.

    Call it in the process of the app: in a process that only starts it, no app would ever take over.

    Args:
        listener: The listener of the app.
        paths: The paths of the app. Those of the metrics are 404 until the app takes over.

    Raises:
        TypeError: for an argument that is not a listener or not paths.
        CannotListen: for an address that cannot be bound.
        ModuleNotFoundError: when h11 is not installed.
    """
    require_type("listen_early: listener", listener, Listener)
    require_h11()
    install_last_resort()
    from ..listener.early import listen_now

    engine = Engine(monotonic, _no_jitter)
    engine.start(None, monotonic())
    router = HealthRouter(engine, replace(paths, metrics=None))  # the policy of their readers is not known yet

    async def respond(scope: Scope) -> Answer | StreamedAnswer:
        return await router.answer_listener(scope, stall_of=no_stall, drain=_nothing)

    listen_now(listener, respond)
    return listener


def _no_jitter() -> float:
    return 0.5


async def _nothing() -> None:
    pass
