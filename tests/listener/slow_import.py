"""A module whose listener answers while the rest is imported, until the file `GO` exists; both from the environment."""

import os
import time

from asgi_health import HealthMiddleware, Listener, listen_early

from ..support.lifespan_apps import lifespan_app

listener = listen_early(Listener(os.environ["ADDRESS"]))
while not os.path.exists(os.environ["GO"]):  # stands for imports that take long
    time.sleep(0.01)

app = HealthMiddleware(lifespan_app, {"a": lambda: True}, details=True, listener=listener)
