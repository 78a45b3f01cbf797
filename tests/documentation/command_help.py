"""The end of docs/reference/command.md: ``python -m tests.documentation.command_help`` writes the help texts there."""

import argparse
import os
from unittest import mock

from asgi_health.cli.parser import build_parser

from .blocks import DOCS

PAGE = DOCS / "reference/command.md"
HEADING = "## Help texts\n"
INTRODUCTION = "\nWhat `--help` prints on a terminal with 90 columns.\n"


def section() -> str:
    """Return the section with the help of each command."""
    with mock.patch.dict(os.environ, {"COLUMNS": "90", "NO_COLOR": "1"}), mock.patch("sys.argv", ["asgi-health"]):
        parser = build_parser()
        texts = [
            f"\n### {each.prog} --help\n\n```console\n$ {each.prog} --help\n{each.format_help()}```\n"
            for each in with_children(parser)
        ]
    return HEADING + INTRODUCTION + "".join(texts)


def with_children(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Return a parser and those of its commands, in their order."""
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += [each for child in action.choices.values() for each in with_children(child)]
    return found


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text().partition(HEADING)[0] + section())
