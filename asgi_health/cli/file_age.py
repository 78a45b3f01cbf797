"""Whether the file of an exec probe is fresh."""

import os
import time

FUTURE = 2.0
"""Seconds by which a file may be newer than the clock, whose steps differ from those of the file system's."""


def reason_against(path: str, max_age: float) -> str:
    """Return why the file does not show a healthy app, empty when it does.

    Args:
        path: The path of the file.
        max_age: Seconds since its last touch after which the app counts as dead.
    """
    try:
        touched = os.stat(path).st_mtime
    except FileNotFoundError:
        return "there is no such file: the probe fails, or the app does not run"
    except OSError as error:
        return f"{error.strerror}"
    age = time.time() - touched
    if age > max_age:
        return f"was touched {age:.1f} s ago; expected at most {max_age:g} s"
    if age < -FUTURE:  # it would be green for too long after the app has died
        return f"was touched {-age:.1f} s in the future: the clock has changed"
    return ""
