"""What every main program of a child process needs: its options, its messages, and its end.

It reports to the parent in messages: ``doing`` (the step that begins), what the program itself reports, and as the last
one ``done``, ``timed_out``, ``interrupted`` or ``error``.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

from .check_error import CheckError
from .message_writer import MessageWriter

PARENT_POLL_INTERVAL = 0.5
"""Seconds between two looks at whether the parent process is still there."""


def run_in_frame(arguments: str, main: Callable[[MessageWriter, dict[str, Any]], None]) -> None:
    """Run `main` in the child process that has just been started, and report how it ends. Never raises.

    Args:
        arguments: JSON from the parent; `main` gets it as its options.
        main: The program. It raises CheckError, TimeoutError, or whatever the app raises in it.
    """
    options = json.loads(arguments)
    sys.argv[:] = options["argv"]  # for an app that reads it while it is imported
    messages = MessageWriter()
    Thread(target=_exit_with_parent, args=(os.getppid(),), name="asgi-health exit with parent", daemon=True).start()
    if not options["verbose"]:
        # The table shows what fails; the log would repeat it with a traceback. A filter on the logger, because the app
        # may configure logging at any moment.
        logging.getLogger("asgi_health").addFilter(lambda record: False)
    try:
        main(messages, options)
    except CheckError as error:
        messages.write(error=str(error), details=error.details)
    except TimeoutError:
        messages.write(timed_out=True)
    except KeyboardInterrupt:
        messages.write(interrupted=True)
    except BaseException as cause:  # the app has stopped the loop, cancelled our task, or called sys.exit in a callback
        failure = CheckError(f"failed while {messages.doing}", cause)
        messages.write(error=str(failure), details=failure.details)


def _exit_with_parent(parent: int) -> None:
    """End this process when its parent has ended, even by SIGKILL: the system does not do that."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_INTERVAL)
    os._exit(1)
