"""The section that the demo adds to the status page: a button for each fault, and what has happened."""

import time
from collections.abc import Iterable
from html import escape
from pathlib import Path

from asgi_health.formats.page import Panel
from asgi_health.formats.page.moments import Clock
from asgi_health.formats.page.tones import icon

from .changes import Change
from .faults import Fault

_STYLE, _SCRIPT = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("panel.css", "panel.js"))

_INTRODUCTION = (
    '<div class="about soft"><p>asgi-health is the health layer of an ASGI app. This is its status page, with buttons'
    " that break what a small shop depends on. The checks run in the background, and probes get their latest results."
    " In your app:</p><pre><code>from asgi_health import HealthMiddleware\n\n"
    'app = HealthMiddleware(app, checks={"database": ping_database})</code></pre>'
    '<p>Probes read <a href="/readyz">/readyz</a>, authorised readers <a href="/health">/health</a>, programs'
    ' <a href="/health?explain">/health?explain</a>, and Prometheus <a href="/health/metrics">/health/metrics</a>. The'
    " buttons are plain URLs too: <code>/break/database</code> and <code>/repair/database</code>.</p></div>"
)


def panel(faults: Iterable[Fault], changes: Iterable[Change]) -> Panel:
    """Return the section. `changes` are the oldest first; the section shows the newest first."""
    clock = Clock(time.monotonic(), time.time())
    cards = "".join(_card(each) for each in faults)
    lines = "".join(_line(each, clock) for each in reversed([*changes]))
    html = (
        '<section id="panel" class="panel" aria-labelledby="panel-title"><h2 id="panel-title">Break something</h2>'
        f'<ul class="faults" role="list">{cards}</ul>'
        '<p id="shop" class="shop" hidden>The shop itself, no probe:'
        ' <a href="/products">/products</a> <b id="shop-code"></b></p>'
        '<h2 id="log-title">What happened</h2><div class="log" role="log" aria-labelledby="log-title" tabindex="0">'
        f'<ol id="log" class="changes" role="list">{lines}</ol></div>{_INTRODUCTION}</section>'
    )
    return Panel(html, _STYLE, _SCRIPT)


def _card(fault: Fault) -> str:
    broken = fault.broken()
    verb, tone = ("repair", " fail") if broken else ("break", "")
    word = "Block for 5 s" if fault.ends_by_itself else verb.capitalize()
    title = escape(fault.title)
    state = f'<span class="state">{icon("fail")}<b>broken</b></span>' if broken else ""
    return (
        f'<li class="fault{tone}" id="fault-{fault.name}"><h3>{title}</h3>{state}<p>{escape(fault.expect)}</p>'
        f'<form method="post" action="/{verb}/{fault.name}"><button aria-label="{word}: {title}">{word}</button></form>'
        "</li>"
    )


def _line(change: Change, clock: Clock) -> str:
    return (
        f'<li class="{change.tone}" id="change-{change.number}">{clock.time(change.at)} {icon(change.tone)}'
        f"<span>{escape(change.text)}</span></li>"
    )
