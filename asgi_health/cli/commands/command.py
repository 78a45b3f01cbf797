"""What the parser has to know of a command."""

import argparse
import sys
from collections.abc import Callable
from typing import NamedTuple

from ..arguments import program

AddParser = Callable[..., argparse.ArgumentParser]


class Command(NamedTuple):
    """One command.

    Attributes:
        name: Its name.
        help: What it does, in the list of commands.
        description: What it does, in its own help. Completion scripts show its first line, so that is a sentence.
        add_arguments: Adds its arguments to its parser.
        run: Runs it, and returns the exit code of the process.
        examples: The end of its help.
    """

    name: str
    help: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    examples: str = ""


def add_command(
    add_parser: AddParser, name: str, help: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Return the parser of a command, which `add_parser` makes."""
    return add_parser(
        name,
        help=help,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def fail(command: str, reason: str, code: int) -> int:
    """Print why a command cannot run, and return the exit code."""
    print(f"{program()} {command}: {reason}", file=sys.stderr)
    return code
