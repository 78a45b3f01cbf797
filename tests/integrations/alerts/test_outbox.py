"""What waits for one receiver, and when it is tried again: in virtual time, without threads."""

from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_health.integrations.alerts.incidents import Entry, Limits, News, Problem, State
from asgi_health.integrations.alerts.outbox import MAX_AGE, MAX_PAUSE, MAX_RETRY_AFTER, MAX_SUBJECTS, Batch, Outbox

from .playing import CHANGES, FAIL, HEALTHY, LIMITS, Change, Player, words_of

PROBLEM = Problem(FAIL, "check", "refused", 0.0)


def news(subject: str, state: State, *, ended: float | None = None, is_new: bool = True, message: str = "") -> News:
    problem = Problem(FAIL, "check", message or "refused", 0.0)
    going_on = () if state == "recovered" else (subject,)
    return News((Entry(subject, state, problem, 0.0, ended, is_new=is_new),), going_on)


def taken(outbox: Outbox, now: float) -> Batch:
    batch = outbox.take(now)
    assert batch is not None
    return batch


def test_what_was_received_is_not_sent_again() -> None:
    outbox = Outbox()
    assert outbox.take(0.0) is None
    outbox.put(news("a", "open"))
    batch = taken(outbox, 1.0)
    assert words_of(batch.entries) == ["open a"]
    outbox.succeeded(batch)
    assert outbox.take(2.0) is None
    assert outbox.waiting == 0


def test_what_comes_during_a_try_waits_for_the_next() -> None:
    outbox = Outbox()
    outbox.put(news("a", "open"))
    batch = taken(outbox, 0.0)
    outbox.put(news("a", "recovered", ended=5.0))
    outbox.put(news("b", "open"))
    outbox.succeeded(batch)
    assert words_of(taken(outbox, 6.0).entries) == ["open b", "recovered a"]


def test_a_receiver_that_fails_for_an_hour_gets_one_message_with_the_present_state() -> None:
    player = Player().turn(FAIL, "stays").wait(10)
    for number in range(60):
        player.turn(FAIL, f"c{number}").wait(30).turn(HEALTHY, f"c{number}").wait(30)
    outbox = Outbox()
    moment = 1000.0
    for moment, each in player.news:
        outbox.put(each)
        assert outbox.take(moment) is not None
        outbox.failed(moment, 0.5, None)
    batch = taken(outbox, moment)
    assert {each.subject for each in batch.entries if each.state == "open"} == {"stays"}
    assert len(batch.entries) == 61
    assert len(batch.open) == 1
    assert outbox.merged == len(player.news) - 1 > 50
    outbox.succeeded(batch)
    assert outbox.take(moment) is None


def test_a_reminder_of_what_was_not_received_is_an_alert() -> None:
    outbox = Outbox()
    outbox.put(news("a", "open"))
    assert outbox.take(0.0) is not None
    outbox.failed(0.0, 0.5, None)
    outbox.put(news("a", "open", is_new=False, message="timed out"))
    (entry,) = taken(outbox, 600.0).entries
    assert entry.is_new
    assert entry.problem.message == "timed out"


def test_the_end_of_what_was_never_received_is_no_news_after_an_hour() -> None:
    outbox = Outbox()
    outbox.put(news("received", "open"))
    outbox.succeeded(taken(outbox, 0.0))
    outbox.put(news("received", "recovered", ended=10.0))
    outbox.put(news("unknown", "recovered", ended=10.0))
    assert words_of(taken(outbox, 10.0 + MAX_AGE).entries) == ["recovered received", "recovered unknown"]
    assert words_of(taken(outbox, 10.1 + MAX_AGE).entries) == ["recovered received"]
    assert outbox.dropped == 1


def test_a_message_keeps_its_identity_until_something_is_added() -> None:
    outbox = Outbox()
    outbox.put(news("a", "open"))
    first = taken(outbox, 0.0)
    assert taken(outbox, 1.0).id == first.id
    outbox.put(news("b", "open"))
    second = taken(outbox, 2.0)
    assert second.id != first.id
    outbox.succeeded(second)
    outbox.put(news("a", "open"))
    assert taken(outbox, 3.0).id not in (first.id, second.id)


def test_the_pauses_between_tries_grow_up_to_a_minute_and_end_with_a_success() -> None:
    outbox = Outbox()
    pauses: list[float] = []
    for _ in range(10):
        outbox.failed(100.0, 0.5, None)
        pauses.append(outbox.next_try - 100.0)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert outbox.failures == 10
    for _ in range(2000):
        outbox.failed(100.0, 0.0, None)
    assert outbox.next_try - 100.0 == MAX_PAUSE * 0.75
    outbox.succeeded(Batch("", (), ()))
    assert outbox.next_try < 0
    outbox.failed(100.0, 0.999, None)
    assert 1.24 < outbox.next_try - 100.0 < 1.25


def test_a_receiver_may_ask_for_a_longer_pause_within_limits() -> None:
    outbox = Outbox()
    outbox.failed(0.0, 0.5, 30.0)
    assert outbox.next_try == 30.0
    outbox.failed(0.0, 0.5, 0.1)
    assert outbox.next_try == 2.0
    outbox.failed(0.0, 0.5, 1e9)
    assert outbox.next_try == MAX_RETRY_AFTER


def test_a_refused_message_is_dropped_and_counted() -> None:
    outbox = Outbox()
    outbox.put(news("a", "open"))
    batch = taken(outbox, 0.0)
    outbox.put(news("b", "open"))
    outbox.rejected(batch)
    assert outbox.dropped == 1
    assert words_of(taken(outbox, 1.0).entries) == ["open b"]


def test_the_number_of_subjects_has_a_bound_and_what_is_over_goes_first() -> None:
    outbox = Outbox()
    outbox.put(news("over", "recovered", ended=1.0))
    for number in range(MAX_SUBJECTS):
        outbox.put(news(f"c{number}", "open"))
    assert outbox.waiting == MAX_SUBJECTS
    assert outbox.dropped == 1
    outbox.put(news("one more", "open"))
    assert outbox.dropped == 2
    names = {each.subject for each in taken(outbox, 0.0).entries}
    assert "over" not in names
    assert "c0" not in names


def test_dropping_counts_what_waits() -> None:
    outbox = Outbox()
    outbox.put(news("a", "open"))
    outbox.put(news("b", "open"))
    assert outbox.drop() == 2
    assert (outbox.dropped, outbox.waiting) == (2, 0)
    assert outbox.take(0.0) is None


@settings(deadline=None, max_examples=200)
@given(LIMITS, CHANGES, st.lists(st.sampled_from(["accept", "fail", "fail", "news comes meanwhile"]), max_size=100))
def test_whatever_fails_the_receiver_knows_in_the_end_what_is_open(
    limits: Limits, changes: list[Change], outcomes: list[str]
) -> None:
    outbox = Outbox()
    known: dict[str, Entry] = {}

    def deliver(batch: Batch) -> None:
        for entry in batch.entries:
            known[entry.subject] = entry
            # It never receives the end of what it was notified of twice, nor what is older than what it knows.
            assert entry.ended is None or entry.ended >= entry.began
        outbox.succeeded(batch)

    player = Player(limits).change(*changes).wait(2000)
    for moment, each in player.news:
        outcome = outcomes.pop() if outcomes else "accept"
        if outcome == "news comes meanwhile" and (batch := outbox.take(moment)) is not None:
            outbox.put(each)
            deliver(batch)
            continue
        outbox.put(each)
        batch = outbox.take(moment)
        if batch is not None and outcome == "accept":
            deliver(batch)
        elif batch is not None:
            outbox.failed(moment, 0.5, None)
    if (batch := outbox.take(player.now)) is not None:
        deliver(batch)
    assert outbox.waiting == 0
    still_open = {subject for subject, entry in known.items() if entry.state != "recovered"}
    assert still_open == {subject for subject, (status, _) in player.statuses.items() if status is not HEALTHY}
