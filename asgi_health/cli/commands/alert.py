"""The command `alert`, with its own commands."""

import argparse

from .command import Command, add_command, fail
from .options import add_timeout, argument_type, parse_app

DEFAULT_TIMEOUT = 30.0
"""Default of `--timeout` for `alert test`, in seconds."""

DESCRIPTION = """\
Test the alerts of an app."""

TEST = """\
Send a test message to each target of an app's alerts, or of URLs.

The app is imported in a process of its own, and not started. One line per
target says how long it took, or what failed. Exit code 0: every target has
accepted the message; 1: one has not, or the app has no alerts or cannot be
imported; 2: wrong arguments."""

TEST_EXAMPLES = """\
examples:
  asgi-health alert test shop.main:app
  asgi-health alert test shop.main:alerts --message 'Alerts of the shop work'
  asgi-health alert test --url 'json://127.0.0.1:8080/hook'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    test = add_command(actions.add_parser, "test", "send a test message to each target", TEST, TEST_EXAMPLES)
    test.add_argument(
        "app",
        metavar="MODULE:APP",
        type=argument_type(parse_app),
        nargs="?",
        help="the app, named as for a server, or its Alerts; MODULE:APP() calls a factory",
    )
    test.add_argument(
        "--url",
        dest="urls",
        metavar="URL",
        action="append",
        default=[],
        help="a URL of Apprise, in place of an app; may be repeated",
    )
    test.add_argument("--message", metavar="TEXT", default="", help="the text of the message")
    test.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_timeout(test, DEFAULT_TIMEOUT, "seconds for the import and all messages together")
    test.add_argument("--verbose", action="store_true", help="print tracebacks and the log of failures on stderr")


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code of the process."""
    from ..alert import send_tests

    if (arguments.app is None) == (not arguments.urls):
        return fail("alert test", "expected either MODULE:APP or --url", 2)
    return send_tests(
        arguments.app,
        arguments.urls,
        text=arguments.message,
        seconds=arguments.timeout,
        as_json=arguments.json,
        verbose=arguments.verbose,
    )


COMMAND = Command("alert", "test the alerts of an app", DESCRIPTION, add_arguments, run)
