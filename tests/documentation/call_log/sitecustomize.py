"""Imported by the interpreter at its start: appends the calls of asgi_health's functions to the file in CALL_LOG.

One line per call: the file and the qualified name. All processes and threads append to the same file, whose order is
that of the calls. A trace function, not a profile function: that one is called when a C function returns too, and a
signal handler that runs inside of it is not seen.
"""

import os
import sys
import threading
from types import FrameType

_descriptor = os.open(os.environ["CALL_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _log(frame: FrameType, event: str, _: object) -> None:
    code = frame.f_code
    _, package, file = code.co_filename.rpartition(f"{os.sep}asgi_health{os.sep}")
    if package:
        os.write(_descriptor, f"asgi_health/{file.replace(os.sep, '/')} {code.co_qualname}\n".encode())


threading.settrace(_log)
sys.settrace(_log)
