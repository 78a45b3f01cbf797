"""The error that keeps the checks from running."""

import traceback
from itertools import dropwhile, takewhile

from ...core.result import describe
from ...formats.redact import redact, redact_lines


class CheckError(Exception):
    """One line that says what failed. Credentials are masked in it and in `details`.

    Attributes:
        details: The traceback of the app; empty if there is none.
    """

    def __init__(self, summary: str, cause: BaseException | str | None = None) -> None:
        match cause:
            case None:
                text, details = summary, ""
            case str():  # the message of a lifespan event: Starlette sends a whole traceback in it, others one line
                text, details = f"{summary}: {_last_error(cause)}", cause
            case SystemExit():
                text, details = f"{summary}: it called sys.exit({cause.code!r})", _format_traceback(cause)
            case _:
                text, details = f"{summary}: {describe(cause)}", _format_traceback(cause)
        super().__init__(redact(text))
        self.details = "".join(f"{line}\n" for line in redact_lines(details.rstrip("\n"))) if details else ""


def _format_traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _last_error(text: str) -> str:
    """Return the error below the frames of the last traceback in `text`; all of `text` if it has no traceback."""
    lines = text.splitlines()
    frames = [number for number, line in enumerate(lines) if line.lstrip(" |").startswith('File "')]
    if not frames:
        return text
    margin = lines[frames[-1]].index('File "')
    below = dropwhile(lambda line: not line[:margin].strip(" |"), lines[frames[-1] + 1 :])
    return " ".join(
        line[margin - 2 :] for line in takewhile(lambda line: not line.lstrip(" |").startswith("+-"), below)
    )
