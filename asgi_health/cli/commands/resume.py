"""The command `resume`."""

import argparse

from .command import Command
from .places import TARGET, add_app_options, add_check, add_place, place_of

DESCRIPTION = f"""\
End a maintenance of a check, or of the whole app, before its time.

Exit code 0: the maintenance has ended; 1: it has not, or there is none, and
stderr says which; 2: wrong arguments.

{TARGET}"""

EXAMPLES = """\
examples:
  asgi-health resume http://127.0.0.1:8000 database
  asgi-health resume /run/app/health.db"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_place(parser)
    add_check(parser)
    add_app_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code of the process."""
    from ..maintenance import resume

    place = place_of(arguments)
    return place if isinstance(place, int) else resume(place, arguments.check)


COMMAND = Command("resume", "end a maintenance before its time", DESCRIPTION, add_arguments, run, EXAMPLES)
