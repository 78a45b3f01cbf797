"""The whole page about an app, for readers of details."""

from collections.abc import Callable, Iterator
from html import escape

from ...core.report import CheckReport, Report
from ..answer import CODES, Answer, answer
from ..service import ServiceInfo
from .assets import assets
from .charts import RUNS
from .escape import field, link, plain
from .facts import AppFacts, LiveSource, Panel
from .head import changes, counts, head
from .moments import Clock
from .row import check_fragment
from .tones import favicon
from .verdict import verdict
from .view import STATUSES, Selection, View

HTML = b"text/html; charset=utf-8"

CALM = 8
"""Checks up to which a page has no search: a reader sees them all."""


_NO_PANEL = Panel("", "", "")

_AWAY = '<p id="away" class="away" role="alert" hidden>The server does not answer. This is what was last seen.</p>'

_COLUMNS = (
    f'<p class="columns"><span class="sr">Bars: </span><span>last {RUNS} runs</span> <span>last 24 hours</span></p>'
)


def page(
    report: Report, service: ServiceInfo | None, *, wall: float, facts: AppFacts, view: View | None = None
) -> Answer:
    """Return the page about an app.

    Args:
        report: The report of all checks, with its history.
        service: What the page says about the app itself; None for nothing.
        wall: The moment of the report (seconds since the epoch). It dates what happened and decides nothing.
        facts: The probes and the event loop.
        view: Which checks are shown; None for all.
    """
    *_, found = page_in_parts(report, service, wall=wall, facts=facts, view=view)
    assert found is not None
    return found


def page_in_parts(
    report: Report,
    service: ServiceInfo | None,
    *,
    wall: float,
    facts: AppFacts,
    view: View | None = None,
    with_past: Callable[[CheckReport], CheckReport] = lambda check: check,
    live: LiveSource | None = None,
    panel: Panel | None = None,
) -> Iterator[Answer | None]:
    """Yield None after each check that is searched or shown, and the answer of `page` in the end.

    The caller may do other work in between.

    `with_past` adds the history to a check; it is called for those on the page alone. `live` says where the page finds
    what changes after it; None for a page that is loaded again and again. `panel` follows what is said about the app.
    """
    view = view or View()
    clock = Clock(report.now, wall)
    selection = None
    for selection in view.select_in_parts(report.checks):
        if selection is None:
            yield None
    assert selection is not None
    top = head(report, facts, wall=wall)
    middle = _controls(report, view, selection)
    rows: list[str] = []
    for check in selection.shown:
        rows.append(check_fragment(with_past(check), now=report.now, wall=wall))
        yield None
    panel = panel or _NO_PANEL
    main = (
        f'<main id="main" data-page="details"{_live(live)}>{_AWAY}{top}{panel.html}'
        f'<section class="checks" id="checks" aria-labelledby="checks-title">{middle}'
        f"{_COLUMNS if selection.shown else ''}"
        f'<ul class="rows" id="rows" role="list" data-filters="{int(view.filters or selection.pages > 1)}">'
        f"{''.join(rows)}</ul>{_pages(view, selection)}</section>{changes(facts, clock)}</main>"
    )
    found = verdict(report, facts, clock)
    name = "Health" if service is None else service.name
    body = document(
        f"{found.title} – {plain(name)}",
        favicon(found.tone),
        f"{_banner(service)}{main}{_footer(clock)}",
        panel,
    )
    yield answer(CODES[report.status], HTML, body, *assets(panel.style, panel.script).headers)


def _live(live: LiveSource | None) -> str:
    if live is None:
        return ""
    pages = escape(" ".join(live.pages))
    return f' data-events="{escape(live.path)}" data-event-id="{escape(live.event_id)}" data-pages="{pages}"'


def document(title: str, icon: str, body: str, panel: Panel = _NO_PANEL) -> bytes:
    """Return a whole document. Its title and its body are HTML, and the body has the section of `panel` already."""
    style, script, _ = assets(panel.style, panel.script)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
        f'<title>{title}</title><link rel="icon" id="icon" href="{icon}">'
        f"<style>{style}</style></head><body>{body}"
        f"<script>{script}</script></body></html>\n"
    ).encode("utf-8", "replace")


def _banner(service: ServiceInfo | None) -> str:
    name = "Health" if service is None else field(service.name)
    details = ""
    if service is not None:
        versions = [field(each) for each in (service.version, service.release) if each]
        details += f' <span class="soft">{" · ".join(versions)}</span> ' if versions else ""
        details += f'<p class="soft about">{field(service.description, 500)}</p>' if service.description else ""
        details += "".join(f'<p class="soft about">{field(each, 500)}</p>' for each in service.notes)
    links = (
        "" if service is None else "".join(f"<li>{link(url, field(key))}</li>" for key, url in service.links.items())
    )
    return (
        '<a class="skip" href="#checks">Go to the checks</a>'
        f'<header class="banner"><div class="service" id="service"><h1>{name}</h1>{details}</div>'
        + (f'<nav aria-label="Links"><ul role="list">{links}</ul></nav>' if links else "")
        + '<div class="live" id="live" hidden><span class="dot"></span><span id="live-text"></span>'
        '<button type="button" id="pause">Pause</button></div></header>'
        '<p class="sr" id="announcement" role="status"></p>'
    )


def _controls(report: Report, view: View, selection: Selection) -> str:
    title = f'<div class="bar"><h2 id="checks-title">Checks</h2>{counts(report)}</div>'
    if selection.total <= CALM and not view.filters:
        return title
    chosen = next(iter(view.groups)) if len(view.groups) == 1 else ""
    statuses = "".join(_option(each, each, view.status) for each in STATUSES)
    groups = "".join(_option(each, escape(each), chosen) for each in selection.groups)
    group = (
        f'<label>Group <select name="group"><option value="">all</option>{groups}</select></label>' if groups else ""
    )
    clear = '<a href="?format=html#checks">Show all</a>' if view.filters else ""
    shown = f"{selection.found:,} of {selection.total:,}" if view.filters else f"{selection.total:,}"
    return (
        f'{title}<form class="filter" id="filter" role="search" action="" method="get">'
        '<input type="hidden" name="format" value="html">'
        f'<label>Search <input type="search" name="search" maxlength="100" value="{plain(view.search)}"></label>'
        f'<label>Status <select name="status"><option value="">all</option>{statuses}</select></label>{group}'
        f'<button type="submit">Filter</button>{clear}<span class="soft" id="found">{shown} checks</span></form>'
    )


def _option(value: str, shown: str, chosen: str) -> str:
    return f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{shown}</option>'


def _pages(view: View, selection: Selection) -> str:
    if not selection.total:
        return '<p class="soft none">There are no checks.</p>'
    if not selection.found:
        return '<p class="soft none">No check matches.</p>'
    if selection.pages == 1:
        return ""

    def step(page: int, word: str, rel: str) -> str:
        if not 1 <= page <= selection.pages:
            return f'<span class="soft">{word}</span>'
        return f'<a rel="{rel}" href="{escape(view.query(page))}#checks">{word}</a>'

    return (
        f'<nav class="pages" id="pages" aria-label="Pages">{step(selection.page - 1, "Previous", "prev")}'
        f"<span>Page {selection.page} of {selection.pages}</span>{step(selection.page + 1, 'Next', 'next')}</nav>"
    )


def _footer(clock: Clock) -> str:
    return (
        f'<footer><p>As of <span id="as-of">{clock.time(clock.now)}</span>. '
        '<span id="by-hand">Without JavaScript this page does not update itself. </span>'
        '<a href="" id="reload">Reload</a></p>'
        '<p id="formats">As <a href="?format=json&amp;explain">JSON</a> or <a href="?format=text">text</a></p></footer>'
    )
