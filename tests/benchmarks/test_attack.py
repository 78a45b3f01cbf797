import pytest

from benchmarks import attack
from benchmarks.plan import Plan, Progress
from benchmarks.prober import Probe


@pytest.mark.parametrize("case", ["40 pipeline", "300 do not read", f"40 pipeline{attack.UNIX}"])
def test_no_probe_at_the_listener_is_lost_while_others_attack(case: str) -> None:
    assert {probe.status for probe in attack.under_attack(attack.OURS, case)} == {200}


def test_a_probe_that_is_refused_counts_as_one_that_gave_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = {attack.OURS: [Probe(0.1, 200), Probe(0.2, 200)], attack.AGAINST: [Probe(0.01, 200), Probe(0.001, 503)]}
    monkeypatch.setattr(attack, "under_attack", lambda kind, case: answered[kind])
    results = attack.measure(Plan(quick=True), Progress())
    ours, other = (results.find("attack", "40 pipeline", attack.TITLES[kind]) for kind in (attack.OURS, attack.AGAINST))
    assert ours is not None
    assert other is not None
    assert (ours.value.median, other.value.median) == (200.0, 1000 * attack.GIVEN_UP)
    assert ours.ratio is not None
    assert ours.ratio.median == pytest.approx(0.2 / attack.GIVEN_UP)
    assert (ours.note, other.note) == ("", "50% failed")
