"""The demo reports its faults, its alerts and the answers of the shop, and shows metrics, explanations and uptime."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

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


def last_number(demo: Demo) -> int:
    return max((each.number for each in demo.changes()), default=0)


def changes_after(demo: Demo, number: int) -> list[str]:
    """Return the later changes, without the alerts, which arrive seconds after what they report."""
    return [each.text for each in demo.changes() if each.number > number and not each.text.startswith(ALERT)]


def alerts_after(demo: Demo, number: int) -> list[tuple[str, str]]:
    """Return title and tone of the alerts that have arrived later."""
    return [
        (each.text.removeprefix(ALERT), each.tone)
        for each in demo.changes()
        if each.number > number and each.text.startswith(ALERT)
    ]


def test_a_fault_its_repair_and_other_answers_of_the_shop_appear_in_order(demo: Demo) -> None:
    before = last_number(demo)
    with broken_and_repaired(demo, "database"):
        assert demo.status("/break/database") == 200  # it is broken already: no change
        assert [demo.status("/products") for _ in range(2)] == [503, 503]
    assert demo.status("/products") == 200
    assert changes_after(demo, before) == [
        "the database file has been moved away",
        "/products: 200 → 503",
        "the database file is back",
        "/products: 503 → 200",
    ]


def test_an_alert_arrives_at_the_receiver_and_so_does_the_recovery(fresh_demo: Demo) -> None:
    demo = fresh_demo
    before = last_number(demo)
    alert, recovery = ("FAIL: database (shop 1)", "fail"), ("OK: database (shop 1)", "pass")
    with broken_and_repaired(demo, "database"):
        wait_until(lambda: alert in alerts_after(demo, before), lambda: f"{demo.changes()}\n{demo.err}")
    wait_until(lambda: recovery in alerts_after(demo, before), lambda: f"{demo.changes()}\n{demo.err}")


def test_an_alert_arrives_while_the_event_loop_is_blocked(fresh_demo: Demo) -> None:
    demo = fresh_demo
    before = last_number(demo)
    assert demo.status("/break/loop?seconds=12") == 200
    wait_until(lambda: demo.silent, "it does not answer")
    wait_until(lambda: not demo.silent, "it answers again")
    recovery = ("OK: event loop (shop 1)", "pass")
    wait_until(lambda: recovery in alerts_after(demo, before), lambda: f"{demo.changes()}\n{demo.err}")
    found = {each.text: each for each in demo.changes() if each.number > before}
    begin, alert = found["the event loop is blocked for 12 s (at most 15)"], found[f"{ALERT}FAIL: event loop (shop 1)"]
    assert alert.time < begin.time + timedelta(seconds=12.0)
    demo.wait_for_status_word("/readyz", "pass")


def test_changes_have_the_wall_clock_and_rising_numbers(demo: Demo) -> None:
    begin = datetime.now(UTC)
    with broken_and_repaired(demo, "recommendations"):
        demo.wait_for_status_word("/readyz", "warn")
    change = next(each for each in reversed(demo.changes()) if each.text == "recommendations are down")
    assert begin - timedelta(seconds=0.1) <= change.time <= datetime.now(UTC)
    numbers = [each.number for each in demo.changes()]
    assert numbers == sorted({*numbers})


@pytest.mark.parametrize("verb", ["break", "repair"])
def test_a_request_that_changes_nothing_is_no_change(demo: Demo, verb: str) -> None:
    before = last_number(demo)
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
