"""Ways in which apps take over the logging of their server, called after the middleware is made."""

import logging
import logging.config
import sys
from collections.abc import Callable

SERVER_LOGGERS = ("uvicorn", "uvicorn.access", "hypercorn.access", "gunicorn.access", "granian.access")


def dict_config() -> None:
    """Replace the handlers of all loggers, as apps do that log in a format of their own."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"plain": {"format": "APP %(name)s %(message)s"}},
            "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "plain", "stream": sys.stdout}},
            "root": {"handlers": ["stdout"], "level": "INFO"},
            "loggers": {name: {"handlers": [], "level": "INFO", "propagate": True} for name in SERVER_LOGGERS},
        }
    )


def structlog() -> None:
    """Render every record of `logging` with structlog's formatter, at the root logger."""
    import structlog

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.KeyValueRenderer(key_order=["logger", "event"]),
            ],
        )
    )
    _at_the_root(handler)


def loguru() -> None:
    """Pass every record of `logging` on to loguru, with the handler that loguru's documentation shows."""
    import loguru

    class InterceptHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            loguru.logger.opt(depth=6, exception=record.exc_info).log(record.levelname, record.getMessage())

    loguru.logger.remove()
    loguru.logger.add(sys.stdout, format="LOGURU {message}")
    _at_the_root(InterceptHandler())


def _at_the_root(handler: logging.Handler) -> None:
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in SERVER_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.INFO)


SETUPS: dict[str, Callable[[], None]] = {"dict_config": dict_config, "structlog": structlog, "loguru": loguru}
