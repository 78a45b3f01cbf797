"""Print the status of an app, from its details or from the board of its workers."""

import json
import os
import sys

from ...board.interface import BoardUnavailable
from ..app_client import AppClient, Refused, fail
from ..output import write
from ..place import BoardFile
from .app import status_of_app
from .board import status_of_board
from .table import as_text


def status(place: AppClient | BoardFile, *, as_json: bool) -> int:
    """Return 0 when the app is ready; otherwise, or when that is not known, 1."""
    try:
        found = status_of_board(place) if isinstance(place, BoardFile) else status_of_app(place)
    except (BoardUnavailable, Refused) as error:
        if as_json:
            write(1, sys.stdout, json.dumps({"ready": False, "error": str(error)}) + "\n")
        return fail("status", place, error)
    text = json.dumps(found.document) + "\n" if as_json else as_text(found, terminal=_terminal_columns())
    write(1, sys.stdout, text)
    return 0 if found.ready else 1


def _terminal_columns() -> int | None:
    """Return the width of the terminal that stdout is, None where it is none."""
    try:
        return os.get_terminal_size(1).columns or 80 if os.isatty(1) else None
    except OSError:
        return 80
