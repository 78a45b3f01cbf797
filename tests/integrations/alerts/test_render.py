"""How a message reads: short enough for chats, the worst first, without credentials and control characters."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health.integrations.alerts.incidents import Entry, Problem
from asgi_health.integrations.alerts.message import Message, to_json
from asgi_health.integrations.alerts.render import (
    MAX_INCIDENTS,
    MAX_TEXT,
    Sender,
    duration_text,
    render,
    render_test,
)

from .playing import FAIL, HEALTHY, WARN, Player

WALL = datetime(2026, 11, 28, 10, 0, 0, tzinfo=UTC).timestamp()
SENDER = Sender.of("shop 1.2", "web-1", 42)


def message_of(player: Player, number: int = -1, sender: Sender = SENDER) -> Message:
    """Return the message of one of the news of `player`, as of the moment of the news."""
    moment, news = player.news[number]
    return render(news.entries, news.open, sender, id="1", now=moment, wall=WALL)


def entry(message: str, subject: str = "database") -> Entry:
    return Entry(subject, "open", Problem(FAIL, "check", message, 0.0, failures=3), 0.0)


def message_with(*entries: Entry) -> Message:
    return render(entries, [each.subject for each in entries], SENDER, id="1", now=12.0, wall=WALL)


def test_an_alert() -> None:
    message = message_with(entry("ConnectionError: refused"))
    assert message.kind == "alert"
    assert message.title == "FAIL: database (shop 1.2)"
    assert message.text == (
        "Failing (1):\n"
        "- database: ConnectionError: refused. Since 2026-11-28 09:59:48 UTC (12 s), 3 failed runs in a row.\n"
        "\n"
        "Sent by asgi-health: shop 1.2, host web-1, process 42."
    )
    (incident,) = message.incidents
    assert (incident.subject, incident.state, incident.status, incident.duration) == ("database", "open", "fail", 12.0)
    assert (message.service, message.host, message.pid, message.open, message.more) == ("shop 1.2", "web-1", 42, 1, 0)


def test_a_recovery_and_what_is_still_open() -> None:
    player = Player().turn(FAIL, "database", "cache", "queue").wait(100).turn(HEALTHY, "cache").wait(10)
    message = message_of(player)
    assert message.kind == "recovery"
    assert message.title == "OK: cache (shop 1.2)"
    assert message.text == (
        "Recovered (1):\n"
        "- cache: over after 1 min 40 s. Last: cache is bad.\n"
        "\n"
        "Still open: database, queue.\n"
        "\n"
        "Sent by asgi-health: shop 1.2, host web-1, process 42."
    )
    assert message.open == 2


def test_a_reminder() -> None:
    message = message_of(Player().turn(FAIL, "database").wait(700))
    assert message.kind == "repeat"
    assert message.title == "STILL FAILING: database (shop 1.2)"
    assert "(10 min 2 s)" in message.text


def test_a_warning() -> None:
    message = message_of(Player().turn(WARN, "disk").wait(10))
    assert message.title == "WARN: disk (shop 1.2)"
    assert "- disk (warn): disk is bad." in message.text
    assert message.incidents[0].status == "warn"


def test_flapping_and_then_steady() -> None:
    player = Player()
    for _ in range(3):
        player.turn(FAIL, "database").wait(30).turn(HEALTHY, "database").wait(30)
    message = message_of(player)
    assert message.kind == "flapping"
    assert message.title == "FLAPPING: database (shop 1.2)"
    assert "began or ended 6 times within" in message.text
    player.wait(1000)
    assert [message_of(player).kind, message_of(player).title] == ["recovery", "OK: database (shop 1.2)"]


def test_news_of_several_kinds_is_an_alert_that_names_what_fails() -> None:
    player = Player().turn(FAIL, "database").wait(100).turn(HEALTHY, "database").turn(FAIL, "cache").wait(10)
    message = message_of(player)
    assert message.kind == "alert"
    assert message.title == "FAIL: cache (shop 1.2)"
    assert message.text.index("Failing (1):") < message.text.index("Recovered (1):")


def test_a_thousand_checks_name_the_worst_and_count_the_rest() -> None:
    names = [f"check-{number}" for number in range(999)]
    player = Player().turn(WARN, "zz-warns", *names).turn(FAIL, "zz-fails").wait(10)
    message = message_of(player)
    assert message.title == "FAIL: zz-fails, zz-warns, check-0 and 998 more (shop 1.2)"
    lines = message.text.splitlines()
    assert lines[:2] == ["Failing (1001):", lines[1]]
    assert lines[1].startswith("- zz-fails: ")
    assert len(message.text) <= MAX_TEXT
    shown = sum(line.startswith("- ") for line in lines) - 1
    assert shown > 5
    assert f"- and {1001 - shown} more" in lines
    assert (len(message.incidents), message.more, message.open) == (MAX_INCIDENTS, 1001 - MAX_INCIDENTS, 1001)
    assert len(to_json(message)) < 20_000


def test_no_credential_leaves_the_process() -> None:
    message = message_with(entry("cannot connect to postgresql://shop:hunter2@db/shop?password=hunter2\x1b[31m"))
    assert "hunter2" not in message.title + message.text + to_json(message).decode()
    assert "\x1b" not in message.text
    assert "db/shop" in message.text


def test_a_message_of_one_incident_shows_more_of_it_than_one_of_many() -> None:
    long = "word " * 200
    assert message_with(entry(long)).text.count("word") > 150
    many = message_with(*(entry(long, f"c{number}") for number in range(8)))
    assert all(f"- c{number}: " in many.text for number in range(4))


@given(
    st.lists(
        st.builds(
            Entry,
            st.text(max_size=120),
            st.sampled_from(["open", "flapping", "recovered"]),
            st.builds(
                Problem,
                st.sampled_from([WARN, FAIL]),
                st.sampled_from(["check", "stale", "stalled"]),
                st.text(max_size=1200),
                st.just(0.0),
            ),
            st.floats(0, 100),
            st.none() | st.floats(0, 100),
            is_new=st.booleans(),
        ),
        min_size=1,
        max_size=60,
    ),
    st.lists(st.text(max_size=200), max_size=60),
    st.none() | st.text(max_size=200),
)
def test_every_message_is_short_and_clean(entries: list[Entry], going_on: list[str], service: str | None) -> None:
    message = render(entries, going_on, Sender.of(service, "h" * 300, 1), id="1", now=100.0, wall=WALL)
    assert len(message.title) <= 150
    assert len(message.text) <= 2000
    assert message.title.isprintable()
    assert all(line.isprintable() for line in message.text.split("\n"))
    document = json.loads(to_json(message))
    assert document["at"] == "2026-11-28T10:00:00Z"
    assert len(document["incidents"]) + document["more"] == len(entries)


def test_a_test_says_that_nothing_is_wrong() -> None:
    message = render_test(SENDER, id="1", wall=WALL)
    assert message.kind == "test"
    assert "Nothing is wrong" in message.text
    assert message.incidents == ()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "0.2 s"),
        (12.4, "12 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
        (86_400, "1 d"),
        (100_000, "1 d 3 h"),
        (-1, "0 s"),
    ],
)
def test_durations_read_as_people_write_them(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_what_begins_before_the_wall_clock_was_set_has_a_time() -> None:
    message = render([entry("x")], [], SENDER, id="1", now=10.0, wall=0.0)
    assert message.incidents[0].since.year == 1969
