"""The feed of incidents: what is one, and that an independent reader and RFC 4287 accept it."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Check, Probe, Result, ServiceInfo, degraded, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.history import MAX_FLIPS
from asgi_health.formats.answer import Answer
from asgi_health.formats.feed import MAX_INCIDENTS, duration, feed

from ..support.core_cases import LIFESPAN, check, new_engine, no_deadline, serving_engine
from ..support.format_cases import check_form

ATOM = "{http://www.w3.org/2005/Atom}"
PROCESS = UUID("f3a1d7a6-8a55-4f8e-9f1b-0d9c6e0a7b11")
EPOCH = 1_800_000_000.0
"""2027-01-15T08:00:00Z"""

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")  # RFC 4287, 3.3, in UTC


def make(name: str, **options: Any) -> Check:
    return check(name, failure_threshold=1, interval=10.0, retry_interval=10.0, **options)


def step(engine: Engine, now: float, **results: Result) -> None:
    """Run each check that is due; those without a result pass."""
    for run in engine.due(now).start:
        engine.record(run, results.get(run.check.name, healthy()), now)


def feed_of(engine: Engine, now: float, probe: Probe = Probe.HEALTH, **more: Any) -> Answer:
    service = more.pop("service", None)
    epoch, process = more.pop("epoch", EPOCH), more.pop("process", PROCESS)
    report = engine.report(probe, now, history=True, **more)
    return feed(report, service, epoch=epoch, process=process)


def text_of(element: ET.Element, name: str) -> str:
    """Return the text of the one child of this name."""
    (child,) = element.findall(f"{ATOM}{name}")
    assert child.text
    return child.text


def valid(answer: Answer) -> ET.Element:
    """Return the root of a feed that keeps the rules of RFC 4287 on what must be there once."""
    check_form(answer)
    assert answer.status == 200
    assert dict(answer.headers)[b"content-type"] == b"application/atom+xml; charset=utf-8"
    root = ET.fromstring(answer.body)
    assert root.tag == f"{ATOM}feed"
    ids = [text_of(root, "id")]
    assert DATE.fullmatch(text_of(root, "updated"))
    assert text_of(root, "title")
    (author,) = root.findall(f"{ATOM}author")  # 4.1.1: of the feed, or of each entry
    assert text_of(author, "name")
    for entry in root.findall(f"{ATOM}entry"):
        ids.append(text_of(entry, "id"))
        assert text_of(entry, "title")
        assert DATE.fullmatch(text_of(entry, "updated"))
        assert DATE.fullmatch(text_of(entry, "published"))
        # 4.1.2: an entry without an alternate link must have content; without a type that is text (4.1.3.1).
        assert text_of(entry, "content")
        assert all(each.get("term") for each in entry.findall(f"{ATOM}category"))
    assert len(set(ids)) == len(ids)
    for each in ids:
        assert urlsplit(each).scheme == "urn"
        UUID(each)
    parsed = feedparser.parse(answer.body)
    assert (parsed.bozo, parsed.version) == (False, "atom10")
    assert [entry.id for entry in parsed.entries] == ids[1:]
    return root


def entries(answer: Answer) -> list[tuple[str, str]]:
    """Return the title and the content of each entry."""
    return [(text_of(entry, "title"), text_of(entry, "content")) for entry in valid(answer).findall(f"{ATOM}entry")]


def test_an_incident_of_a_check_is_one_of_its_probe_too() -> None:
    engine = serving_engine(make("database", group="shop"), make("cache"))
    step(engine, 0.0)
    step(engine, 20.0, database=unhealthy("connection refused"))
    assert entries(feed_of(engine, 25.0, Probe.READINESS)) == [
        (
            "readiness failed: database",
            "Status: fail. Cause: check. Checks: database. Since 2027-01-15T08:00:20.000Z; it goes on.",
        ),
        (
            "database failed",
            "Status: fail. Group: shop. Since 2027-01-15T08:00:20.000Z; it goes on. Now: connection refused",
        ),
    ]
    step(engine, 40.0)
    assert entries(feed_of(engine, 45.0, Probe.READINESS)) == [
        (
            "readiness failed: database",
            "Status: fail. Cause: check. Checks: database."
            " From 2027-01-15T08:00:20.000Z to 2027-01-15T08:00:40.000Z: 20 s.",
        ),
        (
            "database failed",
            "Status: fail. Group: shop. From 2027-01-15T08:00:20.000Z to 2027-01-15T08:00:40.000Z: 20 s.",
        ),
    ]


def test_an_independent_reader_sees_every_field() -> None:
    engine = serving_engine(make("database", group="shop"))
    step(engine, 0.0)
    step(engine, 20.0, database=unhealthy("down"))
    step(engine, 40.0)
    parsed = feedparser.parse(feed_of(engine, 45.0, service=ServiceInfo("the shop"), exclude=("x",)).body)
    assert parsed.feed.title == "the shop: health"
    assert parsed.feed.author == "the shop"
    assert parsed.feed.updated == "2027-01-15T08:00:40.000Z"
    entry = parsed.entries[0]
    assert entry.published == "2027-01-15T08:00:20.000Z"
    assert entry.updated == "2027-01-15T08:00:40.000Z"
    assert entry.published_parsed[:6] == (2027, 1, 15, 8, 0, 20)
    (database,) = (each for each in parsed.entries if each.title == "database failed")
    assert [tag.term for tag in database.tags] == ["fail", "shop"]
    assert database.content[0].type == "text/plain"


def test_a_feed_links_to_itself() -> None:
    engine = serving_engine(make("a", group="the shop & co"), make("b"))
    answer = feed_of(engine, 1.0, groups=frozenset({"the shop & co"}), exclude=("a",))
    (link,) = valid(answer).findall(f"{ATOM}link")
    assert link.get("rel") == "self"
    assert parse_qsl(link.get("href", "").removeprefix("?")) == [
        ("format", "atom"),
        ("group", "the shop & co"),
        ("exclude", "a"),
    ]


def test_the_newest_comes_first_and_each_failure_is_an_incident_of_its_own() -> None:
    engine = serving_engine(make("a"), make("b"))
    step(engine, 0.0)
    for moment in (20.0, 60.0):
        step(engine, moment, a=unhealthy("down"))
        step(engine, moment + 20)
    step(engine, 100.0, b=degraded("slow"))
    titles = [title for title, _ in entries(feed_of(engine, 101.0))]
    assert sorted(titles[:2]) == ["b degraded", "health degraded: b"]
    assert sorted(titles[2:]) == ["a failed", "a failed", "health failed: a", "health failed: a"]


def test_what_gets_worse_and_better_before_it_is_over_is_one_incident() -> None:
    engine = serving_engine(make("a"))
    results = [healthy(), degraded("slow"), unhealthy("down"), degraded("slow"), healthy(), healthy()]
    for number, result in enumerate(results):
        step(engine, 20.0 * number, a=result)
    assert entries(feed_of(engine, 110.0)) == [
        (
            "health failed: a",
            "Status: fail. Cause: check. Checks: a. From 2027-01-15T08:00:20.000Z to 2027-01-15T08:01:20.000Z: 1 min.",
        ),
        ("a failed", "Status: fail. From 2027-01-15T08:00:20.000Z to 2027-01-15T08:01:20.000Z: 1 min."),
    ]


def test_the_checks_behind_the_worst_status_are_named() -> None:
    engine = serving_engine(make("a", critical=False), *(make(f"b{number}") for number in range(5)))
    step(engine, 0.0, a=unhealthy("down"))
    engine.due(31.0)  # they hang
    engine.pass_on_decay(32.0)
    ((title, _),) = (each for each in entries(feed_of(engine, 41.0)) if each[0].startswith("health"))
    assert title == "health failed: b0, b1, b2 and 2 more"


def test_a_deployment_is_no_incident() -> None:
    engine = new_engine(make("a"))
    engine.start(LIFESPAN, 0.0)
    engine.serve(1.0)
    step(engine, 2.0)
    engine.drain(10.0)
    engine.stop(20.0)
    engine.start(object(), 21.0)
    engine.serve(22.0)
    step(engine, 23.0)
    assert entries(feed_of(engine, 24.0)) == []


def test_an_app_that_cannot_become_ready_is_one() -> None:
    engine = new_engine(make("a"))
    engine.start(LIFESPAN, 0.0)
    engine.serve(1.0)
    step(engine, 2.0, a=unhealthy("no migrations"))
    assert [title for title, _ in entries(feed_of(engine, 3.0))] == ["health failed: a", "a failed"]


def test_an_app_that_starts_with_a_warning_has_one() -> None:
    engine = new_engine(make("a"))
    engine.start(LIFESPAN, 0.0)
    engine.serve(1.0)
    step(engine, 2.0, a=degraded("slow"))
    shown = entries(feed_of(engine, 3.0))
    assert [title for title, _ in shown] == ["health degraded: a", "a degraded"]
    assert "Cause: check." in shown[0][1]


def test_an_incident_of_a_probe_ends_where_a_phase_takes_its_place() -> None:
    engine = serving_engine(make("a"))
    step(engine, 0.0)
    step(engine, 20.0, a=unhealthy("down"))
    engine.drain(30.0)
    contents = dict(entries(feed_of(engine, 40.0)))
    assert contents["health failed: a"].endswith("From 2027-01-15T08:00:20.000Z to 2027-01-15T08:00:30.000Z: 10 s.")
    assert "it goes on" in contents["a failed"]


def test_a_maintenance_is_no_incident_of_the_probe() -> None:
    engine = serving_engine(make("a"), make("b"))
    step(engine, 0.0)
    engine.maintain("a", 20.0, "upgrade", 10.0)
    step(engine, 20.0, a=unhealthy("down"))
    assert entries(feed_of(engine, 21.0)) == [
        (
            "a failed",
            "Status: fail. Since 2027-01-15T08:00:20.000Z; it goes on."
            " In maintenance until 2027-01-15T08:00:30.000Z. Now: down",
        )
    ]
    engine.due(31.0)
    assert [title for title, _ in entries(feed_of(engine, 31.0))] == ["health failed: a", "a failed"]


@pytest.mark.parametrize("phase", ["draining", "maintenance"])
def test_what_is_not_well_when_a_phase_ends_is_an_incident_from_then_on(phase: str) -> None:
    engine = serving_engine(make("a"))
    step(engine, 0.0)
    if phase == "draining":
        engine.set_temporary_drain(True, 10.0)
    else:
        engine.maintain(None, 15.0, "upgrade", 10.0)
    step(engine, 20.0, a=degraded("slow"))
    assert [title for title, _ in entries(feed_of(engine, 21.0))] == ["a degraded"]
    if phase == "draining":
        engine.set_temporary_drain(False, 25.0)
    else:
        engine.due(25.0)
    found = dict(entries(feed_of(engine, 26.0)))
    assert found.keys() == {"health degraded: a", "a degraded"}
    assert "Since 2027-01-15T08:00:25.000Z" in found["health degraded: a"]


def test_an_incident_of_a_check_ends_where_it_starts_again() -> None:
    engine = new_engine(make("a"))
    engine.start(LIFESPAN, 0.0)
    engine.serve(0.0)
    step(engine, 1.0, a=unhealthy("down"))
    engine.start(object(), 50.0)
    engine.serve(50.0)
    step(engine, 51.0, a=unhealthy("still down"))
    contents = [content for title, content in entries(feed_of(engine, 52.0)) if title == "a failed"]
    assert len(contents) == 2
    assert "still down" in contents[0]
    assert contents[1].endswith("08:00:51.000Z: 50 s.")


def test_a_stale_result_and_a_blocked_loop_are_causes() -> None:
    engine = serving_engine(make("a"))
    step(engine, 0.0)
    engine.set_stalled(frozenset({Probe.READINESS}), 5.0)
    engine.set_stalled(frozenset(), 8.0)
    engine.due(31.0)  # it hangs
    engine.pass_on_decay(32.0)
    (stale, blocked) = entries(feed_of(engine, 33.0, Probe.READINESS))[:2]
    assert stale[0] == "readiness failed: a"
    assert "Cause: stale." in stale[1]
    assert blocked[0] == "readiness failed: the event loop was blocked"
    assert "Cause: stalled. From 2027-01-15T08:00:05.000Z to 2027-01-15T08:00:08.000Z: 3.0 s." in blocked[1]


def test_the_feed_of_a_check_is_about_it_alone() -> None:
    engine = serving_engine(make("a"), make("b"))
    step(engine, 0.0)
    step(engine, 20.0, a=unhealthy("down"), b=unhealthy("down"))
    report = engine.report_check("a", Probe.READINESS, 21.0, history=True)
    answer = feed(report, None, epoch=EPOCH, process=PROCESS)
    assert [title for title, _ in entries(answer)] == ["a failed"]
    assert text_of(valid(answer), "title") == "asgi-health: readiness a"


@pytest.mark.parametrize("part", [{"exclude": ("b",)}, {"groups": frozenset({"shop"})}])
def test_of_a_part_of_the_checks_only_their_own_incidents_are_shown(part: dict[str, Any]) -> None:
    engine = serving_engine(make("a", group="shop"), make("b"))
    step(engine, 0.0)
    step(engine, 20.0, a=unhealthy("down"), b=unhealthy("down"))
    assert [title for title, _ in entries(feed_of(engine, 21.0, **part))] == ["a failed"]


def test_without_an_incident_the_feed_is_valid_and_does_not_change() -> None:
    engine = serving_engine(make("a"))
    step(engine, 0.0)
    assert entries(feed_of(engine, 5.0)) == []
    assert feed_of(engine, 5.0).body == feed_of(engine, 9.0).body
    one = engine.report_check("a", Probe.READINESS, 5.0, history=True)
    other = engine.report_check("a", Probe.READINESS, 9.0, history=True)
    assert feed(one, None, epoch=EPOCH, process=PROCESS).body == feed(other, None, epoch=EPOCH, process=PROCESS).body
    valid(feed_of(serving_engine(), 5.0))


def identities(answer: Answer) -> list[str]:
    root = valid(answer)
    return [text_of(root, "id"), *(text_of(entry, "id") for entry in root.findall(f"{ATOM}entry"))]


def test_an_incident_keeps_its_identity_when_it_ends_and_when_the_clock_is_set() -> None:
    engine = serving_engine(make("a"))
    step(engine, 0.0)
    step(engine, 20.0, a=degraded("slow"))
    before = identities(feed_of(engine, 21.0))
    step(engine, 40.0, a=unhealthy("down"))
    step(engine, 60.0)
    assert identities(feed_of(engine, 61.0)) == before
    assert identities(feed_of(engine, 61.0, epoch=EPOCH + 3600.0)) == before


def test_another_process_has_other_incidents_in_the_same_feed() -> None:
    def seen(process: UUID) -> list[str]:
        engine = serving_engine(make("a"))  # the clock of a machine that has started again may show the same numbers
        step(engine, 20.0, a=unhealthy("down"))
        return identities(feed_of(engine, 21.0, process=process))

    one, other = seen(uuid4()), seen(uuid4())
    assert one[0] == other[0]
    assert not set(one[1:]) & set(other[1:])


def test_each_service_probe_and_selection_has_a_feed_of_its_own() -> None:
    engine = serving_engine(make("a", group="shop"), make("b"))
    step(engine, 0.0)
    shown = [
        feed_of(engine, 1.0),
        feed_of(engine, 1.0, Probe.READINESS),
        feed_of(engine, 1.0, service=ServiceInfo("shop")),
        feed_of(engine, 1.0, groups=frozenset({"shop"})),
        feed_of(engine, 1.0, exclude=("a",)),
        *(
            feed(engine.report_check(name, Probe.READINESS, 1.0, history=True), None, epoch=EPOCH, process=PROCESS)
            for name in ("a", "b")
        ),
    ]
    assert len({identities(each)[0] for each in shown}) == len(shown)


def test_an_incident_whose_beginning_is_forgotten_is_left_out() -> None:
    """Its identity would change with each change of its status, and readers would see a new one each time."""
    engine = serving_engine(make("a"))
    step(engine, 0.0)
    for number in range(1, MAX_FLIPS + 5):
        step(engine, 20.0 * number, a=unhealthy("down") if number % 2 else degraded("slow"))
    assert entries(feed_of(engine, 20.0 * (MAX_FLIPS + 5))) == []
    step(engine, 20.0 * (MAX_FLIPS + 6))
    step(engine, 20.0 * (MAX_FLIPS + 7), a=unhealthy("down"))
    assert [title for title, _ in entries(feed_of(engine, 20.0 * (MAX_FLIPS + 8)))] == ["health failed: a", "a failed"]


def test_a_feed_has_a_bound() -> None:
    engine = serving_engine(*(make(f"check-{number}") for number in range(MAX_INCIDENTS + 20)))
    step(engine, 0.0)
    step(engine, 20.0, **{each.name: unhealthy("down" * 500) for each in engine.checks})
    answer = feed_of(engine, 21.0)
    assert len(entries(answer)) == MAX_INCIDENTS
    assert len(answer.body) < 300_000


HOSTILE = [
    "<script>alert(1)</script>",
    "]]></content></entry><entry>",
    "&lt;b&gt; &#0; &nosuchentity;",
    '" onmouseover="x',
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "a\x00b\x0bc\x1b[31md\x7f\ufffe\uffff\ud800",
    "right\u202eto left",
    "x" * 10_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(text: str) -> None:
    group = "".join(char for char in text if char.isprintable())[:100].strip()
    engine = serving_engine(make("a", group=group))
    step(engine, 0.0, a=unhealthy(text))
    name = text.encode("utf-8", "replace").decode()
    answer = feed_of(engine, 1.0, service=ServiceInfo(name))
    root = valid(answer)
    assert {each.tag.removeprefix(ATOM) for each in root.iter()} == {
        *("feed", "id", "title", "updated", "link", "author", "name", "generator"),
        *("entry", "published", "category", "content"),
    }
    assert len(root.findall(f"{ATOM}entry")) == 2
    assert len(answer.body) < 10_000


def test_credentials_are_masked() -> None:
    engine = serving_engine(make("a"))
    step(engine, 0.0, a=unhealthy("postgresql://shop:hunter2@db refused, password=hunter2"))
    assert b"hunter2" not in feed_of(engine, 1.0).body
    assert b"refused" in feed_of(engine, 1.0).body


@no_deadline
@given(st.text(st.characters(), max_size=200), st.text(min_size=1, max_size=50))
def test_any_text_leaves_a_valid_feed(message: str, name: str) -> None:
    engine = serving_engine(make("a"))
    step(engine, 0.0, a=unhealthy(message))
    assert len(entries(feed_of(engine, 1.0, service=ServiceInfo(name.encode("utf-8", "replace").decode())))) == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.0, "0.0 s"), (3.25, "3.2 s"), (9.9, "9.9 s"), (10.4, "10 s"), (59.4, "59 s"), (59.6, "1 min")),
        *((60, "1 min"), (200, "3 min 20 s"), (3600, "1 h"), (3659, "1 h"), (7500, "2 h 5 min"), (86_400, "1 d")),
        (100_000, "1 d 3 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_dates_are_those_that_python_reads() -> None:
    engine = serving_engine(make("a"))
    step(engine, 0.25, a=unhealthy("down"))
    root = valid(feed_of(engine, 1.0))
    assert datetime.fromisoformat(text_of(root, "updated")).timestamp() == EPOCH + 0.25
