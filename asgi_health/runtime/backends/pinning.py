"""Keep an object that has not ended from being garbage collected."""

import ctypes


def pin(thing: object) -> None:
    """Keep `thing` alive beyond the end of the interpreter, which clears every module and collects its objects.

    A collected coroutine gets GeneratorExit. One that swallows it in a loop never lets the process exit; one that
    cleans up needs an event loop that no longer exists. No Python reference outlives that moment.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def unpin(thing: object) -> None:
    """Undo one `pin`."""
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(thing))
