"""Each fault changes the probes as documented, and its repair undoes that."""

from dataclasses import dataclass

import pytest

from ..support.waiting import wait_until
from .demo import Demo, broken_and_repaired


@dataclass(frozen=True)
class Expected:
    """The answers during one fault."""

    fault: str
    check: str
    output: str
    ready: tuple[int, str] = (503, "fail")
    products: int = 200

    def __str__(self) -> str:
        return self.fault


EXPECTED = (
    Expected("database", "database", "OperationalError: unable to open database file", products=503),
    Expected("payments-hang", "payments", "timed out after 0.5 s"),
    Expected("payments-stubborn", "payments", "still running after "),
    Expected("recommendations", "recommendations", "ConnectionError: ", ready=(200, "warn")),
)


@pytest.mark.parametrize("expected", EXPECTED, ids=str)
def test_a_fault_changes_the_answers_until_it_is_repaired(demo: Demo, expected: Expected) -> None:
    with broken_and_repaired(demo, expected.fault):
        code, word = expected.ready
        demo.wait_for_status_word("/readyz", word)
        assert (demo.status("/readyz"), demo.status("/health"), demo.status_word("/health")) == (code, code, word)
        assert [(demo.status(target), demo.status_word(target)) for target in ("/livez", "/startupz")] == [
            (200, "pass")
        ] * 2
        assert demo.status("/products") == expected.products
        wait_until(lambda: expected.output in demo.check(expected.check).get("output", ""), expected.output)
        assert demo.check(expected.check)["status"] == "fail"
        assert demo.broken() == [expected.fault]
    assert demo.status("/readyz") == 200
    assert demo.status("/products") == 200
    assert demo.broken() == []


def test_the_shop_works_without_recommendations(demo: Demo) -> None:
    assert demo.request("/products").json()["recommended"]
    with broken_and_repaired(demo, "recommendations"):
        answer = demo.request("/products").json()
        assert answer["products"]
        assert not answer["recommended"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("fault", ["database", "recommendations"])
def test_breaking_and_repairing_are_idempotent(demo: Demo, fault: str, method: str) -> None:
    for verb, state in (("break", [fault]), ("repair", [])):
        assert [demo.request(f"/{verb}/{fault}", method).status_code for _ in range(2)] == [200, 200]
        assert demo.broken() == state
    demo.wait_for_status_word("/readyz", "pass")


@pytest.mark.parametrize("verb", ["break", "repair"])
def test_the_answer_for_an_unknown_fault_lists_the_faults(demo: Demo, verb: str) -> None:
    answer = demo.request(f"/{verb}/nothing")
    assert answer.status_code == 404
    assert all(expected.fault in answer.text for expected in EXPECTED)


def test_a_blocked_loop_does_not_answer_and_recovers_by_itself(demo: Demo) -> None:
    assert "blocked for 3 s" in demo.request("/break/loop?seconds=3").text
    wait_until(lambda: demo.silent, "the loop is blocked")
    assert demo.status("/repair/loop") == 200
    assert demo.status("/livez") == 200
    demo.wait_for_status_word("/readyz", "pass")


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "-inf", "soon", ""])
def test_the_seconds_of_a_blocked_loop_must_be_positive(demo: Demo, seconds: str) -> None:
    answer = demo.request(f"/break/loop?seconds={seconds}")
    assert (answer.status_code, answer.text) == (400, "seconds must be a number above 0\n")
