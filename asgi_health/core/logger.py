"""The logger of the package: a filter or handler that raises loses a record, and has no other effect."""

import logging
import sys
from typing import Any


class _SafeLogger(logging.LoggerAdapter[logging.Logger]):
    """Log as the logger does, and suppress what the application's filters and handlers raise.

    Raised here, an exception of a filter would end the task or the thread that logs: the runner of the checks, the
    heartbeat of the loop, the thread that delays a signal.
    """

    _complained = False

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
        try:
            super().log(level, msg, *args, **kwargs)
        except Exception as error:
            self._complain(error)

    def process(self, msg: object, kwargs: Any) -> tuple[object, Any]:
        """Return the arguments unchanged: those of a LoggerAdapter would replace `extra`."""
        return msg, kwargs

    def handle(self, record: logging.LogRecord) -> None:
        """Handle a record that was made elsewhere."""
        try:
            self.logger.handle(record)
        except Exception as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        if self._complained or not logging.raiseExceptions or sys.stderr is None:
            return
        self._complained = True
        try:
            sys.stderr.write(
                f"asgi_health: log records are lost, a filter or handler raised {type(error).__name__}: {error}\n"
            )
        except Exception:  # stderr may fail too
            return


logger = _SafeLogger(logging.getLogger("asgi_health"), None)
