"""Each way to break the shop does to the probes what it promises, and mending undoes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from ..support.waiting import wait_until
from .demo import Demo


@dataclass(frozen=True)
class Promise:
    """What one fault makes of the answers."""

    fault: str
    check: str
    output: str
    ready: tuple[int, str] = (503, "fail")
    products: int = 200

    def __str__(self) -> str:
        return self.fault


PROMISES = (
    Promise("database", "database", "OperationalError: unable to open database file", products=503),
    Promise("payments-hang", "payments", "timed out after 0.5 s"),
    Promise("payments-stubborn", "payments", "still running after "),
    Promise("recommendations", "recommendations", "ConnectionError: ", ready=(200, "warn")),
)


@contextmanager
def broken(demo: Demo, fault: str) -> Iterator[None]:
    assert demo.status(f"/break/{fault}") == 200
    try:
        yield
    finally:
        assert demo.status(f"/mend/{fault}") == 200
        demo.wait_for_word("/readyz", "pass")


def broken_faults(demo: Demo) -> list[str]:
    return [fault["name"] for fault in demo.ask("/state").json()["faults"] if fault["broken"]]


@pytest.mark.parametrize("promise", PROMISES, ids=str)
def test_a_fault_does_what_it_promises_until_it_is_mended(demo: Demo, promise: Promise) -> None:
    with broken(demo, promise.fault):
        code, word = promise.ready
        demo.wait_for_word("/readyz", word)
        assert (demo.status("/readyz"), demo.status("/health"), demo.word("/health")) == (code, code, word)
        assert [(demo.status(target), demo.word(target)) for target in ("/livez", "/startupz")] == [(200, "pass")] * 2
        assert demo.status("/products") == promise.products
        wait_until(lambda: promise.output in demo.check(promise.check).get("output", ""), promise.output)
        assert demo.check(promise.check)["status"] == "fail"
        assert broken_faults(demo) == [promise.fault]
    assert demo.status("/readyz") == 200
    assert demo.status("/products") == 200
    assert broken_faults(demo) == []


def test_the_shop_sells_without_recommendations(demo: Demo) -> None:
    assert demo.ask("/products").json()["recommended"]
    with broken(demo, "recommendations"):
        answer = demo.ask("/products").json()
        assert answer["products"]
        assert not answer["recommended"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("fault", ["database", "recommendations"])
def test_breaking_twice_and_mending_twice_is_as_good_as_once(demo: Demo, fault: str, method: str) -> None:
    for verb, state in (("break", [fault]), ("mend", [])):
        assert [demo.ask(f"/{verb}/{fault}", method).status_code for _ in range(2)] == [200, 200]
        assert broken_faults(demo) == state
    demo.wait_for_word("/readyz", "pass")


@pytest.mark.parametrize("verb", ["break", "mend"])
def test_an_unknown_fault_is_answered_with_those_there_are(demo: Demo, verb: str) -> None:
    answer = demo.ask(f"/{verb}/nothing")
    assert answer.status_code == 404
    assert all(promise.fault in answer.text for promise in PROMISES)


def test_a_blocked_loop_answers_nothing_and_recovers_by_itself(demo: Demo) -> None:
    assert "blocked for 3 s" in demo.ask("/break/loop?seconds=3").text
    wait_until(lambda: demo.silent, "the loop is blocked")
    assert demo.status("/mend/loop") == 200
    assert demo.status("/livez") == 200
    demo.wait_for_word("/readyz", "pass")


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "-inf", "soon", ""])
def test_a_loop_cannot_be_blocked_for_less_than_nothing(demo: Demo, seconds: str) -> None:
    answer = demo.ask(f"/break/loop?seconds={seconds}")
    assert (answer.status_code, answer.text) == (400, "seconds must be a number above 0\n")


def test_the_thresholds_shown_are_those_of_the_checks(demo: Demo) -> None:
    shown = {check["name"]: check for check in demo.ask("/state").json()["checks"]}
    assert list(shown) == ["database", "payments", "recommendations", "catalogue"]
    assert shown["database"] == {
        "name": "database",
        "probes": ["readiness"],
        "critical": True,
        "interval": 0.5,
        "retry_interval": 0.5,
        "timeout": 1.0,
        "failure_threshold": 2,
        "success_threshold": 2,
        "stale_after": 2.5,
    }
    assert (shown["recommendations"]["critical"], shown["catalogue"]["probes"]) == (False, ["startup"])
