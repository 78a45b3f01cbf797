"""Workers and maintenances as bytes, and back. What is read may be damaged: then ValueError is raised."""

import json
from collections.abc import Mapping
from math import isnan
from struct import Struct
from typing import cast, get_args

from ..core.lifecycle import Phase
from ..core.maintenance import Maintenance
from ..core.result import Observed, Result
from ..core.stalls import StallTimes
from ..core.state import CheckState
from ..core.status import Probe, Status
from ..core.transition import Reason
from ..core.workers import Worker, WorkerProbe

FORMAT = 1
"""Number of this format. Each change of it needs the next number: releases share no table, so none misreads another."""

# The two times that change with each turn come first. The rest stays equal until something happens, so that a reader
# parses it once. "Not a number" stands for no beat.
_TIMES = Struct("<dd")
_NO_BEAT = float("nan")

_NEWLINE = b"\n"
"""Begins the result of a check. JSON escapes it in texts."""

_REASONS = frozenset(get_args(Reason))
_STATUSES = {status.value: status for status in Status}
_PHASES = {phase.value: phase for phase in Phase}
_MAX_INTEGER = 2**63
"""Python writes no integer of more than 4,300 digits as a decimal number, so those from here on are hexadecimal."""

# Without ASCII alone: it would join two halves of a surrogate pair, which a message of a driver may hold, into one.
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


EncodedResults = dict[str, tuple[CheckState, bytes]]
"""The results that were encoded last, by the name of the check. A thousand take 4 ms, in which no other thread runs."""


def encode(worker: Worker, encoded: EncodedResults | None = None) -> bytes:
    """Return `worker` as bytes that `decode` turns into an equal one.

    Args:
        worker: The worker.
        encoded: What the last call has left here: only results that have changed are encoded.
    """
    results = worker.results
    fields = (
        worker.key,
        worker.pid,
        worker.started,
        worker.phase.value,
        worker.startup_passed,
        worker.drain_ordered_at,
        worker.stall_times.ready,
        worker.stall_times.live,
        [_probe_fields(worker.probes[probe]) for probe in Probe],
        results is not None,
    )
    times = _TIMES.pack(worker.updated, _NO_BEAT if worker.beat is None else worker.beat)
    return _NEWLINE.join((times + _to_bytes(fields), *_result_lines(results or {}, {} if encoded is None else encoded)))


def _result_lines(results: Mapping[str, CheckState], encoded: EncodedResults) -> list[bytes]:
    for name in encoded.keys() - results.keys():
        del encoded[name]
    for name, state in results.items():
        before = encoded.get(name)
        if before is None or before[0] is not state:
            encoded[name] = state, _to_bytes((name, _state_fields(state)))
    return [encoded[name][1] for name in results]


def decode(row: bytes, known: tuple[bytes, Worker] | None = None) -> Worker:
    """Return the worker that `encode` has written.

    Args:
        row: The bytes.
        known: Another row and its worker: only what differs from it is parsed.
    """
    if len(row) < _TIMES.size:
        raise ValueError(f"worker on the board: found {len(row)} bytes, expected {_TIMES.size} or more")
    updated, beat = _TIMES.unpack_from(row)
    if known is not None and known[0][_TIMES.size :] == row[_TIMES.size :]:
        parsed = known[1]
    else:
        parsed = _parse(row[_TIMES.size :], known)
    return Worker(
        parsed.key,
        parsed.pid,
        parsed.started,
        _time(updated),
        None if isnan(beat) else _time(beat),
        parsed.phase,
        parsed.startup_passed,
        parsed.drain_ordered_at,
        parsed.stall_times,
        parsed.probes,
        parsed.results,
    )


def encode_maintenance(maintenance: Maintenance) -> bytes:
    """Return `maintenance` as bytes that `decode_maintenance` turns into an equal one."""
    return _to_bytes((maintenance.check, maintenance.reason, maintenance.since, maintenance.until))


def decode_maintenance(row: bytes) -> Maintenance:
    """Return the maintenance that `encode_maintenance` has written."""
    check, reason, since, until = _array(_from_bytes(row), 4)
    return Maintenance(None if check is None else _text(check), _text(reason), _time(since), _time(until))


def _parse(row: bytes, known: tuple[bytes, Worker] | None) -> Worker:
    head, *lines = row.split(_NEWLINE)
    key, pid, started, phase, startup_passed, drain_ordered_at, ready, live, probes, leads = _array(
        _from_bytes(head), 10
    )
    return Worker(
        key=_text(key),
        pid=_integer(pid),
        started=_time(started),
        updated=0.0,
        beat=None,
        phase=_phase(phase),
        startup_passed=_flag(startup_passed),
        drain_ordered_at=_optional_time(drain_ordered_at),
        stall_times=StallTimes(_time(ready), _time(live)),
        probes={probe: _probe(each) for probe, each in zip(Probe, _array(probes, len(Probe)), strict=True)},
        results=_results(lines, known) if _flag(leads) else None,
    )


def _results(lines: list[bytes], known: tuple[bytes, Worker] | None) -> dict[str, CheckState]:
    before: dict[bytes, tuple[str, CheckState]] = {}
    if known is not None and known[1].results is not None:
        before = dict(zip(known[0][_TIMES.size :].split(_NEWLINE)[1:], known[1].results.items(), strict=True))
    results = dict(before[line] if line in before else _named_state(line) for line in lines)
    if len(results) < len(lines):
        raise _unexpected(lines, "one result of each check")
    return results


def _named_state(line: bytes) -> tuple[str, CheckState]:
    name, state = _array(_from_bytes(line), 2)
    return _text(name), _state(state)


def _probe_fields(probe: WorkerProbe) -> tuple[object, ...]:
    return (probe.status.value, probe.reason, probe.checks, probe.since)


def _probe(value: object) -> WorkerProbe:
    status, reason, checks, since = _array(value, 4)
    if reason is not None and _text(reason) not in _REASONS:
        raise _unexpected(reason, "a reason")
    names = tuple(_text(name) for name in _array(checks))
    return WorkerProbe(_status(status), cast("Reason | None", reason), names, _time(since))


def _state_fields(state: CheckState) -> tuple[object, ...]:
    return (
        None if state.status is None else state.status.value,
        None if state.result is None else _result_fields(state.result),
        state.since,
        state.time,
        state.evidence,
        state.duration,
        state.failures,
        state.passes,
        state.retries,
        state.passed,
    )


def _state(value: object) -> CheckState:
    status, result, since, time, evidence, duration, failures, passes, retries, passed = items = _array(value, 10)
    if any((each is None) is not (status is None) for each in (result, time, evidence, duration)):
        raise _unexpected(items, "a whole result or none")  # one without a time would never grow stale
    return CheckState(
        status=None if status is None else _status(status),
        result=None if result is None else _result(result),
        since=_time(since),
        time=_optional_time(time),
        evidence=_optional_time(evidence),
        duration=_optional_time(duration),
        failures=_integer(failures),
        passes=_integer(passes),
        retries=_integer(retries),
        passed=_flag(passed),
    )


def _result_fields(result: Result) -> tuple[object, ...]:
    data = {name: (_observed_field(value), unit) for name, (value, unit) in result.data.items()}
    return (result.status.value, result.message, data)


def _result(value: object) -> Result:
    status, message, data = _array(value, 3)
    if not data:
        return Result(_status(status), _text(message))
    return Result(_status(status), _text(message), {name: _observed(pair) for name, pair in _object(data).items()})


def _observed_field(value: float | int | str | bool) -> object:
    large = type(value) is int and not -_MAX_INTEGER <= value < _MAX_INTEGER
    return (hex(value),) if large else value  # type: ignore[arg-type]


def _observed(pair: object) -> Observed:
    value, unit = _array(pair, 2)
    if isinstance(value, str | int | float):
        return value, _text(unit)
    return int(_text(_array(value, 1)[0]), 16), _text(unit)


def _to_bytes(value: object) -> bytes:
    return _to_json(value).encode("utf-8", "surrogatepass")


def _from_bytes(row: bytes) -> object:
    try:
        return json.loads(row.decode("utf-8", "surrogatepass"))
    except RecursionError as error:
        raise ValueError("worker on the board: nested too deeply") from error


def _array(value: object, length: int | None = None) -> list[object]:
    if not isinstance(value, list):
        raise _unexpected(value, "an array")
    items = cast("list[object]", value)
    if length is not None and len(items) != length:
        raise _unexpected(items, f"an array of {length}")
    return items


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _unexpected(value, "an object")
    return cast("dict[str, object]", value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _unexpected(value, "a text")
    return value


def _integer(value: object) -> int:
    if type(value) is not int:  # True and 1.0 are equal to 1, which is the status HEALTHY
        raise _unexpected(value, "an integer")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _unexpected(value, "true or false")
    return value


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MAX_INTEGER:
        raise _unexpected(value, "a time")
    return value


def _optional_time(value: object) -> float | None:
    return None if value is None else _time(value)


def _status(value: object) -> Status:
    status = _STATUSES.get(_integer(value))
    if status is None:
        raise _unexpected(value, "a status")
    return status


def _phase(value: object) -> Phase:
    phase = _PHASES.get(_integer(value))
    if phase is None:
        raise _unexpected(value, "a phase")
    return phase


def _unexpected(value: object, expected: str) -> ValueError:
    text = repr(value)
    return ValueError(f"worker on the board: found {text[:80]}, expected {expected}")
