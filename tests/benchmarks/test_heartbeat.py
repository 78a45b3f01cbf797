from types import SimpleNamespace

import pytest

from benchmarks import heartbeat, load
from benchmarks.load import Load
from benchmarks.plan import Plan, Progress


def test_each_run_is_compared_with_its_neighbour_and_the_order_alternates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def run(url: str, connections: int, seconds: float) -> Load:
        asked.append(url)
        # A machine that gets slower and slower, and a heartbeat that takes a tenth of it.
        per_second = 1000.0 / ((len(asked) + 1) // 2) * (0.9 if url == "1.0" else 1.0)
        return Load(1000, per_second, {"p99": 100.0}, 0, 0)

    monkeypatch.setattr(load, "run", run)
    monkeypatch.setattr(heartbeat, "missing", lambda name: [])
    monkeypatch.setattr(heartbeat, "Server", lambda contender, *, slow_loop: SimpleNamespace(url=str(slow_loop)))
    monkeypatch.setattr(heartbeat, "start", lambda stack, servers, skip: servers)
    results = heartbeat.measure(Plan(quick=True), Progress())
    assert asked[:4] == ["0.0", "1.0", "1.0", "0.0"]
    on = results.find("heartbeat, uvicorn", "16 kept", heartbeat.ON)
    assert on is not None
    assert on.ratio is not None
    assert [on.ratio.low, on.ratio.high] == pytest.approx([0.9, 0.9])
