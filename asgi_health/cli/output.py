"""Writes the output of a command, whatever has become of its streams; a module of its own because commands share it."""

import os


def write(descriptor: int, stream: object, text: str) -> None:
    """Write all of `text`. Does nothing if `stream` was closed (None) or its reader has gone.

    Not through the stream: it would report the missing reader again when the interpreter exits, and its encoding may
    lack a character.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        while data and stream is not None:
            data = data[os.write(descriptor, data) :]
    except OSError:
        pass
