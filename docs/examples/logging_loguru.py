"""loguru gets the records of the server, by the handler that its page shows."""

import logging
import sys

from loguru import logger

from asgi_health import HealthMiddleware
from docs.examples.logging_app import app, checks


class InterceptHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        logger.opt(exception=record.exc_info).log(record.levelname, record.getMessage())


logger.remove()
logger.add(sys.stdout, format="{level} {message}")
logging.basicConfig(handlers=[InterceptHandler()], level=logging.INFO, force=True)
for name in ("uvicorn", "uvicorn.access"):
    logging.getLogger(name).handlers.clear()
    logging.getLogger(name).propagate = True

quiet_app = HealthMiddleware(app, checks=checks, quiet=True)
