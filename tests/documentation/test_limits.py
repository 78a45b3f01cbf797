"""The limits on the pages of the reference are those of the code."""

import pytest

from asgi_health.asgi.events import feed, watcher
from asgi_health.board import slots, turn
from asgi_health.formats.page import charts, document, workers
from asgi_health.formats.page.view import PER_PAGE
from asgi_health.integrations.grpc import server, watchers
from asgi_health.integrations.systemd import notifier, status_line
from asgi_health.listener import config, connection, open_connections

from .blocks import DOCS

KILO = 1024
TEXTS = [
    ("listener", f"{connection.MAX_REQUESTS} on a connection"),
    ("listener", f"has {connection.CLIENT_TIMEOUT:g} seconds to send a request"),
    ("listener", f"Heads of at most {connection.BUFFER_SIZE // KILO} kB and {connection.MAX_HEADER_LINES} lines"),
    ("listener", f"bodies of at most {connection.MAX_BODY // KILO} kB"),
    ("listener", f"Of {open_connections.MAX_CONNECTIONS} connections"),
    ("listener", f"at most {config.MAX_STALL}"),
    ("events", f"16 to {watcher.LIFETIME:g} seconds"),
    ("events", f"{feed.MAX_WATCHERS} others have come after it"),
    ("events", f"its {open_connections.MAX_CONNECTIONS} connections"),
    ("grpc", f"{watchers.MAX_WATCHERS:,} calls of `Watch`"),
    ("grpc", f"within {watchers.PAUSE:g} s for a blocked loop"),
    ("grpc", f"{server.MAX_CALLS:,} that wait to be handled"),
    ("board", f"{turn.WORKERS_PER_SECOND} turns per second together"),
    ("board", f"has one every {turn.MAX_TURN_INTERVAL:g} s"),
    ("systemd", f"{notifier.READY_DELAY:g} s after the startup probe has passed"),
    ("systemd", f"{notifier.EXTENSION:g} s from then on"),
    ("status-page", f"its last {charts.RUNS} runs"),
]
"""Page, and what it says."""

WORDS = [
    (1 / turn.TURN_INTERVAL, "board", "four times per second"),
    (turn.MIN_VALIDITY, "board", "counts for three more seconds"),
    (turn.MIN_LEASE, "board", "a lease of one second"),
    (turn.NEW, "board", "In its first five seconds"),
    (turn.SETTLING_TIME, "board", "For four seconds after that"),
    (slots.GONE_AFTER, "board", "gone after four seconds"),
    (watcher.LIFETIME * (1 - watcher.LIFETIME_SPREAD), "events", "16 to 20 seconds"),
    (watcher.HEARTBEAT_PAUSE, "events", "after fifteen seconds of silence"),
    (1 / feed.POLL_PAUSE, "events", "ten times per second"),
    (feed.BATCH_PAUSE, "events", "at most one per half second"),
    (status_line.MAX_NAMES, "systemd", "at most five"),
    (document.CALM + 1, "status-page", "From nine checks on"),
    (workers.MAX_WORKERS, "status-page", "more than twelve workers"),
    (PER_PAGE, "status-page", "the second hundred"),
]
"""Number of the code, page, and the words in which it says the number."""

NUMBERS = {
    "a lease of one": 1, "three": 3, "four": 4, "five": 5, "half": 0.5, "nine": 9, "ten": 10, "twelve": 12,
    "fifteen": 15, "16": 16, "hundred": 100,
}  # fmt: skip


def text_of(page: str) -> str:
    return " ".join((DOCS / "reference" / f"{page}.md").read_text().split())


@pytest.mark.parametrize(("page", "text"), TEXTS)
def test_a_page_names_the_limit_in_figures(page: str, text: str) -> None:
    assert text in text_of(page)


@pytest.mark.parametrize(("number", "page", "text"), WORDS)
def test_a_page_names_the_limit_in_words(number: float, page: str, text: str) -> None:
    assert text in text_of(page)
    assert number in [value for word, value in NUMBERS.items() if word in text]
