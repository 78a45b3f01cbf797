"""The details, in the words of draft-inadarei-api-engine-check-06."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Probe, Result, ServiceInfo, Status, degraded, healthy, unhealthy
from asgi_health.formats.health_json import health_json

from ..support.core_cases import check, no_deadline, serving_engine
from ..support.format_cases import WALL, one, read, report_of, sound

# Section 3 of the draft, and section 4 with the additional key of ours.
TOP = {"status", "version", "releaseId", "notes", "output", "checks", "links", "serviceId", "description"}
CHECK = {
    *("componentId", "componentType", "observedValue", "observedUnit", "status", "affectedEndpoints", "time"),
    *("output", "links", "responseTime"),
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def valid(document: dict[str, Any]) -> bool:
    """Tell whether a document is one of the draft."""
    assert document.keys() <= TOP
    assert document["status"] in ("pass", "warn", "fail")
    assert all(isinstance(note, str) for note in document.get("notes", []))
    assert all(isinstance(link, str) for link in document.get("links", {}).values())
    assert all(isinstance(document.get(key, ""), str) for key in ("version", "releaseId", "serviceId", "description"))
    for key, entries in document["checks"].items():
        assert key.count(":") <= 1  # neither half of componentName:measurementName may hold a colon
        assert isinstance(entries, list)
        for entry in entries:
            assert entry.keys() <= CHECK
            assert entry.get("status", "pass") in ("pass", "warn", "fail")
            assert "output" not in entry or entry["status"] != "pass"
            assert "time" not in entry or TIME.fullmatch(entry["time"])
            assert isinstance(entry.get("observedUnit", ""), str)
            assert "observedUnit" not in entry or "observedValue" in entry
    return True


def test_the_golden_answer() -> None:
    report = report_of(
        {
            check("database"): healthy(data={"connections": 5, "lag": (12.5, "ms")}),
            check("search", critical=False): unhealthy("ConnectionError: refused"),
            check("disk"): degraded("less than 5 GB left"),
            check("queue"): None,
        }
    )
    service = ServiceInfo("shop", "1", "f00ba4", "sells things", links={"about": "https://shop.example"}, notes=("eu",))
    answer = health_json(report, service, wall=WALL)
    assert sound(answer)
    assert answer.status == 503
    assert dict(answer.headers)[b"content-type"] == b"application/engine+json"
    document = read(answer)
    assert valid(document)
    run = {"time": "2027-01-15T07:59:50.625Z", "responseTime": 125.0}
    assert document == {
        "status": "fail",
        "version": "1",
        "releaseId": "f00ba4",
        "serviceId": "shop",
        "description": "sells things",
        "links": {"about": "https://shop.example"},
        "notes": ["eu"],
        "checks": {
            "database": [{"status": "pass", **run}],
            "database:connections": [{"observedValue": 5}],
            "database:lag": [{"observedValue": 12.5, "observedUnit": "ms"}],
            "search": [{"status": "fail", **run, "output": "ConnectionError: refused"}],
            "disk": [{"status": "warn", **run, "output": "less than 5 GB left"}],
            "queue": [{"status": "fail", "output": "no result yet"}],
        },
    }
    assert list(document["checks"]) == [
        *("database", "database:connections", "database:lag", "search", "disk", "queue")
    ]


@pytest.mark.parametrize(
    ("result", "code", "word"),
    [(healthy(), 200, "pass"), (degraded("slow"), 200, "warn"), (unhealthy("x"), 503, "fail")],
)
def test_the_code_is_that_of_the_minimal_answer(result: Result, code: int, word: str) -> None:
    answer = health_json(one(result), None, wall=WALL)
    assert (answer.status, read(answer)["status"]) == (code, word)


def test_without_service_and_checks_there_is_hardly_anything() -> None:
    assert (
        health_json(serving_engine().report(Probe.HEALTH, now=0.0), None, wall=WALL).body
        == b'{"status":"pass","checks":{}}'
    )


def test_empty_fields_of_the_service_are_left_out() -> None:
    document = read(health_json(serving_engine().report(Probe.HEALTH, now=0.0), ServiceInfo("shop"), wall=WALL))
    assert document == {"status": "pass", "serviceId": "shop", "checks": {}}


def test_response_times_are_whole_microseconds() -> None:
    engine = serving_engine(check("a"))
    (run,) = engine.due(0.0).start
    engine.record(run, healthy(), 1 / 3)
    assert b'"responseTime":333.333}' in health_json(engine.report(Probe.HEALTH, now=1.0), None, wall=WALL).body


def test_the_message_of_a_pass_is_left_out() -> None:
    assert "output" not in read(health_json(one(healthy("all is fine")), None, wall=WALL))["checks"]["a"][0]


def test_a_stale_check_keeps_the_time_of_its_last_result() -> None:
    document = read(health_json(report_of({check("a"): healthy()}, now=100.0), None, wall=WALL))
    (entry,) = document["checks"]["a"]
    assert entry["status"] == "fail"
    assert entry["output"] == "stale: no result for more than 32.0 s"
    assert entry["time"] == "2027-01-15T07:58:20.625Z"


def test_notes_tell_of_the_phase_and_of_what_was_left_out() -> None:
    engine = serving_engine(check("a"), check("b"))
    engine.drain(0.0)
    report = engine.report(Probe.READINESS, exclude=("b", "typo", "slip"), now=0.0)
    document = read(health_json(report, ServiceInfo("shop", notes=("first",)), wall=WALL, unknown=2))
    assert document["notes"] == [
        "first",
        "the app has been draining for 0.0 s",
        "left out on request: b",
        "2 of the names to leave out are not the name of a check",
    ]
    assert list(document["checks"]) == ["a"]


@pytest.mark.parametrize("exponent", [1, 63, 64, 65, 100, 20_000])
@pytest.mark.parametrize(("sign", "offset"), [(1, 0), (1, -1), (-1, 0), (-1, -1)])
def test_whole_numbers_of_any_size_can_be_shown(exponent: int, sign: int, offset: int) -> None:
    value = sign * 2**exponent + offset
    shown = read(health_json(one(healthy(data={"n": value})), None, wall=WALL))["checks"]["a:n"][0]["observedValue"]
    if -(2**63) <= value < 2**64:
        assert shown == value
    elif exponent < 1000:
        assert shown == str(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_to_json_does_not_break_it(value: float) -> None:
    document = read(health_json(one(healthy(data={"n": (value, "s")})), None, wall=WALL))
    assert valid(document)
    assert document["status"] == "pass"


class Number(float):
    """A number as those of numpy are: of a type of its own."""


class Count(int):
    pass


class Word(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(Number(1.5), 1.5), (Count(5), 5), (Word("w"), "w"), (True, True), (False, False), (Status.HEALTHY, 1), ("", "")],
)
def test_values_of_derived_types_are_shown_as_what_they_derive_from(value: float | str, shown: object) -> None:
    document = read(health_json(one(healthy(data={"n": value})), None, wall=WALL))
    assert document["checks"]["a:n"][0]["observedValue"] == shown


def test_a_colon_in_the_name_of_an_observed_value_does_not_change_the_meaning_of_the_key() -> None:
    document = read(health_json(one(healthy(data={"disk:free": 5})), None, wall=WALL))
    assert valid(document)
    assert document["checks"]["a"][0]["status"] == "pass"


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (
            ("redis://:a@db", "redis://:b@db", "redis://:c@db"),
            ("redis.//***@db", "redis.//***@db (2)", "redis.//***@db (3)"),
        ),
        (("disk:free", "disk.free"), ("disk.free", "disk.free (2)")),
        (("a\nb", "a b", "a b (2)"), ("a b", "a b (2)", "a b (2) (2)")),
        (("", "\0"), ("", " (2)")),
        (("password=x", "password=y"), ("password=***", "password=*** (2)")),
    ],
)
def test_names_that_become_equal_are_told_apart(names: tuple[str, ...], keys: tuple[str, ...]) -> None:
    data = {name: number for number, name in enumerate(names)}
    checks = read(health_json(one(healthy(data=data)), None, wall=WALL))["checks"]
    shown = {key: entry[0]["observedValue"] for key, entry in checks.items() if key != "a"}
    assert shown == {f"a:{key}": number for number, key in enumerate(keys)}


def test_a_name_is_cut() -> None:
    checks = read(health_json(one(healthy(data={"n" * 10_000: 1})), None, wall=WALL))["checks"]
    assert list(checks) == ["a", "a:" + "n" * 99 + "…"]


values = st.floats() | st.integers() | st.text() | st.booleans()


@no_deadline
@given(
    st.sampled_from(Status),
    st.text(st.characters(), max_size=200),
    st.dictionaries(st.text(st.characters(exclude_characters=":")), st.tuples(values, st.text(st.characters()))),
)
def test_whatever_a_check_says_the_document_is_valid(
    status: Status, message: str, data: dict[str, tuple[float | int | str | bool, str]]
) -> None:
    answer = health_json(one(Result(status, message, data)), None, wall=WALL)
    assert sound(answer)
    assert valid(read(answer))
    assert b"\n" not in answer.body
