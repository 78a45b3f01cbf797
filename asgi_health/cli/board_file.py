"""Opens the board of an app's workers for one command."""

from collections.abc import Generator
from contextlib import closing, contextmanager

from ..board.interface import BoardUnavailable, Transaction
from .place import BoardFile

MAGIC = b"SQLite format 3\0"
"""How a file of SQLite begins."""


@contextmanager
def transaction_on(board: BoardFile) -> Generator[Transaction]:
    """Begin a transaction on the board, which is committed at the end of the block. Raises BoardUnavailable.

    A board that does not exist is not made: its workers could not use a file of another user, and the path may be
    mistyped. Nor is a file opened that is none of SQLite: the store would take it for a damaged board, and rename it.
    """
    try:
        with open(board.path, "rb") as file:
            is_board = file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise BoardUnavailable(f"board {board.path!r}: {_reason(error)}") from None
    if not is_board:
        raise BoardUnavailable(f"board {board.path!r}: found a file that is no database of SQLite")
    from ..board.database import open_store  # not at the top: a Python without SQLite still reaches an app

    with closing(open_store(board.path)) as store, store.transaction() as transaction:
        yield transaction


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file; a worker of the app makes it when it starts"
    return error.strerror or type(error).__name__
