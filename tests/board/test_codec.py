"""What is published is read back as it was; what is damaged is refused, and never becomes a healthy worker."""

import json
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_health import Probe, Result, Status
from asgi_health.board.codec import decode, decode_maintenance, encode, encode_maintenance
from asgi_health.core.lifecycle import Phase
from asgi_health.core.maintenance import Maintenance
from asgi_health.core.stalls import StallTimes
from asgi_health.core.state import CheckState
from asgi_health.core.transition import Reason
from asgi_health.core.workers import Worker, WorkerProbe

from .published import published

few = settings(deadline=None, max_examples=40)

TIMES = 16  # bytes of the two times before the JSON

any_text = st.text(st.characters(), max_size=20)  # with halves of surrogate pairs, as undecodable bytes become
times = st.floats(min_value=0.0, max_value=1e9)
counts = st.integers(min_value=0, max_value=10**6)
statuses = st.sampled_from(Status)
values = st.one_of(any_text, st.booleans(), st.integers(), st.floats(allow_nan=False), st.just(-(10**5000)))
results = st.builds(Result, statuses, any_text, st.dictionaries(any_text, st.tuples(values, any_text), max_size=4))
states = st.builds(
    CheckState,
    st.none() | statuses,
    st.none() | results,
    times,
    st.none() | times,
    st.none() | times,
    st.none() | times,
    counts,
    counts,
    counts,
    st.booleans(),
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


WHOLE = json.loads(encode(published(results={"db": CheckState(Status.HEALTHY, Result(Status.HEALTHY))}))[TIMES:])
PHASE, STARTUP_PASSED, PROBES, RESULTS = 3, 4, 8, 9


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((PROBES, 0, 0), 0),
        ((PROBES, 0, 0), 4),
        ((PROBES, 0, 0), True),
        ((PROBES, 0, 0), 1.0),
        ((PROBES, 0, 0), None),
        ((PROBES, 0, 0), "HEALTHY"),
        ((PROBES, 0, 1), "unknown reason"),
        ((PROBES, 0, 1), ["check"]),
        ((PROBES, 0, 2), "ab"),
        ((PROBES, 0, 3), float("nan")),
        ((PROBES, 0, 3), float("inf")),
        ((PROBES, 0, 3), 10**400),
        ((PROBES,), WHOLE[PROBES][:3]),
        ((PHASE,), 9),
        ((STARTUP_PASSED,), 1),
        ((RESULTS,), []),
        ((RESULTS, "db"), None),
        ((RESULTS, "db", 0), True),
        ((RESULTS, "db", 1), [1, "", {"n": [None, ""]}]),
        ((RESULTS, "db", 1), [1, "", {"n": [["1", "2"], ""]}]),
        ((RESULTS, "db", 1), [True, "", {}]),
    ],
)
def test_an_unexpected_value_is_refused(place: tuple[int | str, ...], value: object) -> None:
    document = json.loads(json.dumps(WHOLE))
    parent = document
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    with pytest.raises(ValueError):
        decode(encode(published())[:TIMES] + json.dumps(document).encode())


@pytest.mark.parametrize(
    "row", [b"", b"\0" * TIMES, b"\0" * TIMES + b"[" * 100_000, b"\0" * TIMES + b"\xff\xfe", b"{}"]
)
def test_what_is_no_worker_at_all_is_refused(row: bytes) -> None:
    with pytest.raises(ValueError):
        decode(row)
    with pytest.raises(ValueError):
        decode_maintenance(row[TIMES:])
