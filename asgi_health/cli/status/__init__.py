"""`status`: print what an app says of its checks and workers, or what the board of its workers says.

`command` prints what `app` reads from the details of an app, or `board` from the file of a board; `table` formats it.
"""

from .command import status

__all__ = ["status"]
