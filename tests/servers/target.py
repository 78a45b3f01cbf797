"""The module that a server serves. The log of asgi_health appears in the output of the server."""

import logging

from .apps import Settings
from .frameworks import build
from .logging_setups import SETUPS

_logger = logging.getLogger("asgi_health")
_logger.setLevel(logging.INFO)
_logger.addHandler(logging.StreamHandler())
_logger.propagate = False

_settings = Settings.load()
app = build(_settings)
if _settings.logging is not None:
    SETUPS[_settings.logging]()
