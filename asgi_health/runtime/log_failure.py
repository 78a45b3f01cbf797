"""Logs a failure of the app's code with its traceback, cleaned: the text of an exception may hold anything."""

from traceback import format_exception
from typing import Any

from ..core.logger import logger
from ..formats.redact.clean import clean


def log_failure(
    level: int, text: str, *values: object, error: BaseException | None, extra: dict[str, Any] | None = None
) -> None:
    """Log one line. The traceback of `error` follows, indented, so that none of its lines looks like a record."""
    if not logger.isEnabledFor(level):
        return
    file, line, function, _ = logger.logger.findCaller(stacklevel=2)
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = logger.logger.makeRecord(logger.name, level, file, line, text, values, exc_info, function, extra)
    if exc_info is not None:
        # A formatter takes this text, and does not make its own from the exception, which would not be cleaned.
        traced = clean("".join(format_exception(*exc_info))).rstrip("\n")
        record.exc_text = "\n".join(f"  {each}" for each in traced.split("\n"))
    logger.handle(record)
