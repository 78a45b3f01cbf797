"""The comments that several platforms share."""

from collections.abc import Iterable
from textwrap import wrap

from .facts import AppFacts
from .options import Options

WIDTH = 100
"""Columns of a line of comment."""

READINESS_AT_APP = (
    "Asked at the app's own port, also where the app has a Listener: the answer takes the way that requests take. A"
    " Listener may be ready before the server has opened its port, and goes on when the port takes no more connections."
)
LIVENESS_AT_LISTENER = (
    "Asked at the Listener, which answers while the event loop is blocked and says for how long, so that a loop that is"
    " only busy is not restarted."
)
LIVENESS_AT_APP = (
    "Asked at the app's own port, where a loop that is busy gives no answer in time. A Listener would tell a blocked"
    " loop from a busy one."
)
STARTUP_AT_LISTENER = (
    "Asked at the Listener, which answers before the app's startup: until it passes, nothing else is asked."
)
STARTUP_AT_APP = "Asked at the app's own port. Until it passes, nothing else is asked."


CONNECT = "An instance in the same network accepts at once, or not at all."
NO_CHECKS = (
    "The app has no path of readiness or of all checks (Paths(ready=None, health=None)): no instance is ever taken out."
)


def head(platform: str, app: AppFacts, options: Options, remarks: Iterable[str] = ()) -> str:
    """Return the comment at the top of a configuration.

    Args:
        platform: The platform.
        app: The app.
        options: What the user has said.
        remarks: Paragraphs of that platform.
    """
    found = [
        f"From: asgi-health manifest {platform} {app.target} --server {options.server.name}. Print it again when the"
        " checks, the Listener or the Drain of the app change.",
        *remarks,
    ]
    if app.drain is not None and app.delay and not options.server.finishes_requests:
        found.append(
            f"{options.server.name} drops the requests in flight when it stops: the {app.delay:g} s of the Drain have"
            f" to be longer than the longest request ({options.longest_request:g} s)."
        )
    return "#\n".join(map(comment, found))


def wrapped(text: str, indent: int = 0) -> list[str]:
    """Return `text` as lines that fit next to a margin of `indent` columns and a ``#``."""
    return wrap(text, WIDTH - indent - 2, break_on_hyphens=False, break_long_words=False)


def comment(text: str, indent: int = 0) -> str:
    """Return `text` as lines that begin with ``#``, behind a margin of `indent` spaces."""
    return "".join(f"{' ' * indent}# {line}\n" for line in wrapped(text, indent))
