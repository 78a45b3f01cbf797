"""The argparse parser of all commands."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .arguments import program
from .commands import alert, check, completion, demo, doctor, maintain, manifest, probe, resume, status, wait
from .commands.command import Command, add_command

COMMANDS: dict[str, Command] = {
    each.COMMAND.name: each.COMMAND
    for each in (probe, wait, check, alert, doctor, maintain, resume, status, manifest, demo, completion)
}
"""The commands by name, in the order of the help."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands. It sets `command` to the name of the command, and `parser` to itself."""
    parser = _Parser(prog=program(), description="Health endpoints for any ASGI app.", allow_abbrev=False)
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    parser.set_defaults(parser=parser)
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    for each in COMMANDS.values():
        each.add_arguments(add_command(commands.add_parser, each.name, each.help, each.description, each.examples))
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser that names the unknown option.

    argparse takes the value of an unknown option for a positional argument, and complains about that one instead.
    argparse makes the parsers of the commands from the same class.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  one of three overloads
        words = list(sys.argv[1:] if args is None else args)
        for word in words[: words.index("--") if "--" in words else None]:
            name = word.partition("=")[0]
            if self._subparsers is not None and not word.startswith("-"):
                break  # the command: the parser of the command reads the options after it
            # The rules of argparse: a word with a space in it is a value, and so is a negative number.
            is_option = word[:1] == "-" and word != "-" and " " not in word and not word[1:2].isdigit()
            if is_option and name not in self._option_string_actions and not word.startswith("-h"):
                self.error(f"unknown option {name}{self._suggest_option(name)}")
        return super().parse_known_args(words, namespace)

    def _suggest_option(self, name: str) -> str:
        from difflib import get_close_matches

        options = [option for option in self._option_string_actions if option.startswith("--")]
        close = [option for option in options if name.startswith("--") and option.startswith(name)]
        if not close and self._subparsers is not None:
            return "; the options of a command go after its name"
        close = close or get_close_matches(name, options, 1)
        return f"; did you mean {close[0]}?" if close else f"; the options are {', '.join(options)}"


class _Version(argparse.Action):
    """Print the version. It is read only on request, because reading package metadata is slow."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        import asgi_health

        try:
            version = asgi_health.__version__
        except AttributeError as error:
            parser.exit(1, f"{program()}: {error}\n")
        print(f"asgi-health {version} (Python {sys.version.split()[0]})")
        parser.exit()
