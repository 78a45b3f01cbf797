"""The command `status`."""

import argparse

from .command import Command
from .places import TARGET, add_app_options, add_place, place_of

DESCRIPTION = f"""\
Print the checks of a running app, its workers and its maintenances.

The app shows all of them to a reader of its details. The board of its workers
shows workers and maintenances. Exit code 0: the app is ready; 1: it is not, or
that is not known; 2: wrong arguments.

{TARGET}"""

EXAMPLES = """\
examples:
  asgi-health status http://127.0.0.1:8000
  asgi-health status /run/app/health.db --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_place(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    add_app_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code of the process."""
    from ..status import status

    place = place_of(arguments)
    return place if isinstance(place, int) else status(place, as_json=arguments.json)


COMMAND = Command("status", "print the checks and the workers of an app", DESCRIPTION, add_arguments, run, EXAMPLES)
