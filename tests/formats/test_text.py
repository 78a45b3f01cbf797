"""The details as text, in the form of Kubernetes' own components for `?verbose`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Probe, Result, Status, degraded, healthy, unhealthy
from asgi_health.core.status import CHECK_PROBES
from asgi_health.formats.text import text

from ..support.core_cases import check, no_deadline, serving_engine
from ..support.format_cases import both, check_form, one, report_of


def lines(answer_body: bytes) -> list[str]:
    assert answer_body.endswith(b"\n")
    return answer_body.decode().removesuffix("\n").split("\n")


def test_a_complete_answer() -> None:
    report = report_of(
        {
            check("database"): healthy("not shown"),
            check("disk"): degraded("less than 5 GB left"),
            check("cache", critical=False): unhealthy("ConnectionError: refused"),
            check("search"): unhealthy("ConnectionError: refused"),
            check("quiet"): Result(Status.UNHEALTHY),
            check("queue"): None,
            check("extra"): unhealthy("not shown"),
        },
        probe=Probe.READINESS,
        exclude=("extra",),
    )
    answer = text(report)
    check_form(answer)
    assert answer.status == 503
    assert dict(answer.headers)[b"content-type"] == b"text/plain; charset=utf-8"
    assert lines(answer.body) == [
        "[+]database ok",
        "[!]disk degraded: less than 5 GB left",
        "[-]cache failed (not critical): ConnectionError: refused",
        "[-]search failed: ConnectionError: refused",
        "[-]quiet failed",
        "[-]queue failed: no result yet",
        "[+]extra excluded: ok",
        "note: left out on request: extra",
        "readyz check failed",
    ]


@pytest.mark.parametrize(
    ("probe", "title"),
    [(Probe.LIVENESS, "livez"), (Probe.READINESS, "readyz"), (Probe.STARTUP, "startupz"), (Probe.HEALTH, "healthz")],
)
@pytest.mark.parametrize(
    ("result", "code", "line", "outcome"),
    [
        (healthy(), 200, "[+]a ok", "passed"),
        (degraded("slow"), 200, "[!]a degraded: slow", "passed"),
        (unhealthy("down"), 503, "[-]a failed: down", "failed"),
    ],
)
def test_the_last_line_is_the_outcome(
    probe: Probe, title: str, result: Result, code: int, line: str, outcome: str
) -> None:
    answer = text(report_of({check("a", probes=CHECK_PROBES): result}, probe=probe))
    assert answer.status == code
    assert lines(answer.body) == [line, f"{title} check {outcome}"]


def test_the_group_of_a_check_follows_its_outcome() -> None:
    report = report_of(
        {
            check("database", group="shop"): healthy(),
            check("disk", group="shop"): degraded("full"),
            check("cache", group="the team", critical=False): unhealthy("refused"),
            check("search", group="shop"): unhealthy("down"),
        }
    )
    assert lines(text(report).body)[:-1] == [
        "[+]database ok (shop)",
        "[!]disk degraded (shop): full",
        "[-]cache failed (the team, not critical): refused",
        "[-]search failed (shop): down",
    ]


def test_an_app_that_drains_has_a_note() -> None:
    engine = serving_engine()
    engine.drain(0.0)
    assert lines(text(engine.report(Probe.READINESS, now=0.0)).body) == [
        "note: the app has been draining for 0.0 s",
        "readyz check failed",
    ]


def test_the_report_of_one_check_has_no_note_of_the_phase() -> None:
    engine = serving_engine(check("a"))
    engine.stop(0.0)
    assert lines(text(engine.report_check("a", Probe.HEALTH, now=0.0)).body) == [
        "[-]a failed: no result yet",
        "healthz check failed",
    ]


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("two\nlines", "two lines"),
        ("[+]forged ok\r\nreadyz check passed", "[+]forged ok readyz check passed"),
        ("a\x00b\x1b[31mred\x7f", "abred"),
        ("tab\tand\u2028line\u2029break\x85", "tab and line break"),
        ("right\u202eto left", "rightto left"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("Grüße, 世界 🎉", "Grüße, 世界 🎉"),
    ],
)
def test_a_message_is_one_readable_line(message: str, shown: str) -> None:
    assert lines(text(one(unhealthy(message))).body) == [f"[-]a failed: {shown}", "healthz check failed"]


@no_deadline
@given(st.sampled_from(Status), st.text(st.characters(), max_size=300))
def test_every_result_has_one_line(status: Status, message: str) -> None:
    _, as_text = both(one(Result(status, message)))
    assert len(lines(as_text.body)) == 2
    assert all(char.isprintable() for line in lines(as_text.body) for char in line)
