"""Of the workers of a host one sends, and no news is lost or sent twice when another one takes its place."""

from asgi_health import Status
from asgi_health.core.workers import Host
from asgi_health.integrations.alerts.incidents import Entry, News, Problem
from asgi_health.integrations.alerts.leader_only import MARGIN, LeaderOnly

from ...support.core_cases import serving_engine
from ...support.hosts import host_of, worker


def news(subject: str) -> News:
    problem = Problem(Status.UNHEALTHY, "check", "refused", 0.0)
    return News((Entry(subject, "open", problem, 0.0),), (subject,))


def led_by_another(seen: float) -> Host:
    """Return a host whose leader published at `seen` for the last time."""
    return host_of(serving_engine(), seen, worker(1, updated=seen), leader="w1")


def test_without_a_board_each_worker_sends() -> None:
    assert LeaderOnly().pass_on(news("a"), 10.0, None, leads=True) == [news("a")]


def test_the_leader_sends_at_once_and_once() -> None:
    host, own = host_of(serving_engine(), 10.0, worker(1)), LeaderOnly()
    assert own.pass_on(news("a"), 10.0, host, leads=True) == [news("a")]
    assert own.pass_on(None, 11.0, host, leads=True) == []


def test_a_worker_that_follows_holds_news_until_the_leader_has_sent_it() -> None:
    own = LeaderOnly()
    assert own.pass_on(news("a"), 10.0, led_by_another(9.9), leads=False) == []
    held = own.holds
    assert own.pass_on(None, 12.1, led_by_another(10.0 + MARGIN), leads=False) == []
    assert (held, own.holds) == (True, False)
    assert own.pass_on(None, 13.0, None, leads=True) == []


def test_a_new_leader_sends_what_the_former_one_could_not() -> None:
    own = LeaderOnly()
    own.pass_on(news("sent"), 10.0, led_by_another(9.9), leads=False)
    own.pass_on(None, 13.0, led_by_another(13.0), leads=False)  # that is its last sign
    own.pass_on(news("lost"), 14.0, host_of(serving_engine(), 14.0, leader=None), leads=False)
    host = host_of(serving_engine(), 15.0)
    assert own.pass_on(news("new"), 15.0, host, leads=True) == [news("lost"), news("new")]


def test_before_the_first_leader_nothing_is_lost() -> None:
    own = LeaderOnly()
    assert own.pass_on(news("a"), 10.0, None, leads=False) == []
    assert own.pass_on(None, 11.0, host_of(serving_engine(), 11.0), leads=True) == [news("a")]
