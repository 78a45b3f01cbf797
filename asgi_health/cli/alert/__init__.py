"""`alert test`: send a test message to each target of an app's alerts, or of URLs.

The app is imported in a child process, as for `check`, but not started: its alerts exist without that. `command`
formats what the child reports, with `table`; `child_main` finds the alerts and sends the messages.
"""

from .command import send_tests

__all__ = ["send_tests"]
