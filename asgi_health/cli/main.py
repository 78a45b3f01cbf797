"""Read the arguments and hand over to the command that they name."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from .arguments import TIMEOUT, Wanted, parse_header, parse_seconds, parse_status, parse_timeout, program
from .target import parse_url

T = TypeVar("T")

WAIT = 60.0
"""Seconds that `wait` takes at most unless it is told otherwise."""

CHECK = 30.0
"""Seconds that `check` takes at most unless it is told otherwise."""

_URL = """\
URL is http://host/path, https://host/path, or unix:/socket:/path for a unix
socket."""

_PROBE = f"""\
Ask URL once. Exit code 0: healthy; 1: unhealthy or unreachable, and one line on
stderr says why; 2: wrong arguments.

{_URL} Redirects are not followed, and proxies of the environment are not
used."""

_PROBE_EXAMPLES = """\
examples:
  asgi-health probe http://127.0.0.1:8000/readyz
  asgi-health probe unix:/run/app.sock:/livez --timeout 1
  asgi-health probe --header 'Host: shop.example' http://127.0.0.1:8000/readyz"""

_WAIT = f"""\
Ask each URL again and again, about once a second, until all of them are healthy
at once. One answer may take 2 s. Progress goes to stderr. Exit code 0: all are;
1: not in time, and stderr says which and why; 2: wrong arguments.

{_URL}"""

_CHECK = """\
Import an app, start it, run each of its checks once, shut it down, and print a
table. Nothing listens and nothing is served. Exit code 0: no critical check
fails; 1: one does, there are none, or the app could not be imported or started,
or ended its process before they had all ended; 2: wrong arguments. The app runs
in a process of its own, and what it prints goes to stderr."""

_CHECK_EXAMPLES = """\
examples:
  asgi-health check shop.main:app
  asgi-health check 'shop.main:create_app()' --json"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` and return the exit code of the process; wrong arguments raise SystemExit(2)."""
    arguments = parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    return command(arguments)


def parser() -> argparse.ArgumentParser:
    """Return the reader of all commands."""
    parser = _Parser(prog=program(), description="Health endpoints for any ASGI app.", allow_abbrev=False)
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int], help: str, description: str, epilog: str = ""
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=help,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        made.set_defaults(command=run)
        return made

    probe = command("probe", _probe, "ask a URL once: healthy or not?", _PROBE, _PROBE_EXAMPLES)
    probe.add_argument("url", metavar="URL", type=_typed(parse_url), help="what to ask")
    _add_seconds(probe, TIMEOUT, "for all of it: name look-up, connection, TLS, request and answer", parse_timeout)
    _add_request(probe)
    probe.add_argument(
        "--verbose", action="store_true", help="print the body of the answer, its first 10 KiB, on stdout"
    )

    wait = command("wait", _wait, "wait until URLs are healthy", _WAIT)
    wait.add_argument("urls", metavar="URL", type=_typed(parse_url), nargs="+", help="what to wait for")
    _add_seconds(wait, WAIT, "after which to give up")
    _add_request(wait)

    check = command("check", _check, "run every check of an app once", _CHECK, _CHECK_EXAMPLES)
    check.add_argument(
        "app",
        metavar="MODULE:APP",
        type=_typed(_app),
        help="as servers take it; APP() calls a factory, which makes the app",
    )
    check.add_argument("--json", action="store_true", help="print JSON instead of a table")
    check.add_argument("--allow-empty", action="store_true", help="take an app without any checks for well")
    _add_seconds(check, CHECK, "for all of it: import, startup, checks and shutdown")
    check.add_argument(
        "--verbose", action="store_true", help="show the tracebacks and the log of what fails, on stderr"
    )

    demo = command(
        "demo",
        _demo,
        "a small shop whose dependencies break on request",
        "Open a small shop on 127.0.0.1 whose dependencies break on request. Watch what\nits probes say.",
    )
    demo.add_argument("--port", type=_port, default=8000, help="default: 8000; 0 picks a free one")
    return parser


def _add_seconds(
    command: argparse.ArgumentParser, default: float, meaning: str, parse: Callable[[str], float] = parse_seconds
) -> None:
    command.add_argument(
        "--timeout",
        metavar="S",
        type=_typed(parse),
        default=default,
        help=f"seconds {meaning} (default: {default:g})",
    )


def _add_request(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--header",
        dest="headers",
        metavar="'K: V'",
        type=_typed(parse_header),
        action="append",
        default=[],
        help="send this header too; may be repeated",
    )
    command.add_argument(
        "--expect-status",
        dest="expected",
        metavar="N",
        type=_typed(parse_status),
        action="append",
        default=[],
        help="the status that is healthy; may be repeated (default: 200 to 299)",
    )
    command.add_argument(
        "--insecure",
        action="store_true",
        help="take any certificate, as a kubelet does: for an app that is asked by its address",
    )


def wanted(arguments: argparse.Namespace) -> Wanted:
    """Return what the arguments of `probe` ask for."""
    return Wanted(
        arguments.url,
        timeout=arguments.timeout,
        headers=tuple(arguments.headers),
        expected=tuple(arguments.expected),
        insecure=arguments.insecure,
        verbose=arguments.verbose,
    )


def _probe(arguments: argparse.Namespace) -> int:
    from .probe import probe

    return probe(wanted(arguments))


def _wait(arguments: argparse.Namespace) -> int:
    from .wait import wait

    return wait(
        [
            Wanted(
                url,
                headers=tuple(arguments.headers),
                expected=tuple(arguments.expected),
                insecure=arguments.insecure,
            )
            for url in arguments.urls
        ],
        arguments.timeout,
    )


def _check(arguments: argparse.Namespace) -> int:
    from .check import check

    return check(
        *arguments.app,
        seconds=arguments.timeout,
        as_json=arguments.json,
        verbose=arguments.verbose,
        allow_empty=arguments.allow_empty,
    )


def _demo(arguments: argparse.Namespace) -> int:
    # SIGTERM ends it as Ctrl-C does: by an exception, so that whatever is open gets closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        try:
            from .demo.serve import CannotListen, serve
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in ("starlette", "uvicorn"):
                raise
            return _complain(f'{missing} is not installed; try: pip install "asgi-health[demo]"', 2)
        try:
            return serve(arguments.port)
        except CannotListen as error:
            return _complain(f"{error}; another one: --port PORT", 1)
    except KeyboardInterrupt:
        return 0


def _complain(what: str, code: int) -> int:
    print(f"{program()} demo: {what}", file=sys.stderr)
    return code


def _typed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return `parse` for argparse, which keeps the text of a ValueError to itself."""

    def parse_or_complain(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_or_complain


def _app(text: str) -> tuple[str, str]:
    module, colon, attribute = text.partition(":")
    plain = attribute.removesuffix("()")
    is_file = module.endswith(".py") or "/" in module or os.sep in module
    if is_file or not colon or not all(part.isidentifier() for part in (*module.split("."), *plain.split("."))):
        raise ValueError(f"{text!r}: expected module:app or module:factory(){_meant(module, attribute)}")
    return module, attribute


def _meant(module: str, attribute: str) -> str:
    """Return, for the end of a message, how the file `module`, or a module without an attribute, is written."""
    parts = [part for part in module.removesuffix(".py").replace(os.sep, "/").split("/") if part not in ("", ".")]
    dotted = ".".join(parts)
    named = attribute or "app"
    if not all(part.isidentifier() for part in (*dotted.split("."), *named.removesuffix("()").split("."))):
        return ""
    return f", such as {dotted}:{named}"


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


class _Parser(argparse.ArgumentParser):
    """Say first which option there is not: argparse would take what stands behind it for something else, and say that.

    The parsers of the commands are made of the same class.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  one of three overloads
        words = list(sys.argv[1:] if args is None else args)
        for word in words[: words.index("--") if "--" in words else None]:
            name = word.partition("=")[0]
            if self._subparsers is not None and not word.startswith("-"):
                break  # the command: what follows is its own
            # As argparse itself: what has a space in it is a value, and so is a number below zero.
            is_option = word[:1] == "-" and word != "-" and " " not in word and not word[1:2].isdigit()
            if is_option and name not in self._option_string_actions and not word.startswith("-h"):
                self.error(f"there is no option {name}{self._instead(name)}")
        return super().parse_known_args(words, namespace)

    def _instead(self, name: str) -> str:
        from difflib import get_close_matches

        options = [each for each in self._option_string_actions if each.startswith("--")]
        close = [each for each in options if name.startswith("--") and each.startswith(name)]
        if not close and self._subparsers is not None:
            return "; the options of a command stand behind its name"
        close = close or get_close_matches(name, options, 1)
        return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(options)}"


class _Version(argparse.Action):
    """Look the version up only when it is asked for: reading package metadata costs more than all the rest."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        import asgi_health

        try:
            print("asgi-health", asgi_health.__version__)
        except AttributeError as error:
            parser.exit(1, f"{program()}: {error}\n")
        parser.exit()
