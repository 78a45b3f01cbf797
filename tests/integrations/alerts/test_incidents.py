"""Which incidents become news, and when: in virtual time, without threads."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_health.integrations.alerts.incidents import Entry, Incidents, Limits, Problem

from .playing import CHANGES, FAIL, HEALTHY, LIMITS, WARN, Change, Player, most_news

QUICK = Limits(wait=2, repeat=600, max_gap=60)


def in_a_gap() -> Player:
    """Return a player at a moment at which no news is possible for a minute, because there was much."""
    player = Player(QUICK)
    while len(player.news) < 7:
        player.turn(FAIL, f"c{len(player.statuses)}").wait(1)
    return player


def test_an_incident_makes_one_alert_reminders_and_one_recovery() -> None:
    player = Player(QUICK).turn(FAIL, "a").wait(1500).turn(HEALTHY, "a").wait(5000)
    assert player.words == ["2 open a", "602 (open a)", "1202 (open a)", "1502 recovered a"]
    (_, alert), *_, (_, recovery) = player.entries("a")
    assert (alert.began, alert.ended) == (1000, None)
    assert (recovery.began, recovery.ended) == (1000, 2500)


def test_what_is_over_within_the_wait_is_no_news() -> None:
    player = Player(QUICK).turn(FAIL, "a").wait(1.9).turn(HEALTHY, "a").wait(5000)
    assert player.words == []


def test_what_recovers_for_less_than_the_wait_has_not_recovered() -> None:
    player = Player(QUICK).turn(FAIL, "a").wait(10).turn(HEALTHY, "a").wait(1.5).turn(FAIL, "a").wait(100)
    assert player.words == ["2 open a"]
    assert player.turn(HEALTHY, "a").wait(100).words == ["2 open a", "113.5 recovered a"]


def test_what_turns_within_the_wait_is_one_news() -> None:
    names = [f"c{number}" for number in range(1000)]
    player = Player(QUICK).turn(FAIL, *names[:500]).wait(1).turn(FAIL, *names[500:]).wait(100)
    ((moment, news),) = player.news
    assert (moment, len(news.entries), len(news.open)) == (1002, 1000, 1000)
    player.turn(HEALTHY, *names).wait(100)
    assert len(player.news) == 2
    assert len(player.news[1][1].entries) == 1000


def test_checks_that_fail_one_after_the_other_make_ever_rarer_news() -> None:
    player = Player(QUICK)
    for number in range(100):
        player.turn(FAIL, f"c{number}").wait(1)
    moments = [moment - 1000 for moment, _ in player.news]
    gaps = [after - before for before, after in pairwise(moments)]
    assert moments[0] == 2
    assert gaps == sorted(gaps)
    assert len(moments) <= 7
    assert player.wait(60).news[-1][1].open[-1] == "c99"


def test_a_short_incident_in_a_gap_is_news_as_a_recovery() -> None:
    player = in_a_gap()
    count = len(player.news)
    player.turn(FAIL, "short").wait(2.5).turn(HEALTHY, "short").wait(60)
    assert [each.state for _, each in player.entries("short")] == ["recovered"]
    assert len(player.news) == count + 1


def test_the_worst_and_the_oldest_come_first() -> None:
    player = Player(QUICK).turn(WARN, "warns").wait(0.1).turn(FAIL, "new").wait(0.1).turn(FAIL, "newer").wait(10)
    assert player.news[0][1].open == ("new", "newer", "warns")


def test_a_warning_that_becomes_a_failure_is_news_once() -> None:
    player = Player(QUICK).turn(WARN, "a").wait(100).turn(FAIL, "a").wait(100).turn(WARN, "a").wait(100)
    player.turn(FAIL, "a").wait(100)
    assert player.words == ["2 open a", "102 open a"]
    assert [each.problem.status for _, each in player.entries("a")] == [WARN, FAIL]


def test_an_incident_that_flaps_makes_one_news_and_one_when_it_is_steady() -> None:
    player = Player(QUICK)
    for _ in range(50):
        player.turn(FAIL, "a").wait(5).turn(HEALTHY, "a").wait(5)
    states = [each.state for _, each in player.wait(2000).entries("a") if each.is_new]
    assert states[-2:] == ["flapping", "recovered"]
    assert states.count("flapping") == 1
    moment, closing = player.entries("a")[-1]
    assert moment == pytest.approx(1000 + 495 + QUICK.flap_quiet)
    assert closing.began == 1000


def test_an_incident_that_stops_flapping_while_it_fails_is_open_again() -> None:
    player = Player(QUICK)
    for _ in range(20):
        player.turn(FAIL, "a").wait(5).turn(HEALTHY, "a").wait(5)
    player.turn(FAIL, "a").wait(QUICK.flap_quiet + 1)
    assert [each.state for _, each in player.entries("a")][-1] == "open"
    assert player.entries("a")[-1][1].is_new
    player.turn(HEALTHY, "a").wait(100)
    assert [each.state for _, each in player.entries("a")][-1] == "recovered"


def test_changes_between_two_looks_count_for_flapping() -> None:
    incidents = Incidents(QUICK)
    problem = Problem(FAIL, "check", "bad", 0.0)
    incidents.observe(0.0, {"a": problem})
    incidents.observe(1.0, {"a": problem}, {"a": 6})
    news = incidents.news(1.0)
    assert news is not None
    assert [(each.state, each.changes) for each in news.entries] == [("flapping", 7)]


def test_reminders_name_what_flaps_too() -> None:
    player = Player(QUICK)
    while player.now < 3000:
        player.turn(FAIL, "a").wait(5).turn(HEALTHY, "a").wait(5)
    reminders = [each for _, each in player.entries("a") if not each.is_new]
    assert {each.state for each in reminders} == {"flapping"}
    assert len(reminders) == 3


def test_of_what_is_muted_only_the_end_is_news() -> None:
    player = Player(QUICK).turn(FAIL, "known", "ends", "audible").wait(10)
    player.muted = {"known", "ends", "new"}
    player.turn(FAIL, "new").wait(10).turn(HEALTHY, "ends").wait(605)
    assert player.words == ["2 open known, open ends, open audible", "22 recovered ends", "622 (open audible)"]
    assert player.news[-1][1].open == ("known", "audible")
    player.turn(HEALTHY, "audible").wait(3000)
    assert player.words[3:] == ["627 recovered audible"]
    player.muted = set()
    player.turn(FAIL, "other").wait(10)
    assert player.words[4:] == ["3625 (open known), open new, open other"]


@pytest.mark.parametrize("limits", [QUICK, Limits(wait=2, repeat=inf)], ids=["reminders", "no reminders"])
def test_what_is_still_wrong_when_it_is_no_longer_muted_is_in_a_reminder(limits: Limits) -> None:
    player = Player(limits).turn(FAIL, "a", "b", "c").wait(10)
    player.muted = {"a", "b"}
    player.turn(FAIL, "a").wait(20)
    player.muted = set()
    player.turn(HEALTHY, "b").wait(100)
    assert player.words == ["2 open a, open b, open c", "32 (open a), (open c), recovered b"]
    player.muted = {"a"}
    player.turn(HEALTHY, "c").wait(10)
    player.muted = set()
    player.turn(HEALTHY, "a").wait(100)
    assert player.words[2:] == ["132 recovered c", "142 recovered a"]


def test_what_flaps_is_not_news_while_it_is_muted() -> None:
    player = Player(QUICK)
    for _ in range(2):
        player.turn(FAIL, "a").wait(5).turn(HEALTHY, "a").wait(5)
    player.muted = {"a"}
    count = len(player.news)
    for _ in range(10):
        player.turn(FAIL, "a").wait(5).turn(HEALTHY, "a").wait(5)
    player.wait(1000)
    assert [words for _, news in player.news[count:] for words in news.entries if words.is_new] == []


def test_a_subject_that_is_not_judged_stays_as_it_was() -> None:
    incidents = Incidents(QUICK)
    incidents.observe(0.0, {"a": Problem(FAIL, "check", "bad", 0.0)})
    assert incidents.news(2.0) is not None
    incidents.observe(10.0, {"b": None})
    assert incidents.news(100.0) is None
    incidents.observe(200.0, {"a": None})
    recovered = incidents.news(202.0)
    assert recovered is not None
    assert recovered.entries[0].ended == 200.0


def test_a_removed_subject_ends_its_incident() -> None:
    incidents = Incidents(QUICK)
    incidents.observe(0.0, {"a": Problem(FAIL, "check", "bad", 0.0), "b": Problem(FAIL, "check", "bad", 0.0)})
    assert incidents.news(2.0) is not None
    incidents.remove("a", 10.0, "it was removed")
    incidents.remove("unknown", 10.0, "it was removed")
    news = incidents.news(12.0)
    assert news is not None
    assert [(each.subject, each.state, each.problem.message) for each in news.entries] == [
        ("a", "recovered", "it was removed")
    ]
    assert incidents.news(13.0) is None
    assert incidents.subjects == ("b",)


def test_the_last_news_does_not_wait_for_the_end_of_a_gap() -> None:
    player = in_a_gap()
    player.turn(FAIL, "due").wait(2.5).turn(FAIL, "young")
    count = len(player.news)
    player.take(last=True)
    assert [each.subject for each in player.news[count][1].entries] == ["due", "young"]


def test_a_message_of_a_check_that_recovers_does_not_replace_its_last_one() -> None:
    incidents = Incidents(QUICK)
    incidents.observe(0.0, {"a": Problem(FAIL, "check", "refused", 0.0)})
    incidents.observe(1.0, {"a": Problem(FAIL, "check", "", 0.0)})
    news = incidents.news(2.0)
    assert news is not None
    assert news.entries[0].problem.message == "refused"


def test_nothing_is_remembered_of_what_is_over() -> None:
    player = Player(QUICK)
    for number in range(300):
        player.turn(FAIL, f"c{number}").wait(3).turn(HEALTHY, f"c{number}").wait(30)
        del player.statuses[f"c{number}"]
    assert len(player.incidents.subjects) < 30
    player.wait(QUICK.flap_window + 1).take()
    assert player.incidents.subjects == ()
    assert player.incidents.next_news == inf


# -- whatever happens


@settings(deadline=None, max_examples=200)
@given(LIMITS, CHANGES)
def test_in_any_hour_there_are_few_news(limits: Limits, changes: list[Change]) -> None:
    player = Player(limits)
    for _ in range(3):
        player.change(*changes)
    moments = [moment for moment, _ in player.news]
    for begin in moments:
        in_hour = sum(begin <= moment < begin + 3600 for moment in moments)
        assert in_hour <= most_news(limits, 3600)


@settings(deadline=None, max_examples=200)
@given(LIMITS, CHANGES)
def test_each_incident_is_named_once_and_ended_once(limits: Limits, changes: list[Change]) -> None:
    player = Player(limits).change(*changes).wait(10_000)
    for subject in ("a", "b", "c"):
        before: Entry | None = None
        for _, entry in player.entries(subject):
            if not entry.is_new:
                assert before is not None
                assert before.state == entry.state
            elif entry.state == "open":
                worse = before is not None and entry.problem.status > before.problem.status
                assert before is None or before.state != "open" or worse
            elif entry.state == "flapping":
                assert before is None or before.state != "flapping"
            else:
                assert entry.ended is not None
                unnamed = before is None or before.state == "recovered"
                assert not unnamed or entry.ended - entry.began >= limits.wait
            before = entry
        status, _ = player.statuses.get(subject, (HEALTHY, 0.0))
        # In the end, people know how it is.
        assert (before is not None and before.state == "open") is (status is not HEALTHY)
    assert set(player.news[-1][1].open if player.news else ()) == {
        subject for subject, (status, _) in player.statuses.items() if status is not HEALTHY
    }


@settings(deadline=None, max_examples=100)
@given(LIMITS, CHANGES)
def test_without_changes_there_are_reminders_and_nothing_else(limits: Limits, changes: list[Change]) -> None:
    player = Player(limits).change(*changes).wait(5000)
    count = len(player.news)
    player.wait(5000)
    later = player.news[count:]
    assert all(not each.is_new and each.state == "open" for _, news in later for each in news.entries)
    gaps = [after - before for (before, _), (after, _) in zip(player.news[count - 1 :], later, strict=False)]
    assert all(gap == pytest.approx(limits.repeat) for gap in gaps)
    fails = any(status is not HEALTHY for status, _ in player.statuses.values())
    assert len(later) == pytest.approx(5000 / limits.repeat if fails else 0, abs=1)


@settings(deadline=None, max_examples=100)
@given(LIMITS, CHANGES, st.lists(st.floats(1000, 5000), max_size=50))
def test_more_looks_make_no_other_news(limits: Limits, changes: list[Change], looks: list[float]) -> None:
    expected = Player(limits).change(*changes).wait(3000).news
    assert Player(limits, looks=looks).change(*changes).wait(3000).news == expected
