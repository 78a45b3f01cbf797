"""How many processes a server starts: from its arguments, or from the environment that it reads."""

import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise

Workers = tuple[int, str]
"""Number of workers, and where it comes from, for messages."""

_VARIABLES = ("WEB_CONCURRENCY", "UVICORN_WORKERS", "GRANIAN_WORKERS")
"""The variables that uvicorn, gunicorn and granian read."""

_OPTION = re.compile(r"(--workers|-w)=?([0-9]*)")


def workers_of_environment(environment: Mapping[str, str]) -> Workers | None:
    """Return what the environment of the server says; None where it says nothing."""
    options = environment.get("GUNICORN_CMD_ARGS", "")
    found = workers_of_arguments(_split(options), "GUNICORN_CMD_ARGS")
    for name in _VARIABLES:
        if found is None and environment.get(name, "").isdecimal():
            found = int(environment[name]), f"{name}={environment[name]}"
    return found


def workers_of_arguments(words: Sequence[str], source: str) -> Workers | None:
    """Return what the arguments of a server say, as ``--workers 4``, ``--workers=4``, ``-w 4`` or ``-w4``."""
    for word, following in pairwise([*words, ""]):
        option = _OPTION.fullmatch(word)
        value = option[2] or (following if following.isdecimal() else "") if option else ""
        if option and value:
            return int(value), f"{option[1]} {value} in {source}"
    return None


def words_of(command: Sequence[str]) -> list[str]:
    """Return the words of a command; those of the script where a shell runs it by ``-c``."""
    if len(command) >= 3 and command[0].rpartition("/")[2] in ("ash", "bash", "dash", "sh") and "-c" in command[1:-1]:
        return _split(command[list(command).index("-c") + 1])
    return list(command)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quotation without an end
        return text.split()
