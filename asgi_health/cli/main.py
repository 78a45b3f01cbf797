"""Read the arguments and hand over to the command that they name."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

PROGRAM = "python -m asgi_health"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` and return the exit code of the process; wrong arguments raise SystemExit(2)."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    return command(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Health endpoints for any ASGI app.")
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "demo",
        help="a small shop whose dependencies break on request",
        description="Open a small shop on 127.0.0.1 whose dependencies break on request. Watch what its probes say.",
    )
    demo.add_argument("--port", type=_port, default=8000, help="default: 8000; 0 picks a free one")
    demo.set_defaults(command=_demo)
    return parser


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
    print(f"{PROGRAM} demo: {what}", file=sys.stderr)
    return code


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


class _Version(argparse.Action):
    """Look the version up only when it is asked for: reading package metadata costs more than all the rest."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print("asgi-health", version("asgi-health"))
        except PackageNotFoundError:
            parser.exit(1, f"{PROGRAM}: asgi-health is not installed here, so its version is not known\n")
        parser.exit()
