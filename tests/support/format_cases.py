"""Reports for the tests of the formats, and the form of every answer."""

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
    given: dict[Check, Result | None], *, probe: Probe = Probe.HEALTH, now: float = 10.0, exclude: tuple[str, ...] = ()
) -> Report:
    """Return the report, at `now`, of checks that ran at 0 s and took 0.125 s; None: the run goes on."""
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
    """Return the report in both formats, after a check of their form."""
    answers = health_json(report, None, wall=WALL), text(report)
    for each in answers:
        check_form(each)
    return answers


def check_form(answer: Answer) -> None:
    """Check that every server can send the answer."""
    headers = dict(answer.headers)
    assert len(headers) == len(answer.headers)
    assert headers[b"content-length"] == b"%d" % len(answer.body)
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert all(name == name.lower() for name in headers)
    assert answer.status in (200, 503)


def read(answer: Answer) -> dict[str, Any]:
    """Return the document of a health+json answer; fails for what is not JSON in the strict sense."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    document = json.loads(answer.body.decode("utf-8"), parse_constant=refuse)
    assert isinstance(document, dict)
    return document
