"""Run the command that the arguments name."""

from collections.abc import Sequence

from .parser import COMMANDS, build_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` and return the exit code of the process. Raises SystemExit(2) for wrong arguments."""
    arguments = build_parser().parse_args(argv)
    return COMMANDS[arguments.command].run(arguments)
