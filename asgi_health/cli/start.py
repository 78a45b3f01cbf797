"""The entry point of the process."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def start() -> "NoReturn":
    """Run the command in `sys.argv` and end the process with its exit code."""
    if sys.argv[1:2] != ["probe"]:
        sys.exit(_run_until_interrupted())
    code = _run_until_interrupted()
    # A probe leaves nothing open that the teardown of the interpreter has to close, and the teardown takes a tenth of
    # the whole time.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError):  # the stream was closed (None), or its reader has gone
            pass
    os._exit(code)


def _run_until_interrupted() -> int:
    try:
        return _run()
    except KeyboardInterrupt:
        return 130


def _run() -> int:
    if sys.argv[1:2] == ["probe"]:
        from .arguments import parse_fast

        request = parse_fast(sys.argv[2:])
        if request is not None:
            from .probe import probe

            return probe(request)
    from .main import main

    try:
        return main()
    except SystemExit as exit:  # argparse ends the process this way
        return exit.code if isinstance(exit.code, int) else int(exit.code is not None)
