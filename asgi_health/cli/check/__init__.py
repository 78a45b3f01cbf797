"""`check`: every check of an app once, for deploy gates.

`load` imports what is named, `find` sees the Health in it and takes the health layer out, `startup` lives through the
app's lifespan, `run` runs the checks, `table` shows what came out; `output` and `watchdog` keep the promises that hold
whatever the app does: nothing of its own on stdout, and an end in time. `command` puts them together.
"""

from .command import check

__all__ = ["check"]
