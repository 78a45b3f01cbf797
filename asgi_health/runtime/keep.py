"""Keep what has not ended from being collected."""

import ctypes


def keep(thing: object) -> None:
    """Hold on to `thing` beyond the end of the interpreter, which clears every module and collects what was in it.

    A coroutine that is collected has GeneratorExit raised in it. One that swallows even that, in a loop, never lets the
    process exit; one that cleans up looks for an event loop that is gone. No reference in Python outlives that moment.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def let_go(thing: object) -> None:
    """Take back one `keep`."""
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(thing))
