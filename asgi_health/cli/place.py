"""Where `maintain`, `resume` and `status` go: to an app, by its URL, or to the board of its workers, by its path."""

import os

from .target import Target, parse_url

EXPECTED = "expected http://host:port, https://host, unix:/run/app.sock or a board such as /run/app/health.db"


class BoardFile:
    """The file of a board.

    Attributes:
        path: Its path.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


def parse_place(text: str) -> Target | BoardFile:
    """Return the place that `text` names. Raises ValueError for any other text.

    A file that exists is a board, and so is a name that ends in ``.db``, whose error is then about a file.
    """
    scheme = text.partition(":")[0].lower()
    if scheme not in ("http", "https", "unix", "file") and (text.endswith(".db") or os.path.isfile(text)):
        if not text.isprintable():
            raise ValueError(f"{text!r}: the path has a control character")
        return BoardFile(text)
    try:
        target = parse_url(text)
    except ValueError as error:
        raise ValueError(str(error).partition(": expected http")[0] + f": {EXPECTED}") from None
    if target.file:
        raise ValueError(f"{text!r}: {EXPECTED}")
    if "?" in target.path:
        raise ValueError(f"{target.display_url!r}: the URL must have no query")
    return target


def with_path(target: Target, path: str) -> Target:
    """Return `target` with another path and query."""
    return Target(
        target.display_url,
        path,
        target.authority,
        host=target.host,
        port=target.port,
        secure=target.secure,
        socket=target.socket,
    )
