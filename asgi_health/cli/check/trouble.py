"""What kept the checks from being run."""

import traceback
from itertools import dropwhile, takewhile

from ...core.result import describe
from ...formats.redact import redact, redact_lines


class Trouble(Exception):
    """One line that says what went wrong; `details` is the traceback that the app has left, or nothing.

    Both are without credentials.
    """

    def __init__(self, what: str, cause: BaseException | str | None = None) -> None:
        match cause:
            case None:
                told, details = what, ""
            case str():  # servers print it as it is, and Starlette sends a whole traceback
                told, details = f"{what}: {_gist(cause)}", cause
            case SystemExit():
                told, details = f"{what}: it called sys.exit({cause.code!r})", _traced(cause)
            case _:
                told, details = f"{what}: {describe(cause)}", _traced(cause)
        super().__init__(redact(told))
        self.details = "".join(f"{line}\n" for line in redact_lines(details.rstrip("\n"))) if details else ""


def _traced(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _gist(text: str) -> str:
    """Return what stands below the frames of the last traceback in `text`; all of it where there is none."""
    lines = text.splitlines()
    frames = [number for number, line in enumerate(lines) if line.lstrip(" |").startswith('File "')]
    if not frames:
        return text
    margin = lines[frames[-1]].index('File "')
    below = dropwhile(lambda line: not line[:margin].strip(" |"), lines[frames[-1] + 1 :])
    return " ".join(
        line[margin - 2 :] for line in takewhile(lambda line: not line.lstrip(" |").startswith("+-"), below)
    )
