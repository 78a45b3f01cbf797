"""The small page for readers that the policy does not admit: the status and the phase, and nothing else."""

from functools import cache

from ...core.status import Status
from ...core.transition import Reason
from ..answer import CODES, PHASE_NOTES, Answer, answer
from .assets import assets
from .document import HTML, document
from .tones import TONES, favicon, icon

_TITLES = {Status.HEALTHY: "Healthy", Status.DEGRADED: "Degraded", Status.UNHEALTHY: "Unhealthy"}
_PHASES = {"starting": "Starting", "draining": "Draining"}


def public_page(status: Status, reason: Reason | None = None, *, sign_in: bool = False) -> Answer:
    """Return the page that shows a status and, where the phase is the reason, the phase.

    It has a form for the token of a reader of details. The script keeps the token in memory alone.

    Args:
        status: The status of the probe.
        reason: Why the probe has this status.
        sign_in: Whether ``?signin`` makes a browser ask for credentials: the page then has a link to it.
    """
    return _page(status, reason if status is Status.UNHEALTHY and reason in PHASE_NOTES else None, sign_in)


@cache
def _page(status: Status, phase: str | None, sign_in: bool) -> Answer:
    tone = "warn" if phase is not None else TONES[status]
    title = _TITLES[status] if phase is None else _PHASES[phase]
    word = TONES[status] if phase is None else f"{TONES[status]}: {phase}"
    link = '<p><a href="?signin">Sign in with a password</a></p>' if sign_in else ""
    body = (
        f'<main id="main" class="public" data-page="public"><h1 class="verdict {tone}">{icon(tone)}'
        f"<span><strong>{title}</strong></span></h1>"
        f'<p class="soft">The service answers <code>{word}</code>.</p>'
        '<form id="sign-in" hidden><label for="token">Token for details</label>'
        '<div class="line"><input id="token" type="password" autocomplete="off" spellcheck="false" required>'
        '<button type="submit">Show details</button></div>'
        '<p class="soft">The token stays in the memory of this page. It is gone when you close or reload it.</p>'
        f'<p id="sign-in-error" class="error" role="alert"></p></form>{link}</main>'
    )
    return answer(CODES[status], HTML, document(title, favicon(tone), body), *assets().headers)
