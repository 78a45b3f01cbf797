"""The command `doctor`."""

import argparse

from ..arguments import parse_seconds
from ..documentation import page
from ..target import Target, parse_url
from .command import Command
from .options import add_timeout, argument_type, parse_app

DEFAULT_TIMEOUT = 30.0
"""Default of `--timeout`, in seconds."""

RULES = page("reference/doctor")
"""The page with the rules."""

DESCRIPTION = f"""\
Find faults in the configuration of an app. Print for each why it matters, and
the cure.

The app is imported and started in a process of its own, and each of its checks
runs once. An app at a URL is asked from outside. Exit code 0: no error, perhaps
warnings; 1: an error, or the app cannot be examined; 2: wrong arguments.

{RULES}
has a section for each rule."""

EXAMPLES = """\
examples:
  asgi-health doctor shop.main:app --workers 4 --instances 20
  asgi-health doctor shop.main:app --kubernetes deployment.yaml
  asgi-health doctor shop.main:app --ignore open-details --json
  asgi-health doctor https://shop.example/"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "subject",
        metavar="MODULE:APP|URL",
        type=argument_type(_parse_subject),
        help="the app, named as for a server, or the URL of a running app",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--ignore",
        dest="ignored",
        metavar="RULE",
        type=argument_type(_parse_rule),
        action="append",
        default=[],
        help="leave out this rule; may be repeated",
    )
    parser.add_argument(
        "--kubernetes", metavar="FILE", help="compare the app with this manifest; its numbers are the defaults"
    )
    parser.add_argument("--container", metavar="NAME", help="the container of the manifest that runs the app")
    for name, meaning in (
        ("--prober-timeout", "seconds after which each prober gives up (default: 2)"),
        ("--period", "seconds between two requests of readiness (default: 5)"),
        ("--grace", "seconds from SIGTERM to SIGKILL (default: 30)"),
    ):
        parser.add_argument(name, metavar="S", type=argument_type(parse_seconds), help=meaning)
    for name, meaning in (
        (
            "--failure-threshold",
            "failures of readiness in a row after which the app gets no more requests (default: 1)",
        ),
        ("--workers", "worker processes of one instance (default: from the environment, or 1)"),
        ("--instances", "instances of the app (default: 1)"),
    ):
        parser.add_argument(name, metavar="N", type=argument_type(_parse_number), help=meaning)
    parser.add_argument(
        "--no-start", dest="start", action="store_false", help="neither start the app nor run its checks"
    )
    parser.add_argument("--insecure", action="store_true", help="accept any certificate")
    add_timeout(parser, DEFAULT_TIMEOUT, "seconds for import, startup, checks and shutdown together")
    parser.add_argument("--verbose", action="store_true", help="print tracebacks and the log of failures on stderr")


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code of the process."""
    if isinstance(arguments.subject, Target):
        from ..doctor.from_outside import diagnose_url

        return diagnose_url(
            arguments.subject,
            prober_timeout=arguments.prober_timeout,
            ignored=arguments.ignored,
            insecure=arguments.insecure,
            as_json=arguments.json,
        )
    from ..doctor.command import diagnose
    from ..doctor.settings import Given

    module, attribute = arguments.subject
    return diagnose(
        module,
        attribute,
        Given(
            prober_timeout=arguments.prober_timeout,
            period=arguments.period,
            failure_threshold=arguments.failure_threshold,
            grace=arguments.grace,
            workers=arguments.workers,
            instances=arguments.instances,
        ),
        manifest=arguments.kubernetes,
        container=arguments.container,
        ignored=arguments.ignored,
        start=arguments.start,
        seconds=arguments.timeout,
        as_json=arguments.json,
        verbose=arguments.verbose,
    )


def _parse_subject(text: str) -> tuple[str, str] | Target:
    return parse_url(text) if "://" in text or text.startswith("unix:") else parse_app(text)


def _parse_rule(text: str) -> str:
    from ..doctor.rules import APP_RULES
    from ..doctor.rules.url import URL_RULES

    known = {*(each.id for each in APP_RULES), *(each.id for each in URL_RULES)}
    if text not in known:
        from difflib import get_close_matches

        close = get_close_matches(text, known, 1)
        raise ValueError(f"{text!r} is no rule{f'; did you mean {close[0]}?' if close else f'; see {RULES}'}")
    return text


def _parse_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text)):
        raise ValueError(f"{text!r} is not a number from 1 to 999999")
    return int(text)


COMMAND = Command("doctor", "find faults in the configuration of an app", DESCRIPTION, add_arguments, run, EXAMPLES)
