"""The details as health+json, in the form of draft-inadarei-api-health-check-06."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Probe, Result, ServiceInfo, Status, degraded, healthy, unhealthy
from asgi_health.formats.health_json import health_json

from ..support.core_cases import check, no_deadline, serving_engine
from ..support.format_cases import WALL, check_form, one, read, report_of

# Section 3 of the draft; section 4, and responseTime, which the draft does not have.
TOP = {"status", "version", "releaseId", "notes", "output", "checks", "links", "serviceId", "description"}
CHECK = {
    *("componentId", "componentType", "observedValue", "observedUnit", "status", "affectedEndpoints", "time"),
    *("output", "links", "responseTime"),
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def check_document(document: dict[str, Any]) -> None:
    """Check that a document has the form of the draft."""
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


def test_a_complete_answer() -> None:
    report = report_of(
        {
            check("database"): healthy(data={"connections": 5, "lag": (12.5, "ms")}),
            check("search", critical=False): unhealthy("ConnectionError: refused"),
            check("disk"): degraded("less than 5 GB left"),
            check("queue"): None,
        }
    )
    service = ServiceInfo("shop", "1", "f00ba4", "a shop", links={"about": "https://shop.example"}, notes=("eu",))
    answer = health_json(report, service, wall=WALL)
    check_form(answer)
    assert answer.status == 503
    assert dict(answer.headers)[b"content-type"] == b"application/health+json"
    document = read(answer)
    check_document(document)
    run = {"time": "2027-01-15T07:59:50.625Z", "responseTime": 125.0}
    assert document == {
        "status": "fail",
        "version": "1",
        "releaseId": "f00ba4",
        "serviceId": "shop",
        "description": "a shop",
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
def test_the_status_code_is_that_of_the_minimal_answer(result: Result, code: int, word: str) -> None:
    answer = health_json(one(result), None, wall=WALL)
    assert (answer.status, read(answer)["status"]) == (code, word)


def test_without_service_and_checks_the_document_has_a_status_alone() -> None:
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


def test_a_stale_check_has_the_time_of_its_last_result() -> None:
    document = read(health_json(report_of({check("a"): healthy()}, now=100.0), None, wall=WALL))
    (entry,) = document["checks"]["a"]
    assert entry["status"] == "fail"
    assert entry["output"] == "stale: not confirmed for more than 32.0 s"
    assert entry["time"] == "2027-01-15T07:58:20.625Z"


def test_a_check_with_a_group_says_it() -> None:
    checks = read(health_json(report_of({check("a", group="shop"): healthy(), check("b"): None}), None, wall=WALL))[
        "checks"
    ]
    assert checks["a"][0]["group"] == "shop"
    assert "group" not in checks["b"][0]


def test_notes_name_the_phase_and_the_excluded_checks() -> None:
    engine = serving_engine(check("a"), check("b"))
    engine.drain(0.0)
    report = engine.report(Probe.READINESS, exclude=("b",), now=0.0)
    document = read(health_json(report, ServiceInfo("shop", notes=("first",)), wall=WALL))
    assert document["notes"] == [
        "first",
        "the app has been draining for 0.0 s",
        "left out on request: b",
    ]
    assert list(document["checks"]) == ["a"]


@pytest.mark.parametrize("exponent", [1, 63, 64, 65, 100, 20_000])
@pytest.mark.parametrize(("sign", "offset"), [(1, 0), (1, -1), (-1, 0), (-1, -1)])
def test_integers_of_any_size_can_be_shown(exponent: int, sign: int, offset: int) -> None:
    value = sign * 2**exponent + offset
    shown = read(health_json(one(healthy(data={"n": value})), None, wall=WALL))["checks"]["a:n"][0]["observedValue"]
    if -(2**63) <= value < 2**64:
        assert shown == value
    elif exponent < 1000:
        assert shown == str(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_does_not_have_leave_a_valid_document(value: float) -> None:
    document = read(health_json(one(healthy(data={"n": (value, "s")})), None, wall=WALL))
    check_document(document)
    assert document["status"] == "pass"


class Number(float):
    """A subclass of float, as numpy.float64 is."""


class Count(int):
    pass


class Word(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(Number(1.5), 1.5), (Count(5), 5), (Word("w"), "w"), (True, True), (False, False), (Status.HEALTHY, 1), ("", "")],
)
def test_values_of_derived_types_are_shown_as_values_of_their_base_type(value: float | str, shown: object) -> None:
    document = read(health_json(one(healthy(data={"n": value})), None, wall=WALL))
    assert document["checks"]["a:n"][0]["observedValue"] == shown


def test_a_colon_in_the_name_of_an_observed_value_is_replaced() -> None:
    document = read(health_json(one(healthy(data={"disk:free": 5})), None, wall=WALL))
    check_document(document)
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
def test_names_that_become_equal_get_a_number(names: tuple[str, ...], keys: tuple[str, ...]) -> None:
    data = {name: number for number, name in enumerate(names)}
    checks = read(health_json(one(healthy(data=data)), None, wall=WALL))["checks"]
    shown = {key: entry[0]["observedValue"] for key, entry in checks.items() if key != "a"}
    assert shown == {f"a:{key}": number for number, key in enumerate(keys)}


def test_a_long_name_is_cut() -> None:
    checks = read(health_json(one(healthy(data={"n" * 10_000: 1})), None, wall=WALL))["checks"]
    assert list(checks) == ["a", "a:" + "n" * 99 + "…"]


values = st.floats() | st.integers() | st.text() | st.booleans()


@no_deadline
@given(
    st.sampled_from(Status),
    st.text(st.characters(), max_size=200),
    st.dictionaries(st.text(st.characters(exclude_characters=":")), st.tuples(values, st.text(st.characters()))),
)
def test_the_document_is_valid_for_every_result(
    status: Status, message: str, data: dict[str, tuple[float | int | str | bool, str]]
) -> None:
    answer = health_json(one(Result(status, message, data)), None, wall=WALL)
    check_form(answer)
    check_document(read(answer))
    assert b"\n" not in answer.body


@pytest.mark.parametrize("probe", Probe)
def test_past_stalls_are_a_note_of_liveness_and_of_health(probe: Probe) -> None:
    engine = serving_engine()
    engine.record_stall(1.5)
    engine.record_stall(4.0)
    notes = read(health_json(engine.report(probe, 0.0), None, wall=WALL)).get("notes", [])
    expected = ["the event loop was blocked 2 times, for 4.0 s at most"]
    assert notes == (expected if probe in (Probe.LIVENESS, Probe.HEALTH) else [])
