"""The command `check`."""

import argparse

from .command import Command
from .options import add_app, add_timeout

DEFAULT_TIMEOUT = 30.0
"""Default of `--timeout`, in seconds."""

DESCRIPTION = """\
Start an app, run each of its checks once, and print the results.

The app is imported, started and shut down in a process of its own. It serves
no requests, and what it prints goes to stderr. Exit code 0: no critical check
fails; 1: a critical check fails, the app has no checks, cannot be imported or
started, or ends its process before all checks have ended; 2: wrong arguments."""

EXAMPLES = """\
examples:
  asgi-health check shop.main:app
  asgi-health check 'shop.main:create_app()' --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_app(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--allow-empty", action="store_true", help="accept an app without checks")
    add_timeout(parser, DEFAULT_TIMEOUT, "seconds for import, startup, checks and shutdown together")
    parser.add_argument("--verbose", action="store_true", help="print tracebacks and the log of failures on stderr")


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code of the process."""
    from ..check import check

    return check(
        *arguments.app,
        seconds=arguments.timeout,
        as_json=arguments.json,
        verbose=arguments.verbose,
        allow_empty=arguments.allow_empty,
    )


COMMAND = Command("check", "run every check of an app once", DESCRIPTION, add_arguments, run, EXAMPLES)
