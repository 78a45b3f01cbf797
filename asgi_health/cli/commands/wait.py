"""The command `wait`."""

import argparse

from ..arguments import ProbeRequest, parse_count
from ..target import parse_url
from .command import Command
from .options import URL, add_request_options, add_timeout, argument_type

DEFAULT_TIMEOUT = 60.0
"""Default of `--timeout`, in seconds."""

DESCRIPTION = f"""\
Wait until all URLs are healthy at the same time.

Each URL is asked about once a second, and each request may take 2 s. Progress
goes to stderr. Exit code 0: all are healthy; 1: not in time, and stderr says
which URL and why; 2: wrong arguments.

{URL}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("urls", metavar="URL", type=argument_type(parse_url), nargs="+", help="the URLs to ask")
    add_timeout(parser, DEFAULT_TIMEOUT, "seconds after which to give up")
    parser.add_argument(
        "--consecutive",
        metavar="N",
        type=argument_type(parse_count),
        default=1,
        help="rounds in a row in which all are healthy, where several workers answer in turn (default: 1)",
    )
    add_request_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code of the process."""
    from ..wait import wait

    requests = [
        ProbeRequest(
            url,
            headers=tuple(arguments.headers),
            expected=tuple(arguments.expected),
            insecure=arguments.insecure,
            max_age=arguments.max_age,
        )
        for url in arguments.urls
    ]
    return wait(requests, arguments.timeout, arguments.consecutive)


COMMAND = Command("wait", "wait until URLs are healthy", DESCRIPTION, add_arguments, run)
