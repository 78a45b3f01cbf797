"""Print the status of an app, from its details or from the board of its workers."""

import json
import sys

from ...board.interface import CannotUse
from ..app_client import AppClient, Refused, fail
from ..place import BoardFile
from .app import status_of_app
from .board import status_of_board
from .table import show


def status(place: AppClient | BoardFile, *, as_json: bool) -> int:
    """Return 0 when the app is ready; otherwise, or when that is not known, 1."""
    try:
        found = status_of_board(place) if isinstance(place, BoardFile) else status_of_app(place)
    except (CannotUse, Refused) as error:
        if as_json:
            print(json.dumps({"ready": False, "error": str(error)}))
        return fail("status", place, error)
    if as_json:
        print(json.dumps(found.document))
    else:
        show(found, sys.stdout)
    return 0 if found.ready else 1
