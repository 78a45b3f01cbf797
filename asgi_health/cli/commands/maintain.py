"""The command `maintain`."""

import argparse

from .command import Command
from .options import argument_type
from .places import TARGET, add_app_options, add_check, add_place, parse_check, place_of

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
"""The units of `--for`, in seconds."""

DESCRIPTION = f"""\
Begin a maintenance of a check, or of the whole app. It always ends by itself.

While a check is in maintenance, its failures are warnings. While the app is, it
is not ready and gets no requests. Exit code 0: the maintenance has begun; 1: it
has not, and stderr says why; 2: wrong arguments.

{TARGET}"""

EXAMPLES = """\
examples:
  asgi-health maintain http://127.0.0.1:8000 database --for 10m
  asgi-health maintain /run/app/health.db --for 2h --reason 'new disks'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_place(parser)
    add_check(parser)
    parser.add_argument(
        "--for",
        dest="seconds",
        metavar="TIME",
        type=argument_type(_parse_duration),
        required=True,
        help="how long it lasts: 90s, 10m, 2h or 1d; a number is in seconds; at most 7d",
    )
    parser.add_argument(
        "--reason", metavar="TEXT", type=argument_type(_parse_reason), default="", help="why, for readers of details"
    )
    add_app_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code of the process."""
    from ..maintenance import maintain

    place = place_of(arguments)
    return place if isinstance(place, int) else maintain(place, arguments.check, arguments.seconds, arguments.reason)


def _parse_duration(text: str) -> float:
    from ...core.maintenance import MAX_MAINTENANCE  # not at the top: the other commands do not need it

    number, factor = (text[:-1], UNITS[text[-1]]) if text[-1:] in UNITS else (text, 1)
    seconds = float(number) * factor if number.isascii() and number.replace(".", "", 1).isdigit() else 0.0
    if not 0.001 <= seconds <= MAX_MAINTENANCE:
        raise ValueError(f"{text!r} is not a time such as 90s, 10m, 2h or 1d (more than 0, at most 7d)")
    return seconds


def _parse_reason(text: str) -> str:
    from ...core.maintenance import MAX_REASON

    if len(text) > MAX_REASON:
        raise ValueError(f"the reason has {len(text)} characters; expected at most {MAX_REASON}")
    return parse_check(text) if text else ""


COMMAND = Command("maintain", "begin a maintenance, which ends by itself", DESCRIPTION, add_arguments, run, EXAMPLES)
