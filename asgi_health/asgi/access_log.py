"""Keeps answered probes out of the access logs of servers. Imported for `quiet=True` alone.

A filter on the logger holds where a filter on a handler does not: `dictConfig` and `fileConfig` replace the handlers of
a logger and keep its filters, and structlog's and loguru's handlers on the root logger get no record that the access
logger has dropped.
"""

import logging
from typing import Any, cast
from urllib.parse import quote

LOGGERS = ("uvicorn.access", "hypercorn.access", "gunicorn.access", "granian.access")
"""gunicorn with uvicorn's worker writes to uvicorn.access."""

MAX_ROOTS = 100
"""Paths at which one app is mounted. A mount with a path parameter has any number of them."""

MAX_BAD_CHECKS = 1000
"""Paths of single checks whose last answer was bad, in one process."""


class AccessLogFilter(logging.Filter):
    """Drop the records of probes that were answered with 200.

    Bad answers stay, and so does the first 200 of a path after a bad answer. A record that the filter does not
    understand stays too. The filter never raises.

    hypercorn writes ``-`` as the status where the client has closed the connection before it notes the end of the
    answer. On trio these are most of the probers that do not keep their connections, and the same answer has a second
    record, with its status. So the record without a status goes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._paths: frozenset[str] = frozenset()
        self._check_parents: frozenset[str] = frozenset()
        self._logged_paths: frozenset[str] = frozenset()
        self._bad: set[str] = set()

    def cover(self, paths: tuple[str, ...], check_parents: tuple[str, ...], logged_paths: tuple[str, ...]) -> None:
        """Drop records of `paths` and of single checks below `check_parents`, and none of `logged_paths`."""
        self._logged_paths |= _as_logged(logged_paths)
        self._check_parents |= _as_logged(check_parents)
        self._paths |= _as_logged(paths)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record stays."""
        # It runs for each request of the app, so it only looks paths up in sets, whose size does not matter.
        try:
            args = cast("Any", record.args)  # a form per server; the except clause decides about every other form
            if record.name == "uvicorn.access":
                path, status = args[2].partition("?")[0], args[4]
            elif record.name == "granian.access":
                path, status = args["path"], args["status"]
            else:
                path, status = args["U"], args["s"]
            if path not in self._paths:
                path = path.removesuffix("/")
                if path not in self._paths and not self._is_check(path):
                    return True
            if status == "-" and record.name == "hypercorn.access":
                return False
            return self._stays(path, int(status))
        except Exception:
            return True

    def _is_check(self, path: str) -> bool:
        return path.rpartition("/")[0] in self._check_parents and path not in self._logged_paths

    def _stays(self, path: str, status: int) -> bool:
        if status == 200:
            if path not in self._bad:
                return False
            self._bad.discard(path)
        # Strangers choose the path that is answered 404 below a probe: those would grow without a bound.
        elif status >= 400 and (path in self._paths or (status == 503 and len(self._bad) < MAX_BAD_CHECKS)):
            self._bad.add(path)
        return True


_FILTER = AccessLogFilter()
"""One for the process, because its access loggers are: each record is looked at once, however many layers there are."""


class QuietPaths:
    """The paths of one HealthMiddleware, which the access log shows below the roots at which its app is mounted.

    Args:
        paths: Paths whose good answers are not logged.
        check_parents: Paths below which single checks have theirs.
        logged_paths: Paths that are always logged, also below one of `check_parents`.
    """

    __slots__ = ("_check_parents", "_logged_paths", "_paths", "_roots")

    def __init__(self, paths: tuple[str, ...], check_parents: tuple[str, ...], logged_paths: tuple[str, ...]) -> None:
        self._paths = paths
        self._check_parents = check_parents
        self._logged_paths = logged_paths
        self._roots: set[str] = set()

    def cover(self, path: object, root: str) -> None:
        """Keep the paths out of the access log, as the server of a request for `path` below `root` writes them.

        The paths of a mounted app are covered below its mount alone: the same path at the root is the outer app's.
        Some servers add the root path to the path, and some do not.
        """
        prefix = root if isinstance(path, str) and path.startswith(f"{root}/") else ""
        if prefix in self._roots or len(self._roots) >= MAX_ROOTS:
            return
        self._roots.add(prefix)
        _FILTER.cover(
            tuple(prefix + each for each in self._paths),
            tuple(prefix + each for each in self._check_parents),
            tuple(prefix + each for each in self._logged_paths),
        )
        for name in LOGGERS:
            logging.getLogger(name).addFilter(_FILTER)


def _as_logged(paths: tuple[str, ...]) -> frozenset[str]:
    """Return the paths in both spellings: uvicorn quotes what it logs, the others log the path of the scope."""
    return frozenset((*paths, *map(quote, paths)))
