"""Begin a maintenance, or end one before its time: through the endpoint of an app, or on the board of its workers."""

import sys
import time
from datetime import datetime
from urllib.parse import quote, urlencode

from ..board.interface import BoardUnavailable
from ..core.maintenance import Maintenance, subject_of
from .app_client import AppClient, Refused, fail, fields_of, json_of, list_of, text_of
from .board_file import transaction_on
from .http_response import Response
from .output import write
from .place import BoardFile

DEFAULT_PATH = "/health/maintenance"
"""The path of the endpoint where the URL has none."""


def maintain(place: AppClient | BoardFile, check: str | None, seconds: float, reason: str) -> int:
    """Begin a maintenance of `check`, or of the app for None. Return the exit code."""
    try:
        if isinstance(place, BoardFile):
            until = _begin_on_board(place, check, seconds, reason)
        else:
            until = _begin_at_app(place, check, seconds, reason)
    except (BoardUnavailable, Refused) as error:
        return fail("maintain", place, error)
    write(1, sys.stdout, f"{subject_of(check)} is in maintenance until {until}\n")
    return 0


def resume(place: AppClient | BoardFile, check: str | None) -> int:
    """End the maintenance of `check`, or of the app for None. Return the exit code."""
    try:
        if isinstance(place, BoardFile):
            _end_on_board(place, check)
        else:
            _end_at_app(place, check)
    except (BoardUnavailable, Refused) as error:
        return fail("resume", place, error)
    write(1, sys.stdout, f"{subject_of(check)} is in maintenance no more\n")
    return 0


def _begin_at_app(app: AppClient, check: str | None, seconds: float, reason: str) -> str:
    given = {"check": check, "seconds": f"{seconds:f}".rstrip("0").rstrip("."), "reason": reason or None}
    query = urlencode({name: value for name, value in given.items() if value is not None}, quote_via=quote)
    answer = app.ask("POST", _path_of(app), query)
    if answer.status != 200:
        raise _refusal(answer)
    for each in map(fields_of, list_of(json_of(answer).get("maintenances"))):
        if each and each.get("check") == check:
            try:
                return _local(datetime.fromisoformat(str(each.get("until"))))
            except ValueError:
                break
    raise Refused("the answer does not show the maintenance; is this the endpoint of Paths(maintenance=...)?")


def _end_at_app(app: AppClient, check: str | None) -> None:
    query = "" if check is None else urlencode({"check": check}, quote_via=quote)
    answer = app.ask("DELETE", _path_of(app), query)
    if answer.status != 200:
        raise _refusal(answer)


def _path_of(app: AppClient) -> str:
    return DEFAULT_PATH if app.target.path == "/" else app.target.path


def _refusal(answer: Response) -> Refused:
    text = text_of(answer)
    if answer.status == 400 or (answer.status == 404 and text.startswith("there is no maintenance")):
        return Refused(text)
    expected = "expected the path of Paths(maintenance=...), and a token that allow_maintenance accepts"
    return Refused(f"answered {answer.status}; {expected if answer.status in (401, 404, 405) else 'expected 200'}")


def _begin_on_board(board: BoardFile, check: str | None, seconds: float, reason: str) -> str:
    with transaction_on(board) as transaction:
        now = time.monotonic()
        transaction.put_maintenance(Maintenance(check, reason, now, now + seconds))
    return _local(datetime.fromtimestamp(time.time() + seconds).astimezone())


def _end_on_board(board: BoardFile, check: str | None) -> None:
    with transaction_on(board) as transaction:
        now = time.monotonic()
        if not any(each.check == check and now < each.until for each in transaction.maintenances()):
            raise Refused(f"board {board.path!r}: there is no maintenance of {subject_of(check)}")
        transaction.delete_maintenance(check)


def _local(moment: datetime) -> str:
    return moment.astimezone().isoformat(" ", "seconds")
