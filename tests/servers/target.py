"""The module that a server is told to serve. What asgi_health logs appears among what the server itself prints."""

import logging

from .apps import Settings
from .frameworks import build

_logger = logging.getLogger("asgi_health")
_logger.setLevel(logging.INFO)
_logger.addHandler(logging.StreamHandler())
_logger.propagate = False

app = build(Settings.load())
