"""``manage.py health``: run every check of the project once, for deploy gates and for people."""

# Django has no types.
# pyright: basic

import asyncio
import logging
import sys
from argparse import ArgumentTypeError
from math import isfinite
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from .....cli.check.run_checks import run_checks
from .....cli.check.table import as_json, as_table
from ...configuration import SettingsError, make_health


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    """Print one line per check, and exit with 1 when a critical one fails."""

    help = "Runs each health check of the project once. Exits with 1 when a critical one fails, or when there is none."

    def add_arguments(self, parser: Any) -> None:
        """Add the options; Django calls this."""
        parser.add_argument("--json", action="store_true", help="print one line of JSON")
        parser.add_argument("--timeout", type=_seconds, default=10.0, help="seconds for each check (10)")

    def handle(self, *_: Any, **options: Any) -> None:
        """Run the checks; Django calls this."""
        try:
            health = make_health()
        except SettingsError as error:  # with --skip-checks
            raise CommandError(str(error)) from error
        log = logging.getLogger("asgi_health")
        if options["verbosity"] < 2:
            log.addFilter(_nothing)  # the table shows what fails, and the log would repeat it
        try:
            rows = asyncio.run(run_checks(health, options["timeout"]))
        finally:
            log.removeFilter(_nothing)
        problem = "" if rows else "no checks"
        self.stdout.write(as_json(rows, problem) if options["json"] else as_table(rows, allow_empty=False), ending="")
        if not rows or any(row.fails for row in rows):
            sys.exit(1)  # as `migrate --check` does


def _nothing(_: object) -> bool:
    return False


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not isfinite(seconds) or seconds <= 0:
        raise ArgumentTypeError(f"{text!r} must be a number of seconds above 0")
    return seconds
