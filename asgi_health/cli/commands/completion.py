"""The command `completion`."""

import argparse

from .command import Command, fail

SHELLS = ("bash", "zsh", "fish")
"""The shells that it supports."""

DESCRIPTION = """\
Print the script that completes this command in a shell."""

EXAMPLES = """\
examples:
  bash: eval "$(asgi-health completion bash)"
  zsh:  eval "$(asgi-health completion zsh)"
  fish: asgi-health completion fish | source"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code of the process."""
    try:
        import shtab
    except ModuleNotFoundError:
        return fail("completion", 'shtab is not installed; try: pip install "asgi-health[completion]"', 2)
    parser = arguments.parser
    parser.prog = "asgi-health"  # the command that the shell completes, however this process was started
    print(shtab.complete(parser, arguments.shell))
    return 0


COMMAND = Command("completion", "print the completion script for a shell", DESCRIPTION, add_arguments, run, EXAMPLES)
