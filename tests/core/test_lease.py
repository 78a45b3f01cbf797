"""The lease of a host: whatever the order of the claims, no moment has two holders."""

from hypothesis import given
from hypothesis import strategies as st

from asgi_health.core.lease import Lease, claim

SECONDS = 1.0

claims = st.lists(
    st.tuples(st.floats(0.0, 2.0), st.sampled_from("abc"), st.booleans()), min_size=1, max_size=60
)  # time since the one before, who claims, whether it can lead


@given(claims)
def test_no_moment_has_two_holders_and_each_holder_has_a_term_of_its_own(steps: list[tuple[float, str, bool]]) -> None:
    now = 0.0
    lease: Lease | None = None
    held: dict[int, tuple[str, float]] = {}
    for pause, key, can_lead in steps:
        now += pause
        before = lease
        lease = claim(lease, key, now, SECONDS, can_lead=can_lead)
        if before is not None and now < before.until and before.holder != key:
            assert lease == before, "a lease that has not ended was taken away"
        if lease is not None and now < lease.until:
            assert lease.until <= now + SECONDS
            holder, _ = held.setdefault(lease.term, (lease.holder, now))
            assert holder == lease.holder
            if lease.holder == key:
                assert can_lead or lease == before


def test_a_holder_renews_its_lease_in_the_same_term() -> None:
    assert claim(Lease("a", 3, 10.0), "a", 9.0, SECONDS, can_lead=True) == Lease("a", 3, 10.0)
    assert claim(Lease("a", 3, 10.0), "a", 9.5, SECONDS, can_lead=True) == Lease("a", 3, 10.5)


def test_a_lease_that_has_ended_goes_to_the_first_that_claims_it() -> None:
    assert claim(Lease("a", 3, 10.0), "b", 10.0, SECONDS, can_lead=True) == Lease("b", 4, 11.0)
    assert claim(None, "b", 10.0, SECONDS, can_lead=True) == Lease("b", 1, 11.0)


def test_a_holder_that_is_not_fit_gives_the_lease_up_at_once() -> None:
    given_up = claim(Lease("a", 3, 10.0), "a", 9.5, SECONDS, can_lead=False)
    assert given_up == Lease("a", 3, 9.5)
    assert claim(given_up, "b", 9.5, SECONDS, can_lead=True) == Lease("b", 4, 10.5)


def test_a_worker_that_is_not_fit_gets_no_lease() -> None:
    assert claim(None, "a", 9.5, SECONDS, can_lead=False) is None
    ended = claim(Lease("b", 1, 5.0), "a", 9.5, SECONDS, can_lead=False)
    assert ended == Lease("b", 1, 5.0)


def test_a_lease_that_would_last_longer_than_any_is_from_an_earlier_boot_and_counts_no_more() -> None:
    assert claim(Lease("a", 3, 1e6), "b", 10.0, SECONDS, can_lead=True) == Lease("b", 4, 11.0)
