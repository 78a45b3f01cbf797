"""The demo reports its faults and the transitions, and shows metrics, explanations and uptime."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ..support.waiting import wait_until
from .demo import Demo, broken_and_repaired, running_demo

ALERT = "alert arrived at the receiver: "


@pytest.fixture
def fresh_demo() -> Iterator[Demo]:
    """A demo in which nothing has been broken yet: after many faults its alerts are rarer, and say "flapping"."""
    with running_demo() as demo:
        demo.wait_for_status_word("/readyz", "pass")
        yield demo


def changes(demo: Demo) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = demo.request("/state").json()["changes"]
    return found


def changes_after(demo: Demo, number: int) -> list[str]:
    """Return the later changes, without the alerts, which arrive seconds after what they report."""
    texts = [change["text"] for change in changes(demo) if change["number"] > number]
    return [each for each in texts if not each.startswith(ALERT)]


def alerts_after(demo: Demo, number: int) -> list[tuple[str, str]]:
    """Return title and status of the alerts that have arrived later."""
    return [
        (change["text"].removeprefix(ALERT), change["status"])
        for change in changes(demo)
        if change["number"] > number and change["text"].startswith(ALERT)
    ]


def test_a_fault_and_its_repair_appear_with_their_transitions_in_order(demo: Demo) -> None:
    before = changes(demo)[-1]["number"]
    with broken_and_repaired(demo, "database"):
        demo.wait_for_status_word("/readyz", "fail")
        assert demo.status("/break/database") == 200  # it is broken already: no change
    expected = [
        "the database file has been moved away",
        "check database: pass → fail (OperationalError: unable to open database file)",
        "readiness: pass → fail (check: database)",
        "health: pass → fail (check: database)",
        "the database file is back",
        "check database: fail → pass",
        "readiness: fail → pass (check)",
        "health: fail → pass (check)",
    ]
    wait_until(lambda: len(changes_after(demo, before)) >= len(expected), "all changes")
    assert changes_after(demo, before) == expected


@pytest.mark.parametrize(
    ("fault", "word", "status"), [("database", "FAIL", "fail"), ("recommendations", "WARN", "warn")]
)
def test_an_alert_arrives_at_the_receiver_and_so_does_the_recovery(
    fresh_demo: Demo, fault: str, word: str, status: str
) -> None:
    demo = fresh_demo
    before = changes(demo)[-1]["number"]
    alert, recovery = (f"{word}: {fault} (shop 1)", status), (f"OK: {fault} (shop 1)", "pass")
    with broken_and_repaired(demo, fault):
        wait_until(lambda: alert in alerts_after(demo, before), lambda: f"{changes(demo)}\n{demo.err}")
    wait_until(lambda: recovery in alerts_after(demo, before), lambda: f"{changes(demo)}\n{demo.err}")


def test_an_alert_arrives_while_the_event_loop_is_blocked(fresh_demo: Demo) -> None:
    demo = fresh_demo
    before = changes(demo)[-1]["number"]
    assert demo.status("/break/loop?seconds=12") == 200
    wait_until(lambda: demo.silent, "it does not answer")
    wait_until(lambda: not demo.silent, "it answers again")
    recovery = ("OK: event loop (shop 1)", "pass")
    wait_until(lambda: recovery in alerts_after(demo, before), lambda: f"{changes(demo)}\n{demo.err}")
    texts = [change["text"] for change in changes(demo) if change["number"] > before]
    recovered = max(at for at, text in enumerate(texts) if text.startswith("readiness: fail → pass"))
    assert texts.index(f"{ALERT}FAIL: event loop (shop 1)") < recovered, texts
    demo.wait_for_status_word("/readyz", "pass")


def test_changes_have_the_wall_clock_and_rising_numbers(demo: Demo) -> None:
    begin = datetime.now(UTC)
    with broken_and_repaired(demo, "recommendations"):
        demo.wait_for_status_word("/readyz", "warn")
    change = next(each for each in reversed(changes(demo)) if each["text"] == "recommendations are down")
    assert begin - timedelta(seconds=0.1) <= datetime.fromisoformat(change["time"]) <= datetime.now(UTC)
    numbers = [each["number"] for each in changes(demo)]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("verb", ["break", "repair"])
def test_a_request_that_changes_nothing_is_no_change(demo: Demo, verb: str) -> None:
    before = changes(demo)[-1]["number"]
    target = "/break/loop?seconds=soon" if verb == "break" else "/repair/database"
    demo.request(target)
    assert changes_after(demo, before) == []


def test_every_client_reads_the_metrics_of_the_demo(demo: Demo) -> None:
    with broken_and_repaired(demo, "recommendations"):
        demo.wait_for_status_word("/readyz", "warn")
        answer = demo.request("/health/metrics")
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")
        assert 'asgi_health_check_up{check="recommendations"} 0' in answer.text
        assert 'asgi_health_probe_state{probe="readiness",asgi_health_probe_state="degraded"} 1' in answer.text


def test_a_fault_takes_uptime_from_its_check_and_its_probe(demo: Demo) -> None:
    with broken_and_repaired(demo, "payments-hang"):
        demo.wait_for_status_word("/readyz", "fail")
    details = demo.request("/readyz?explain").json()
    assert details["explain"]["uptime"]["day"] < 100
    assert details["checks"]["payments"][0]["explain"]["uptime"]["day"] < 100
    assert demo.request("/livez?explain").json()["explain"]["uptime"]["day"] == 100
