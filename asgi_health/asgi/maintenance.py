"""Answers requests for the maintenances: shows them, begins one, or ends one before its time."""

import time
from collections.abc import Mapping
from math import isfinite
from urllib.parse import parse_qsl

from ..core.engine import Engine
from ..core.maintenance import MAX_MAINTENANCE, MAX_REASON, subject_of
from ..core.validate import MIN_SECONDS
from ..formats.answer import PLAIN_TEXT, Answer, answer, bad_request
from ..formats.health_json import maintenances_json
from ..runtime import maintenance
from .query import MAX_COMPARED, MAX_QUERY, hint
from .types import Scope

OPTIONS: Mapping[str, tuple[str, ...]] = {"POST": ("check", "seconds", "reason"), "DELETE": ("check",)}
"""The options of the methods. Those that only show the maintenances have none."""

MAX_LISTED = 50
"""Known names of checks in an answer that says which there are."""

SECONDS = f"expected more than 0 and at most {MAX_MAINTENANCE} s, such as seconds=600"


class MaintenanceEndpoint:
    """Answer requests that the policy allows. They change the engine alone, so any thread may answer them.

    A request has no body. Its options are in the query, and every one that is wrong is named: one that was ignored
    could take the app out of the rotation in place of a check.
    """

    __slots__ = ("_engine",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def answer(self, scope: Scope) -> Answer:
        """Return the answer to a request whose method is allowed."""
        method = str(scope.get("method"))
        query = scope.get("query_string")
        if not isinstance(query, bytes):
            query = b""
        if len(query) > MAX_QUERY:
            return bad_request([f"the query has more than {MAX_QUERY} bytes"])
        given: dict[str, list[str]] = {}
        for key, value in parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True):
            given.setdefault(key, []).append(value)
        if problems := self._problems(method, given):
            return bad_request(problems)
        check = given["check"][0] if "check" in given else None
        if method == "DELETE":
            return self._end(check)
        if method == "POST":
            reason = given["reason"][0] if "reason" in given else ""
            return self._begin(check, float(given["seconds"][0]), reason)
        return self._present()

    def _begin(self, check: str | None, seconds: float, reason: str) -> Answer:
        try:
            maintenance.begin(self._engine, check, seconds, reason)
        except KeyError:  # another thread has removed the check since its name was compared
            return bad_request([self._unknown(check or "")])
        return self._present()

    def _end(self, check: str | None) -> Answer:
        present = self._engine.maintenances(self._engine.clock())
        found = next((each for each in present if each.check == check), None)
        if found is None or not maintenance.end(self._engine, found):
            text = f"there is no maintenance of {subject_of(check)}\n"
            return answer(404, PLAIN_TEXT, text.encode())
        return self._present()

    def _present(self) -> Answer:
        now = self._engine.clock()
        return maintenances_json(self._engine.maintenances(now), now, wall=time.time())

    def _problems(self, method: str, given: Mapping[str, list[str]]) -> list[str]:
        """Return what is wrong, a line for each problem. What the request gives is not repeated."""
        known = OPTIONS.get(method, ())
        expected = f"expected {', '.join(known)}" if known else f"{method} takes none"
        unknown = [key for key in given if key not in known]
        found = [f"option: not known{hint(key, known)}{expected}" for key in unknown[:MAX_COMPARED]]
        found += (
            f"{key}: given {len(values)} times; expected once"
            for key, values in given.items()
            if key in known and len(values) > 1
        )
        if "check" in given and "check" in known:
            names = [each.name for each in self._engine.checks]
            found += (self._unknown(name) for name in given["check"][:1] if name not in names)
        if method == "POST":
            found += _problems_of_seconds(given.get("seconds", [""])[0], given="seconds" in given)
            length = len(given.get("reason", [""])[0])
            if length > MAX_REASON:
                found.append(f"reason: {length} characters; expected at most {MAX_REASON}")
        return found

    def _unknown(self, name: str) -> str:
        if not name:
            return "check: empty; expected the name of a check, or no option check for the app"
        names = [each.name for each in self._engine.checks]
        if not names:
            return "check: not known; there is no check here"
        more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
        return f"check: not known{hint(name, names)}checks: {', '.join(names[:MAX_LISTED])}{more}"


def _problems_of_seconds(text: str, *, given: bool) -> list[str]:
    if not given:
        return [f"seconds: not given; {SECONDS}"]
    # Not by float() alone, which takes `1_000`, `nan` and digits of other scripts.
    if not text.isascii() or not text.replace(".", "", 1).isdigit():
        return [f"seconds: not a number; {SECONDS}"]
    seconds = float(text)
    if MIN_SECONDS <= seconds <= MAX_MAINTENANCE:
        return []
    return [f"seconds: {f'{seconds:g} s' if isfinite(seconds) else 'too many'}; {SECONDS}"]
