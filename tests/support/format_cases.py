"""Reports to put into bytes, and what every answer must be."""

import json
from typing import Any

from asgi_health import Check, Probe, Result
from asgi_health.core.report import Report
from asgi_health.formats.answer import Answer
from asgi_health.formats.health_json import health_json
from asgi_health.formats.text import text

from .core_cases import check, serving_engine

WALL = 1_800_000_000.5
"""2027-01-15T08:00:00.500Z"""


def report_of(
    given: dict[Check, Result | None], *, probe: Probe = None, now: float = 10.0, exclude: tuple[str, ...] = ()
) -> Report:
    """Return the report, at `now`, of checks that were run at 0 s and took 0.125 s; None: not answered yet."""
    engine = serving_engine(*given)
    for run in engine.due(0.0).start:
        result = given[run.check]
        if result is not None:
            engine.record(run, result, 0.125)
    return engine.report(probe, now=now, exclude=exclude)


def one(result: Result | None) -> Report:
    """Return the report of a single check."""
    return report_of({check("a"): result})


def both(report: Report) -> tuple[Answer, Answer]:
    """Return a report in both formats, each of them sound."""
    answers = health_json(report, None, wall=WALL), text(report)
    for answer in answers:
        assert sound(answer)
    return answers


def sound(answer: Answer) -> bool:
    """Tell whether an answer is one that every server can send."""
    headers = dict(answer.headers)
    assert len(headers) == len(answer.headers)
    assert headers[b"content-length"] == b"%d" % len(answer.body)
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert all(name == name.lower() for name in headers)
    assert answer.status in (200, 503)
    return True


def read(answer: Answer) -> dict[str, Any]:
    """Return the document of a engine+json answer, read as strictly as JSON may be."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    document = json.loads(answer.body.decode("utf-8"), parse_constant=refuse)
    assert isinstance(document, dict)
    return document
