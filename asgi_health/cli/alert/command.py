"""Send the test messages in a child process, and print what has become of them."""

from collections.abc import Sequence

from ..check.outcome import Rows, run_child
from . import table
from .table import Row


def send_tests(
    app: tuple[str, str] | None, urls: Sequence[str], *, text: str, seconds: float, as_json: bool, verbose: bool
) -> int:
    """Return 0 when every target has accepted the test message, 1 when one has not or that is not known.

    Args:
        app: Module and attribute of the app or of its Alerts; None where `urls` holds the targets.
        urls: URLs of Apprise.
        text: Text of the message; empty for the usual one.
        seconds: Seconds for all of it.
        as_json: Whether JSON is printed, and no table.
        verbose: Whether tracebacks and the log are printed.
    """
    options = {"app": app, "urls": list(urls), "text": text}
    results = _Results(as_json=as_json)
    return run_child("alert test", f"{__package__}.child_main", options, results, seconds=seconds, verbose=verbose)


class _Results:
    """What has become of the message to each target."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._rows: list[Row] | None = None

    @property
    def known(self) -> bool:
        return self._rows is not None

    @property
    def passed(self) -> bool:
        return all(row.sent for row in self._rows or ())

    def read(self, rows: Rows) -> None:
        self._rows = [Row(**row) for row in rows]

    def text(self) -> str:
        rows = self._rows or []
        return table.as_json(rows) if self._as_json else table.as_table(rows)

    def text_without_results(self, error: str) -> str:
        return table.as_json([], error) if self._as_json else ""
