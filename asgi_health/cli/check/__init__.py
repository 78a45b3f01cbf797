"""`check`: every check of an app once, for deploy gates.

The app runs in a process of its own, for it may end that at any moment: what it has not told by then is not known, and
what is not known is no success. `command` starts that process, waits for what it tells and prints it; `table` has the
forms. In the process, `child` puts the steps together: `load` imports what is named, `find` sees the Healths in it,
`startup` lives through the app's lifespan, `run` runs the checks; `output` keeps what the app prints apart from what is
told.
"""

from .command import check

__all__ = ["check"]
