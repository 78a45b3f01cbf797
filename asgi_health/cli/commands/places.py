"""The arguments that name an app or a board, and a check of it, for `maintain`, `resume` and `status`."""

import argparse
import os

from ..arguments import parse_header, parse_timeout
from ..place import BoardFile, parse_place
from .command import fail
from .options import add_header, add_insecure, add_timeout, argument_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..app_client import AppClient

TOKEN_VARIABLE = "ASGI_HEALTH_TOKEN"
"""Name of the environment variable with the token for an app: other users see the arguments of a process."""

DEFAULT_TIMEOUT = 5.0
"""Default of `--timeout` for `maintain`, `resume` and `status`, in seconds."""

TARGET = """\
TARGET is the app: http://host:port, https://host or unix:/run/app.sock. Add the
path where it is not /health/maintenance (for status: /health). Or TARGET is the
file of the board of its workers, such as /run/app/health.db, which works while
the app is blocked, and while it does not run.

The token for the app is read from ASGI_HEALTH_TOKEN, because other users of
the machine see the arguments of a command. For other credentials use --header."""
"""What the argument is, for the help of a command."""


def add_place(command: argparse.ArgumentParser) -> None:
    """Add the app or the board."""
    command.add_argument(
        "place",
        metavar="TARGET",
        type=argument_type(parse_place),
        help="the URL of the app, or the path of a board",
    )


def add_check(command: argparse.ArgumentParser) -> None:
    """Add the name of a check."""
    command.add_argument(
        "check",
        metavar="CHECK",
        type=argument_type(parse_check),
        nargs="?",
        help="the name of a check; without it the whole app is meant",
    )


def parse_check(text: str) -> str:
    """Return the name of a check. Raises ValueError."""
    if not text or not text.isprintable():
        raise ValueError(f"{text!r}: expected printable text")
    return text


def add_app_options(command: argparse.ArgumentParser) -> None:
    """Add the options of a request to an app."""
    add_timeout(command, DEFAULT_TIMEOUT, "seconds for the request to an app", parse_timeout)
    add_header(command)
    add_insecure(command)


def place_of(arguments: argparse.Namespace) -> "AppClient | BoardFile | int":
    """Return where a command goes, with the token of the environment; the exit code where that is none."""
    from ..app_client import AppClient

    if isinstance(arguments.place, BoardFile):
        return arguments.place
    headers = list(arguments.headers)
    token = os.environ.get(TOKEN_VARIABLE, "")
    if token and "authorization" not in (name.lower() for name, _ in headers):
        try:
            headers.append(parse_header(f"Authorization: Bearer {token}"))
        except ValueError as error:
            return fail(arguments.command, f"{TOKEN_VARIABLE}: {error}", 2)
    return AppClient(arguments.place, headers=tuple(headers), timeout=arguments.timeout, insecure=arguments.insecure)
