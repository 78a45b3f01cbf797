"""The details as a page for browsers, and the small page for readers without leave."""

from html import escape

from ...core.report import Report
from ...core.status import Status
from ...core.transition import Reason
from ..answer import CODES, PHASE_NOTES, WORDS, Answer, answer
from ..service import ServiceInfo

HTML = b"text/html; charset=utf-8"


def page(report: Report, service: ServiceInfo | None, *, wall: float) -> Answer:
    """Return the page about `report`, which has its history.

    Args:
        report: The report.
        service: What the page says about the app itself; None for nothing.
        wall: The moment of the report (seconds since the epoch). It dates what happened and decides nothing.
    """
    checks = "".join(f"<li>{escape(each.name)}: {WORDS[each.status]}" for each in report.checks)
    return answer(CODES[report.status], HTML, f"<!doctype html><title>health</title><ul>{checks}</ul>".encode())


def public_page(status: Status, reason: Reason | None = None, *, sign_in: bool = False) -> Answer:
    """Return the page for readers without leave: the status and, where it is the reason, the phase.

    Args:
        status: The status of the probe.
        reason: Why the probe has this status.
        sign_in: Whether ``?signin`` makes a browser ask for credentials: the page then has a link to it.
    """
    phase = f" ({reason})" if status is Status.UNHEALTHY and reason in PHASE_NOTES else ""
    link = '<p><a href="?signin">Sign in</a>' if sign_in else ""
    text = f"<!doctype html><title>health</title><p>{WORDS[status]}{phase}{link}"
    return answer(CODES[status], HTML, text.encode())
