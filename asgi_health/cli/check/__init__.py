"""`check`: every check of an app once, for deploy gates.

The app runs in a process of its own, because it may end that process at any moment. A result that has not been written
by then is not known, and what is not known is no success. `command` starts that process, reads what it writes and
prints it; `table` has the forms. In the process, `child` puts the steps together: `load` imports what is named, `find`
sees the Healths in it, `startup` runs the app's lifespan, `run` runs the checks; `output` keeps what the app prints
apart from the results.
"""

from .command import check

__all__ = ["check"]
