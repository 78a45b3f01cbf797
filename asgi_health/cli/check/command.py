"""Run every check of an app in a child process, and print the results."""

from . import table
from .outcome import Rows, run_child
from .table import Row


def check(module: str, attribute: str, *, seconds: float, as_json: bool, verbose: bool, allow_empty: bool) -> int:
    """Return 0 when no critical check of the app fails, 1 when one fails or the results are not known.

    Whatever the app does to its process, the result is 0 only if all checks have ended, and without any checks only
    with `allow_empty`.
    """
    options = {"module": module, "attribute": attribute}
    results = _CheckResults(as_json=as_json, allow_empty=allow_empty)
    return run_child("check", f"{__package__}.child_main", options, results, seconds=seconds, verbose=verbose)


class _CheckResults:
    """The results of the checks."""

    def __init__(self, *, as_json: bool, allow_empty: bool) -> None:
        self._as_json = as_json
        self._allow_empty = allow_empty
        self._rows: list[Row] | None = None

    @property
    def known(self) -> bool:
        return self._rows is not None

    @property
    def passed(self) -> bool:
        return not self._refused and not any(row.fails for row in self._rows or ())

    def read(self, rows: Rows) -> None:
        self._rows = [Row(**row) for row in rows]

    def text(self) -> str:
        rows = self._rows or []
        if self._as_json:
            return table.as_json(rows, table.REFUSED if self._refused else "")
        return table.as_table(rows, allow_empty=self._allow_empty)

    def text_without_results(self, error: str) -> str:
        return table.as_json([], error) if self._as_json else ""

    @property
    def _refused(self) -> bool:
        return not self._rows and not self._allow_empty
