"""The command `demo`."""

import argparse
import signal

from .command import Command, fail
from .options import parse_port

DESCRIPTION = """\
Run a small shop whose dependencies fail on request.

The shop listens on 127.0.0.1. Its page shows what the probes answer, and its
buttons break and repair what it depends on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--port", type=parse_port, default=8000, help="the port; 0 picks a free one (default: 8000)")


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code of the process."""
    # SIGTERM ends the demo as Ctrl-C does: by an exception, so that everything that is open gets closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        try:
            from ..demo.serve import CannotListen, serve
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in ("starlette", "uvicorn"):
                raise
            return fail("demo", f'{missing} is not installed; try: pip install "asgi-health[demo]"', 2)
        try:
            return serve(arguments.port)
        except CannotListen as error:
            return fail("demo", f"{error}; choose another port with --port", 1)
    except KeyboardInterrupt:
        return 0


COMMAND = Command("demo", "run a small shop whose dependencies fail on request", DESCRIPTION, add_arguments, run)
