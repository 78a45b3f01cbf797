"""The arguments that several commands have."""

import argparse
import os
from collections.abc import Callable
from typing import TypeVar

from ..arguments import DEFAULT_MAX_AGE, parse_header, parse_seconds, parse_status

T = TypeVar("T")

URL = """\
URL is http://host/path, https://host/path, unix:/socket:/path for a unix
socket, or file:/path for a file that the app touches while it is healthy."""
"""Which URLs `probe` and `wait` ask, for their help."""


def add_app(parser: argparse.ArgumentParser) -> None:
    """Add the app, as a server names it."""
    parser.add_argument(
        "app",
        metavar="MODULE:APP",
        type=argument_type(parse_app),
        help="the app, named as for a server; MODULE:APP() calls a factory",
    )


def add_timeout(
    command: argparse.ArgumentParser, default: float, meaning: str, parse: Callable[[str], float] = parse_seconds
) -> None:
    """Add `--timeout`."""
    add_seconds(command, "--timeout", default, meaning, parse)


def add_seconds(
    command: argparse.ArgumentParser,
    option: str,
    default: float,
    meaning: str,
    parse: Callable[[str], float] = parse_seconds,
) -> None:
    """Add an option whose value is in seconds."""
    command.add_argument(
        option,
        metavar="S",
        type=argument_type(parse),
        default=default,
        help=f"{meaning} (default: {default:g})",
    )


def add_header(command: argparse.ArgumentParser) -> None:
    """Add `--header`."""
    command.add_argument(
        "--header",
        dest="headers",
        metavar="'K: V'",
        type=argument_type(parse_header),
        action="append",
        default=[],
        help="also send this header; may be repeated",
    )


def add_insecure(command: argparse.ArgumentParser) -> None:
    """Add `--insecure`."""
    command.add_argument(
        "--insecure",
        action="store_true",
        help="accept any certificate, as a kubelet does: for an app that is asked by its address",
    )


def add_request_options(command: argparse.ArgumentParser) -> None:
    """Add the options of a request of `probe` and `wait`."""
    add_header(command)
    command.add_argument(
        "--expect-status",
        dest="expected",
        metavar="N",
        type=argument_type(parse_status),
        action="append",
        default=[],
        help="a status that is healthy; may be repeated (default: 200 to 299)",
    )
    command.add_argument(
        "--max-age",
        metavar="S",
        type=argument_type(parse_seconds),
        default=DEFAULT_MAX_AGE,
        help=f"seconds after which a file is too old (default: {DEFAULT_MAX_AGE:g})",
    )
    add_insecure(command)


def argument_type(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return `parse` for argparse, which hides the message of a ValueError."""

    def parse_or_explain(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_or_explain


def parse_app(text: str) -> tuple[str, str]:
    """Return the module and the name in it. Raises ValueError."""
    module, colon, attribute = text.partition(":")
    is_file = module.endswith(".py") or "/" in module or os.sep in module
    if is_file or not colon or not _is_dotted_name(module) or not _is_dotted_name(attribute.removesuffix("()")):
        raise ValueError(f"{text!r}: expected module:app or module:factory(){_suggest_app(module, attribute)}")
    return module, attribute


def _suggest_app(module: str, attribute: str) -> str:
    """Return how to name the app in the file `module`, for the end of an error message; empty if that is unclear."""
    parts = [part for part in module.removesuffix(".py").replace(os.sep, "/").split("/") if part not in ("", ".")]
    module = ".".join(parts)
    attribute = attribute or "app"
    if _is_dotted_name(module) and _is_dotted_name(attribute.removesuffix("()")):
        return f", such as {module}:{attribute}"
    return ""


def _is_dotted_name(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def parse_port(text: str) -> int:
    """Return `text` as a port, where 0 lets the system choose."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)
