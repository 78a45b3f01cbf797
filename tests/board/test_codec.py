"""What is published is read back as it was; what is damaged is refused, and never becomes a healthy worker."""

import json
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_health import Probe, Result, Status
from asgi_health.board.codec import EncodedResults, decode, decode_maintenance, encode, encode_maintenance
from asgi_health.core.lifecycle import Phase
from asgi_health.core.maintenance import Maintenance
from asgi_health.core.stalls import StallTimes
from asgi_health.core.state import UNKNOWN, CheckState
from asgi_health.core.transition import Reason
from asgi_health.core.workers import Worker, WorkerProbe

from .published import published

few = settings(deadline=None, max_examples=40)

NOW = 1000.0
TIMES = 16  # bytes of the two times before the JSON

any_text = st.text(st.characters(), max_size=20)  # with halves of surrogate pairs, as undecodable bytes become
times = st.floats(min_value=0.0, max_value=1e9)
counts = st.integers(min_value=0, max_value=10**6)
statuses = st.sampled_from(Status)
values = st.one_of(any_text, st.booleans(), st.integers(), st.floats(allow_nan=False), st.just(-(10**5000)))
results = st.builds(Result, statuses, any_text, st.dictionaries(any_text, st.tuples(values, any_text), max_size=4))
states = st.just(UNKNOWN) | st.builds(
    CheckState, statuses, results, times, times, times, times, counts, counts, counts, st.booleans()
)
probes = st.builds(
    WorkerProbe,
    statuses,
    st.none() | st.sampled_from(get_args(Reason)),
    st.lists(any_text, max_size=3).map(tuple),
    times,
)
workers = st.builds(
    Worker,
    key=any_text,
    pid=counts,
    started=times,
    updated=times,
    beat=st.none() | times,
    phase=st.sampled_from(Phase),
    startup_passed=st.booleans(),
    drain_ordered_at=st.none() | times,
    stall_times=st.builds(StallTimes, times, times),
    probes=st.fixed_dictionaries(dict.fromkeys(Probe, probes)),
    results=st.none() | st.dictionaries(any_text, states, max_size=3),
)


def types_of(worker: Worker) -> list[type]:
    """Return the types of all observed values: True is equal to 1, and 1 to 1.0."""
    found = [state.result for state in (worker.results or {}).values() if state.result is not None]
    return [type(value) for result in found for value, _ in result.data.values()]


@few
@given(workers)
def test_a_worker_is_read_back_as_it_was(worker: Worker) -> None:
    read = decode(encode(worker))
    assert read == worker
    assert types_of(read) == types_of(worker)


@few
@given(st.builds(Maintenance, st.none() | any_text, any_text, times, times))
def test_a_maintenance_is_read_back_as_it_was(maintenance: Maintenance) -> None:
    assert decode_maintenance(encode_maintenance(maintenance)) == maintenance


def test_what_has_changed_in_its_times_alone_is_not_parsed_again() -> None:
    first = published()
    second = replace(first, updated=first.updated + 1.0, beat=None)
    third = replace(second, phase=Phase.STOPPED)
    known = encode(first), decode(encode(first))
    again = decode(encode(second), known)
    assert again == second
    assert again.probes is known[1].probes
    assert decode(encode(third), known) == third


@few
@given(workers, st.data())
def test_results_that_have_not_changed_are_neither_encoded_nor_parsed_again(
    worker: Worker, data: st.DataObject
) -> None:
    first = replace(worker, results=data.draw(st.dictionaries(any_text, states, max_size=3)))
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(first.results or ["new"])), states, max_size=2))
    second = replace(first, phase=Phase.STOPPED, results={**(first.results or {}), **changes})
    encoded: EncodedResults = {}
    known = encode(first, encoded), decode(encode(first))
    row = encode(second, encoded)
    assert row == encode(second)
    read = decode(row, known)
    assert read == second
    for name, state in (known[1].results or {}).items():
        assert name in changes or (read.results or {})[name] is state
    without = replace(second, results={})
    assert decode(encode(without, encoded), (row, read)) == without
    assert encoded == {}


@few
@given(st.data())
def test_damaged_bytes_raise_nothing_but_value_error(data: st.DataObject) -> None:
    row = bytearray(encode(data.draw(workers)))
    for _ in range(data.draw(st.integers(1, 4))):
        row[data.draw(st.integers(0, len(row) - 1))] = data.draw(st.integers(0, 255))
    for damaged in (bytes(row), bytes(row[: data.draw(st.integers(0, len(row)))])):
        try:
            read = decode(damaged)
        except ValueError:
            continue
        assert encode(read)  # whatever a changed letter makes of it, it is a worker


STATE = CheckState(Status.HEALTHY, Result(Status.HEALTHY), NOW, NOW, NOW, 0.1)
WHOLE = [json.loads(line) for line in encode(published(results={"db": STATE}))[TIMES:].split(b"\n")]
HEAD, DB = 0, 1
PHASE, STARTUP_PASSED, PROBES, LEADS = 3, 4, 8, 9
DB_STATUS, DB_RESULT, DB_TIME, DB_EVIDENCE = ((DB, 1, field) for field in (0, 1, 3, 4))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((HEAD, PROBES, 0, 0), 0),
        ((HEAD, PROBES, 0, 0), 4),
        ((HEAD, PROBES, 0, 0), True),
        ((HEAD, PROBES, 0, 0), 1.0),
        ((HEAD, PROBES, 0, 0), None),
        ((HEAD, PROBES, 0, 0), "HEALTHY"),
        ((HEAD, PROBES, 0, 1), "unknown reason"),
        ((HEAD, PROBES, 0, 1), ["check"]),
        ((HEAD, PROBES, 0, 2), "ab"),
        ((HEAD, PROBES, 0, 3), float("nan")),
        ((HEAD, PROBES, 0, 3), float("inf")),
        ((HEAD, PROBES, 0, 3), 10**400),
        ((HEAD, PROBES), WHOLE[HEAD][PROBES][:3]),
        ((HEAD, PHASE), 9),
        ((HEAD, STARTUP_PASSED), 1),
        ((HEAD, LEADS), []),
        ((DB,), {}),
        ((DB, 0), None),
        ((DB, 1), None),
        (DB_STATUS, True),
        (DB_STATUS, None),
        (DB_RESULT, None),
        (DB_RESULT, [1, "", {"n": [None, ""]}]),
        (DB_RESULT, [1, "", {"n": [["1", "2"], ""]}]),
        (DB_RESULT, [True, "", {}]),
        (DB_TIME, None),
        (DB_EVIDENCE, None),
    ],
)
def test_an_unexpected_value_is_refused(place: tuple[int, ...], value: object) -> None:
    lines = json.loads(json.dumps(WHOLE))
    parent = lines
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    with pytest.raises(ValueError):
        decode(encode(published())[:TIMES] + "\n".join(map(json.dumps, lines)).encode())


def test_two_results_of_one_check_are_refused() -> None:
    row = encode(published(results={"db": STATE}))
    with pytest.raises(ValueError, match="one result of each check"):
        decode(row + b"\n" + row.rpartition(b"\n")[2])


@pytest.mark.parametrize(
    "row", [b"", b"\0" * TIMES, b"\0" * TIMES + b"[" * 100_000, b"\0" * TIMES + b"\xff\xfe", b"{}"]
)
def test_what_is_no_worker_at_all_is_refused(row: bytes) -> None:
    with pytest.raises(ValueError):
        decode(row)
    with pytest.raises(ValueError):
        decode_maintenance(row[TIMES:])
