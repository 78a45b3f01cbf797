"""Log records where the application configures no log: with time and level, unlike Python's own last resort."""

import logging
import sys

LOGGER = "asgi_health"


class LastResort(logging.Handler):
    """Print a warning to stderr, unless the record reaches any other handler.

    uvicorn by itself configures its own loggers only. Then `logging.lastResort` prints the message and nothing else, so
    that the line names neither its logger nor its time. Python uses it only where a logger has no handler at all. This
    handler does the same, so that a log that is configured later gets each record once.

    NullHandler, which libraries are advised to have, would lose the warnings of an app that configures no log.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self.addFilter(self._reaches_no_other)

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record, where there is a stderr to print to."""
        try:
            if sys.stderr is not None:  # there is none under pythonw
                sys.stderr.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)

    def _reaches_no_other(self, record: logging.LogRecord) -> bool:
        if logging.lastResort is None:  # the application wants silence where no log is configured
            return False
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return False
            logger = logger.parent if logger.propagate else None
        return True


_last_resort = LastResort()


def install_last_resort() -> None:
    """Print warnings readably where the application configures no log. A second call has no effect."""
    logging.getLogger(LOGGER).addHandler(_last_resort)
