"""`check`: run every check of an app once, for deploy gates.

The app runs in a child process, because it may end its process at any moment. Only results that the child has written
by then count: an app whose results are unknown does not pass. `command` says what is run, and formats the results with
`table`. `outcome` starts the child, reads its messages and decides the exit code; `child_process` is the child as the
parent sees it, with its exit deadline.

In the child, `child_main` runs the steps: `load_app` imports the app, `find_health` finds its Health objects,
`lifespan_client` starts it and shuts it down, `run_checks` runs the checks. `child_frame` reports how they end;
`message_writer` keeps stdout for the messages to the parent.

The command `alert` runs its own steps in such a child.
"""

from .command import check

__all__ = ["check"]
