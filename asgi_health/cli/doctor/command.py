"""Examine an app in a child process, and print what was found."""

from collections.abc import Sequence
from dataclasses import asdict

from ..check.outcome import Rows, run_child
from . import table
from .finding import Row
from .settings import Given


def diagnose(
    module: str,
    attribute: str,
    given: Given,
    *,
    manifest: str | None,
    container: str | None,
    ignored: Sequence[str],
    start: bool,
    seconds: float,
    as_json: bool,
    verbose: bool,
) -> int:
    """Return 0 when no rule finds an error, 1 when one does or the app cannot be examined.

    Args:
        module: Module of the app.
        attribute: Its name in the module.
        given: What surrounds the app where it is served.
        manifest: A file with a manifest of Kubernetes.
        container: The name of the container in it that runs the app; None: the one that asks a path of the app.
        ignored: The ids of the rules to leave out.
        start: Whether the app is started, and each check runs once.
        seconds: Seconds for all of it.
        as_json: Whether JSON is printed, and no table.
        verbose: Whether tracebacks and the log are printed.
    """
    options = {
        "module": module,
        "attribute": attribute,
        "given": asdict(given),
        "manifest": manifest,
        "container": container,
        "ignored": list(ignored),
        "start": start,
    }
    results = _Findings(as_json=as_json)
    return run_child("doctor", f"{__package__}.child_main", options, results, seconds=seconds, verbose=verbose)


class _Findings:
    """The findings of the child."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._rows: list[Row] | None = None

    @property
    def known(self) -> bool:
        return self._rows is not None

    @property
    def passed(self) -> bool:
        return all(row.severity != "error" for row in self._rows or ())

    def read(self, rows: Rows) -> None:
        self._rows = [Row(**row) for row in rows]

    def text(self) -> str:
        rows = self._rows or []
        return table.as_json(rows) if self._as_json else table.as_text(rows)

    def text_without_results(self, error: str) -> str:
        return table.as_json([], error) if self._as_json else ""
