"""Where the process begins and ends."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def start() -> "NoReturn":
    """Run the command in `sys.argv` and end the process with its exit code."""
    if sys.argv[1:2] != ["probe"]:
        sys.exit(_guarded())
    code = _guarded()
    # Nothing is left that the teardown of the interpreter would have to close, and it takes a tenth of the whole time.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError):  # None where it was closed; or nobody reads any more
            pass
    os._exit(code)


def _guarded() -> int:
    try:
        return _command()
    except KeyboardInterrupt:
        return 130


def _command() -> int:
    if sys.argv[1:2] == ["probe"]:
        from .arguments import quick

        wanted = quick(sys.argv[2:])
        if wanted is not None:
            from .probe import probe

            return probe(wanted)
    from .main import main

    try:
        return main()
    except SystemExit as end:  # how argparse ends
        return end.code if isinstance(end.code, int) else int(end.code is not None)
