"""Alerts around real checks: what is sent, what a drain and the end of the app do, what a failing receiver does not."""

import gc
import logging
import threading
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from time import monotonic
from typing import Any, NoReturn, cast

import pytest
from anyio.from_thread import BlockingPortal

from asgi_health import Check, Drain, Health, HealthMiddleware, Listener, Status, degraded
from asgi_health.core.stalls import StallTimes
from asgi_health.integrations.alerts import Alerts, DeliveryError, Message, Rejected, Target
from asgi_health.integrations.alerts import observer as observing
from asgi_health.integrations.alerts import outbox as waiting_news
from asgi_health.integrations.alerts import problems as judging
from tests.apps import plain_app
from tests.support.app_thread import BOTH, Blocked, our_threads, running_app
from tests.support.waiting import wait_until

from .receiving import Hanging, Receiver, unavailable

QUICK: dict[str, Any] = {"interval": 0.02, "retry_interval": 0.02, "failure_threshold": 1, "timeout": 1.0}


class Switch:
    """A dependency that fails while it is broken."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken

    async def __call__(self) -> None:
        if self.broken:
            raise ConnectionError("postgresql://shop:hunter2@db/shop refused")


async def pass_() -> None:
    """Pass."""


async def fail() -> NoReturn:
    raise ConnectionError("refused")


def alerts_to(*targets: Target, **options: Any) -> Alerts:
    return Alerts(targets, **{"wait": 0.05, "service": "shop", **options})


@contextmanager
def serving(health: Health, *integrations: Alerts, loop: str = "asyncio", **options: Any) -> Iterator[BlockingPortal]:
    """An app with these checks that serves, in a loop of another thread."""
    with running_app(HealthMiddleware(plain_app, health, integrations=integrations, **options), loop) as portal:
        yield portal


def dropped(alerts: Alerts) -> list[int]:
    return [each.dropped for each in alerts.statistics()]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Generator[None]:
    before = our_threads()
    yield
    wait_until(lambda: our_threads() <= before, lambda: f"threads are left: {our_threads() - before}")


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_news, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(waiting_news, "MAX_PAUSE", 0.05)


# -- what is sent


def test_one_alert_reminders_and_one_recovery() -> None:
    receiver, database = Receiver(), Switch()
    with serving(Health([Check("database", database, **QUICK)]), alerts_to(receiver, repeat=0.3)):
        database.broken = True
        receiver.wait_for("alert", "repeat", "repeat")
        database.broken = False
        wait_until(lambda: receiver.kinds[-1] == "recovery", "it recovers")
    alert, *_, recovery = receiver.messages
    assert alert.title == "FAIL: database (shop)"
    assert "refused" in alert.text
    assert "hunter2" not in alert.text
    (incident,) = alert.incidents
    assert (incident.subject, incident.cause, incident.critical, incident.status) == ("database", "check", True, "fail")
    assert incident.failures > 0
    assert recovery.incidents[0].duration > 0.5
    assert set(receiver.kinds[1:-1]) == {"repeat"}


def test_a_dependency_that_fails_from_the_start_is_an_incident() -> None:
    receiver = Receiver()
    with serving(Health({"database": fail}), alerts_to(receiver)):
        receiver.wait_for("alert")


def test_a_thousand_checks_that_turn_at_once_are_one_message() -> None:
    receiver, switch = Receiver(), Switch(broken=True)
    checks = [Check(f"c{number}", switch, interval=2.0, retry_interval=1.0) for number in range(1000)]
    with serving(Health(checks), alerts_to(receiver, wait=3.0)):
        receiver.wait_for("alert")
        switch.broken = False
        wait_until(lambda: receiver.messages[-1].open == 0, "all have recovered")
    alert, *recoveries = receiver.messages
    assert len(alert.incidents) + alert.more == alert.open == 1000
    # They run again one after the other.
    assert sum(len(each.incidents) + each.more for each in recoveries) == 1000
    assert len(recoveries) <= 3
    assert max(len(each.text) for each in receiver.messages) < 2000


def test_a_check_that_flaps_makes_one_message_and_then_silence() -> None:
    receiver, database = Receiver(), Switch()
    health = Health([Check("database", database, **QUICK)])
    with serving(health, alerts_to(receiver)):
        for _ in range(30):
            database.broken = not database.broken
            expected = Status.UNHEALTHY if database.broken else Status.HEALTHY
            wait_until(lambda expected=expected: health.report().checks[0].status is expected, "it turns")  # type: ignore[misc]
        wait_until(lambda: "flapping" in receiver.kinds, "it flaps")
        count = len(receiver.kinds)
        for _ in range(10):
            database.broken = not database.broken
            expected = Status.UNHEALTHY if database.broken else Status.HEALTHY
            wait_until(lambda expected=expected: health.report().checks[0].status is expected, "it turns")  # type: ignore[misc]
    assert receiver.kinds.count("flapping") == 1
    assert len(receiver.kinds) == count <= 6


def test_warnings_and_optional_checks_are_sent_where_the_minimum_says_so() -> None:
    failures, warnings = Receiver("failures"), Receiver("warnings")
    health = Health(
        [
            Check("disk", lambda: degraded("90 % full"), **QUICK),
            Check("mail", fail, critical=False, **QUICK),
            Check("database", fail, **QUICK),
        ]
    )
    with serving(health, alerts_to(failures, wait=1.0), alerts_to(warnings, wait=1.0, minimum=Status.DEGRADED)):
        failures.wait_for("alert")
        warnings.wait_for("alert")
    assert [(each.subject, each.status) for each in failures.messages[0].incidents] == [("database", "fail")]
    assert {(each.subject, each.status, each.critical) for each in warnings.messages[0].incidents} == {
        ("database", "fail", True),
        ("disk", "warn", True),
        ("mail", "warn", False),
    }


def test_a_blocked_loop_alerts_while_it_is_blocked() -> None:
    receiver = Receiver()
    listener = Listener("127.0.0.1:0", stall_ready=0.2)
    with serving(Health([Check("a", pass_, **QUICK)]), alerts_to(receiver), listener=listener) as portal:
        with Blocked(portal):
            receiver.wait_for("alert")
        receiver.wait_for("alert", "recovery")
    alert, recovery = receiver.messages
    assert [(each.subject, each.cause) for each in alert.incidents] == [("event loop", "stalled")]
    assert alert.title == "FAIL: event loop (shop)"
    assert [each.subject for each in recovery.incidents] == ["event loop"]
    assert recovery.incidents[0].duration >= 0.2


def test_a_blocked_loop_alerts_without_a_listener_and_the_stale_results_are_the_same_incident(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("asgi_health.runtime.loop_services.StallTimes", lambda: StallTimes(ready=1.0))
    real, looks = judging.problems_of, []

    def look(engine: Any, figures: Any, minimum: Any, now: float, last_late: float) -> Any:
        problems = real(engine, figures, minimum, now, last_late)
        looks.append((now, last_late, problems is not None and problems.late))
        return problems

    monkeypatch.setattr(observing, "problems_of", look)
    receiver = Receiver()
    check = Check("a", pass_, interval=0.02, timeout=0.05, max_age=1.0)
    health = Health([check])
    with serving(health, alerts_to(receiver)) as portal:
        with Blocked(portal):
            receiver.wait_for("alert")
            wait_until(lambda: health.report().reason == "stale", "the result is stale")
            threading.Event().wait(0.5)
        receiver.wait_for("alert", "recovery")
    assert [[each.subject for each in message.incidents] for message in receiver.messages] == [["event loop"]] * 2
    ends = [(now, last_late) for (*_, was_late), (now, last_late, late) in pairwise(looks) if was_late and not late]
    assert ends
    assert all(now == last_late for now, last_late in ends)


def test_a_check_that_is_removed_ends_its_incident() -> None:
    receiver = Receiver()
    health = Health([Check("database", fail, **QUICK), Check("cache", fail, **QUICK)])
    with serving(health, alerts_to(receiver, wait=0.5)):
        receiver.wait_for("alert")
        health.remove("database")
        receiver.wait_for("alert", "recovery")
    (incident,) = receiver.messages[1].incidents
    assert (incident.subject, incident.message) == ("database", "the check was removed")


# -- start, drain, end


def test_start_drain_and_end_are_no_incidents() -> None:
    receiver = Receiver()
    health = Health([Check("a", pass_, **QUICK)])
    alerts = alerts_to(receiver, minimum=Status.DEGRADED)
    for _ in range(2):
        with serving(health, alerts):
            wait_until(lambda: health.report().status is Status.HEALTHY, "it passes")
            health.drain()
            threading.Event().wait(0.3)
    assert receiver.messages == []


def test_what_is_open_at_the_end_has_no_recovery_and_alerts_again_after_the_next_start() -> None:
    receiver, database = Receiver(), Switch(broken=True)
    health = Health([Check("database", database, **QUICK)])
    alerts = alerts_to(receiver)
    for count in (1, 2):
        with serving(health, alerts):
            receiver.wait_for(*["alert"] * count)
        assert receiver.kinds == ["alert"] * count
    database.broken = False
    with serving(health, alerts):
        wait_until(lambda: health.report().status is Status.HEALTHY, "it passes")
    assert receiver.kinds == ["alert"] * 2
    assert alerts.statistics()[0].sent == 2


def test_while_the_app_drains_a_failure_is_no_news_and_a_recovery_is() -> None:
    receiver, database, cache = Receiver(), Switch(broken=True), Switch()
    health = Health([Check("database", database, **QUICK), Check("cache", cache, **QUICK)])
    with serving(health, alerts_to(receiver, repeat=0.2), drain=Drain(delay=5.0)):
        wait_until(lambda: "alert" in receiver.kinds, "it fails")
        health.drain()
        threading.Event().wait(0.5)
        count = len(receiver.messages)
        cache.broken = True
        wait_until(lambda: health.report().checks[1].status is Status.UNHEALTHY, "the cache fails too")
        threading.Event().wait(0.5)
        assert len(receiver.messages) == count
        database.broken = False
        wait_until(lambda: len(receiver.messages) > count, "it recovers")
    assert receiver.kinds[count:] == ["recovery"]
    assert [each.subject for each in receiver.messages[-1].incidents] == ["database"]


def test_a_check_in_maintenance_alerts_when_that_ends_and_it_still_fails() -> None:
    receiver, database = Receiver(), Switch()
    health = Health([Check("database", database, **QUICK)])
    with serving(health, alerts_to(receiver, minimum=Status.DEGRADED)):
        wait_until(lambda: health.report().status is Status.HEALTHY, "it passes")
        end = health.maintain("database", 60.0)
        database.broken = True
        wait_until(lambda: health.report().checks[0].status is Status.UNHEALTHY, "it fails")
        threading.Event().wait(0.3)
        assert receiver.messages == []
        end()
        receiver.wait_for("alert")
        health.maintain("database", 60.0)
        threading.Event().wait(0.3)
        assert receiver.kinds == ["alert"]
        database.broken = False
        receiver.wait_for("alert", "recovery")


@pytest.mark.parametrize("name", ["database", None], ids=["check", "app"])
@pytest.mark.parametrize("known", [False, True], ids=["fails meanwhile", "failed before"])
def test_a_maintenance_that_ends_by_itself_says_what_still_fails(name: str | None, known: bool) -> None:
    receiver, database = Receiver(), Switch(broken=known)
    health = Health([Check("database", database, **QUICK)])
    with serving(health, alerts_to(receiver)):
        if known:
            receiver.wait_for("alert")
        else:
            wait_until(lambda: health.report().status is Status.HEALTHY, "it passes")
        count = len(receiver.messages)
        end = health.maintain(name, 60.0)
        database.broken = True
        wait_until(lambda: health.report().checks[0].status is Status.UNHEALTHY, "it fails")
        ends = monotonic() + 0.3
        health.maintain(name, 0.3)
        wait_until(lambda: len(receiver.messages) > count, "it says so")
        assert monotonic() >= ends
        end()  # of the first one, without effect
        database.broken = False
        wait_until(lambda: receiver.kinds[-1] == "recovery", "it recovers")
    assert receiver.kinds[count:] == ["repeat" if known else "alert", "recovery"]


def test_what_is_due_when_the_app_stops_is_sent_before_its_end() -> None:
    receiver = Receiver()
    switches = {f"c{number}": Switch() for number in range(6)}
    health = Health([Check(name, switch, **QUICK) for name, switch in switches.items()])
    with serving(health, alerts_to(receiver, wait=0.1)):
        for count in range(1, 6):  # each makes the gap to the next message longer: 1.6 s in the end
            switches[f"c{count}"].broken = True
            receiver.wait_for(*["alert"] * count)
        switches["c0"].broken = True
        wait_until(lambda: health.report().checks[0].status is Status.UNHEALTHY, "it fails")
        threading.Event().wait(0.9)
        assert receiver.kinds == ["alert"] * 5
    assert receiver.kinds == ["alert"] * 6
    assert [each.subject for each in receiver.messages[-1].incidents] == ["c0"]


# -- receivers that fail


def test_a_receiver_that_fails_gets_one_message_with_everything_when_it_accepts_again(
    quick_retries: None, caplog: pytest.LogCaptureFixture
) -> None:
    broken, works = Receiver("broken"), Receiver("works")
    broken.fails = unavailable
    database, cache = Switch(broken=True), Switch()
    health = Health([Check("database", database, **QUICK), Check("cache", cache, **QUICK)])
    alerts = alerts_to(broken, works)
    with caplog.at_level(logging.INFO, "asgi_health"), serving(health, alerts):
        works.wait_for("alert")
        wait_until(lambda: broken.tries > 3, "it is tried again")
        cache.broken = True
        works.wait_for("alert", "alert")
        database.broken = False
        works.wait_for("alert", "alert", "recovery")
        assert broken.messages == []
        assert alerts.statistics()[0].last_error == "HTTP 500"
        assert alerts.statistics()[0].waiting == 2
        broken.fails = lambda: None
        broken.wait_for("alert")
        wait_until(lambda: alerts.statistics()[0].last_error is None, "the success counts")
    (message,) = broken.messages
    assert [(each.subject, each.state) for each in message.incidents] == [("cache", "open"), ("database", "recovered")]
    statistics = alerts.statistics()[0]
    assert statistics.sent == 1
    assert statistics.failed == broken.tries - 1
    assert statistics.retried == broken.tries - 1
    assert statistics.merged == 2
    assert (statistics.dropped, statistics.waiting) == (0, 0)
    records = [record.getMessage() for record in caplog.records if record.getMessage().startswith("alerts:")]
    assert len(records) == 2
    assert records[0].startswith("alerts: broken has not accepted a message: HTTP 500")
    assert records[1] == f"alerts: broken accepts messages again, after {broken.tries - 1} failed tries"


def test_a_receiver_that_hangs_delays_no_other_receiver_no_check_and_not_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hanging, works, database = Hanging(), Receiver("works"), Switch(broken=True)
    health = Health([Check("database", database, **QUICK)])
    alerts = alerts_to(hanging, works)
    with serving(health, alerts):
        works.wait_for("alert")
        wait_until(lambda: hanging.tries == 1, "it hangs")
        database.broken = False
        works.wait_for("alert", "recovery")
        database.broken = True
        works.wait_for("alert", "recovery", "alert")
        began = monotonic()
    assert monotonic() - began < 10
    assert hanging.messages == []
    assert dropped(alerts) == [1, 0]
    assert any("hanging was not notified of 1 incident" in record.getMessage() for record in caplog.records)
    with serving(health, alerts):  # the thread that hangs is used again
        works.wait_for("alert", "recovery", "alert", "alert")
        hanging.release.set()
        wait_until(lambda: len(hanging.messages) == 2, "it goes on")
    assert hanging.messages[1].kind == "alert"


def test_a_receiver_that_hangs_is_logged_once_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("asgi_health.integrations.alerts.delivery.TIMEOUT", -0.5)
    monkeypatch.setattr(observing, "POLL", 0.02)
    hanging = Hanging()
    alerts = alerts_to(hanging)
    with serving(Health([Check("database", fail, **QUICK)]), alerts):
        wait_until(lambda: alerts.statistics()[0].late == 1, "it is late")
        threading.Event().wait(0.2)
        hanging.release.set()
    assert sum("has not returned within its timeout" in record.getMessage() for record in caplog.records) == 1


def test_a_message_that_is_refused_is_not_tried_again(quick_retries: None, caplog: pytest.LogCaptureFixture) -> None:
    receiver, database = Receiver(), Switch(broken=True)
    receiver.fails = lambda: Rejected("HTTP 400")
    health = Health([Check("database", database, **QUICK)])
    alerts = alerts_to(receiver)
    with serving(health, alerts):
        wait_until(lambda: receiver.tries == 1, "it is tried")
        threading.Event().wait(0.3)
        assert receiver.tries == 1
        receiver.fails = lambda: None
        database.broken = False
        receiver.wait_for("recovery")
    assert dropped(alerts) == [1]
    assert any("refused a message, which is lost: HTTP 400" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "error", [ValueError("https://hooks/services/T0/B0/s3cret"), SystemExit(), KeyboardInterrupt()]
)
def test_a_target_that_raises_anything_is_tried_again_and_its_text_is_not_shown(
    quick_retries: None, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    receiver = Receiver()
    receiver.fails = lambda: error
    alerts = alerts_to(receiver)
    with serving(Health([Check("database", fail, **QUICK)]), alerts):
        wait_until(lambda: receiver.tries > 2, "it is tried again")
        assert alerts.statistics()[0].last_error == type(error).__name__
        receiver.fails = lambda: None
        receiver.wait_for("alert")
    assert "s3cret" not in caplog.text


class RetryAfterElsewhere(Exception):
    """What client libraries raise: an attribute of the same name, of another type."""

    retry_after = timedelta(hours=1)


class Unreadable(DeliveryError):
    def __init__(self) -> None:
        super().__init__("unreadable")
        self.retry_after = cast("float", "soon")

    def __str__(self) -> str:
        raise LookupError("no text")


@pytest.mark.parametrize("error", [RetryAfterElsewhere(), Unreadable(), DeliveryError("x", retry_after=float("nan"))])
def test_no_attribute_of_an_exception_ends_the_delivery(quick_retries: None, error: Exception) -> None:
    receiver = Receiver()
    receiver.fails = lambda: error if receiver.tries < 3 else None
    with serving(Health([Check("database", fail, **QUICK)]), alerts_to(receiver)):
        receiver.wait_for("alert")


@pytest.mark.parametrize("loop", BOTH)
def test_a_receiver_that_fails_at_the_end_is_tried_once_and_does_not_delay_the_end(loop: str) -> None:
    receiver = Receiver()
    receiver.fails = lambda: DeliveryError("refused", retry_after=500)
    alerts = alerts_to(receiver)
    with serving(Health([Check("database", fail, **QUICK)]), alerts, loop=loop):
        wait_until(lambda: receiver.tries == 1, "it is tried")
    assert receiver.tries == 2
    assert dropped(alerts) == [1]


# -- threads, forks, memory


def test_an_app_that_is_collected_ends_its_alerts() -> None:
    receiver = Receiver()

    def lost() -> "weakref.ref[Health]":
        health = Health([Check("a", pass_)])
        alerts_to(receiver).start(health)
        return weakref.ref(health)

    reference = lost()
    wait_until(lambda: gc.collect() >= 0 and reference() is None, "the Health is collected")


def test_alerts_watch_one_app_at_a_time() -> None:
    alerts = alerts_to(Receiver())
    first, second = Health(), Health()
    alerts.start(first)
    with pytest.raises(RuntimeError, match="watch another app"):
        alerts.start(second)
    alerts.start(first)
    alerts.stop()
    alerts.stop()
    alerts.start(second)
    alerts.stop()


@pytest.mark.parametrize("started", [0, 1, 2])
def test_where_the_system_gives_no_thread_the_app_starts_without_alerts(
    started: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = threading.Thread.start
    threads: list[threading.Thread] = []

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("asgi-health alerts"):
            if len(threads) == started:
                raise RuntimeError("can't start new thread")
            threads.append(thread)
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    health = Health({"a": pass_})
    with serving(health, alerts_to(Receiver("a"), Receiver("b"))):
        wait_until(lambda: health.report().status is Status.HEALTHY, "the app serves")
    assert len(threads) == started
    assert "integration Alerts cannot start" in caplog.text


def test_a_stop_without_a_start_does_nothing() -> None:
    alerts = alerts_to(Receiver())
    alerts.stop()
    assert alerts.statistics()[0].sent == 0


def test_no_thread_is_started_before_the_app_starts() -> None:
    before = our_threads()
    HealthMiddleware(plain_app, {"a": pass_}, integrations=[alerts_to(Receiver())])
    assert our_threads() == before


def test_a_clock_that_raises_is_logged_once_and_the_look_repeated(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(observing, "PAUSE_AFTER_FAILURE", 0.02)
    receiver, calls = Receiver(), []
    real = judging.problems_of

    def fail_at_first(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) < 4:
            raise OSError("no clock")
        return real(*arguments)

    monkeypatch.setattr(observing, "problems_of", fail_at_first)
    with serving(Health([Check("database", fail, **QUICK)]), alerts_to(receiver)):
        receiver.wait_for("alert")
    assert sum("the look at the checks failed" in record.getMessage() for record in caplog.records) == 1


# -- arguments


class Async:
    name = "async"

    async def send(self, message: Message, /, timeout: float) -> None:
        """No thread awaits it."""


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ("slack://a/b/c", {}, "alerts: targets must be a list of URLs and Targets, not one of str"),
        (7, {}, "alerts: targets must be a list of URLs and Targets, not one of int"),
        ([], {}, "alerts: targets is empty; expected at least one URL or Target"),
        (
            [7],
            {},
            "alerts: a target must be a URL of Apprise or an object with a name and a method send, not one of int",
        ),
        ([Receiver], {}, "alerts: a target must be .* not one of type"),
        ([Async()], {}, "alerts: send of Async must be a plain function, because a thread calls it"),
        (None, {"minimum": Status.HEALTHY}, "alerts: minimum must be Status.DEGRADED or Status.UNHEALTHY"),
        (None, {"minimum": "fail"}, "alerts: minimum must be of type Status, not 'fail'"),
        (None, {"wait": 0}, "alerts: wait must be a positive, finite number of seconds, not 0"),
        (None, {"repeat": -1}, "alerts: repeat must be a positive, finite number of seconds, not -1"),
        (None, {"repeat": 1, "wait": 2}, "alerts: repeat 1 s must not be shorter than wait 2 s"),
        (None, {"service": 7}, "alerts: service must be of type str, not 7"),
    ],
)
def test_arguments_that_could_not_work_are_errors(arguments: Any, options: dict[str, Any], error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        Alerts([Receiver()] if arguments is None else arguments, **options)


def test_targets_of_the_same_name_are_counted_apart() -> None:
    names = [each.name for each in alerts_to(Receiver("a"), Receiver("a"), Receiver("b\x1b")).statistics()]
    assert names == ["a", "a (2)", "b"]


def test_without_reminders_there_is_none() -> None:
    receiver = Receiver()
    with serving(Health([Check("database", fail, **QUICK)]), alerts_to(receiver, repeat=0)):
        receiver.wait_for("alert")
        threading.Event().wait(0.3)
    assert receiver.kinds == ["alert"]


def test_a_receiver_is_a_target() -> None:
    assert cast("Target", Receiver()).name == "receiver"
