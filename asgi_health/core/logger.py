"""The logger of the package: a filter or handler that fails costs a record, and nothing else."""

import logging
import sys
from typing import Any


class _Guarded(logging.LoggerAdapter[logging.Logger]):
    """Log as the logger does, and raise nothing of what the application's filters and handlers raise.

    A filter that trips over a record is a fault of the log. Raised here it would end the task or the thread that has
    something to tell: the runner of the checks, the heartbeat of the loop, the watch that holds a signal.
    """

    _said = False

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
        try:
            super().log(level, msg, *args, **kwargs)
        except Exception as error:
            self._say(error)

    def handle(self, record: logging.LogRecord) -> None:
        """Pass on a record that was made elsewhere."""
        try:
            self.logger.handle(record)
        except Exception as error:
            self._say(error)

    def _say(self, error: Exception) -> None:
        if self._said or not logging.raiseExceptions or sys.stderr is None:
            return
        self._said = True
        try:
            sys.stderr.write(f"asgi_health: records are lost, the log raises {type(error).__name__}: {error}\n")
        except Exception:  # where the log is lost, this may be lost too
            return


logger = _Guarded(logging.getLogger("asgi_health"), None)
