"""The listener before the app: for modules whose imports take long."""

from ..core.health import Health
from ..core.listener import Listener
from ..core.require import require_type
from ..formats.answer import NOT_FOUND, Answer
from ..runtime.last_resort import install_last_resort
from ..runtime.listening import require_h11
from .desk import Asked, Desk
from .paths import Paths
from .types import Scope


def listen_early(listener: Listener, *, paths: Paths = Paths()) -> Listener:  # noqa: B008  frozen, as in HealthMiddleware
    """Answer at `listener` from here on as an app that is starting: live is 200, ready and startup are 503.

    Called before the imports that take long; the app with that listener takes over when it starts. `paths` are those of
    the app. Where the process forks first, as under ``gunicorn --preload``, the first worker that starts makes the
    other process close its listener. Returns `listener`.

    To be called in the process of the app: in another one, which only starts it, no app would ever take over.

    Raises TypeError for what is no listener, CannotListen for an address that cannot be had, ModuleNotFoundError
    without the package that a listener needs.
    """
    require_type("listen_early: listener", listener, Listener)
    require_type("paths", paths, Paths)
    require_h11()
    install_last_resort()
    from ..runtime.early import listen_now

    health = Health()
    health.begin()
    desk = Desk(health, paths, details=False, service=None, drain=None)

    async def respond(scope: Scope) -> Answer:
        asked = desk.find(scope)
        return NOT_FOUND if asked is None else await desk.respond(scope, asked, _nothing)

    listen_now(listener, respond)
    return listener


async def _nothing(asked: Asked) -> None:
    """What is asked needs no preparation: nothing runs yet."""
