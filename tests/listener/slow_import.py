"""A module with a listener that answers while the rest is imported. In the environment: `ADDRESS` and `GO`, a file."""

import os
import time

from asgi_health import HealthMiddleware, Listener, listen_early

from ..support.lifespan_apps import speaks

listener = listen_early(Listener(os.environ["ADDRESS"]))
while not os.path.exists(os.environ["GO"]):  # imports that take long
    time.sleep(0.01)

app = HealthMiddleware(speaks, {"a": lambda: True}, details=True, listener=listener)
