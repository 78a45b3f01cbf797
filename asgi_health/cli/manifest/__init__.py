"""`manifest`: print the configuration of a platform that fits an app.

The app is imported in a child process, as for `check`, and not started. `child_main` reads what the platform has to
know from its HealthMiddleware (`facts`). `numbers` computes periods, thresholds and times from that, each with the
reason for it: pure functions. `servers` is what each ASGI server is started with and does at SIGTERM. Each platform has
a module that renders them: `kubernetes`, `compose` and `envoy` through `yaml_text`, the others as plain text.
"""

from .command import print_manifest
from .options import Options

__all__ = ["Options", "print_manifest"]
