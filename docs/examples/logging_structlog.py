"""structlog renders the records of the server, as in its page "Standard Library Logging"."""

import logging
import sys

import structlog

from asgi_health import HealthMiddleware
from docs.examples.logging_app import app, checks

formatter = structlog.stdlib.ProcessorFormatter(
    foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.add_log_level],
    processors=[
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(),
    ],
)
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(formatter)
logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
for name in ("uvicorn", "uvicorn.access"):
    logging.getLogger(name).handlers.clear()
    logging.getLogger(name).propagate = True

quiet_app = HealthMiddleware(app, checks=checks, quiet=True)
