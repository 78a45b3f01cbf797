"""Sends the requests of `maintain`, `resume` and `status` to an app, and prints why one has failed."""

import json
import sys
from collections.abc import Mapping
from typing import Any, cast

from .arguments import ProbeRequest, program
from .http_response import Response
from .output import write
from .place import BoardFile, with_path
from .probe import NoAnswer, ask
from .target import Target

Fields = Mapping[str, Any]

MAX_BODY = 64 * 1024 * 1024
"""Bytes of an answer. The details of a thousand checks have a megabyte."""

MAX_TEXT = 1000
"""Characters of an answer that an error shows."""


class Refused(Exception):
    """The app has not done what was asked of it; the text says why."""


class AppClient:
    """One app.

    Args:
        target: The app. Its path is used where it has one.
        headers: Headers to send.
        timeout: Seconds for each request.
        insecure: Whether any TLS certificate is accepted.
    """

    def __init__(self, target: Target, *, headers: tuple[tuple[str, str], ...], timeout: float, insecure: bool) -> None:
        self.target = target
        self._headers = headers
        self._timeout = timeout
        self._insecure = insecure

    def ask(self, method: str, path: str, query: str = "") -> Response:
        """Return the answer to a request. Raises Refused where there is none."""
        target = with_path(self.target, f"{path}?{query}" if query else path)
        request = ProbeRequest(target, timeout=self._timeout, headers=self._headers, insecure=self._insecure)
        try:
            return ask(request, method, MAX_BODY)
        except NoAnswer as error:
            raise Refused(str(error)) from None


def json_of(response: Response) -> Fields:
    """Return the JSON object in an answer. Raises Refused where there is none."""
    try:
        document: object = json.loads(response.body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        text = text_of(response)[:100]
        raise Refused(f"answered {response.status} without JSON{': ' if text else ''}{text}")
    return fields_of(cast("object", document))


def fields_of(value: object) -> Fields:
    """Return a JSON object, an empty one for any other value."""
    return cast("Fields", value) if isinstance(value, dict) else {}


def list_of(value: object) -> list[object]:
    """Return a list of JSON, an empty one for any other value."""
    return cast("list[object]", value) if isinstance(value, list) else []


def text_of(response: Response) -> str:
    """Return the text of an answer on one line, without characters that a terminal would execute."""
    text = "; ".join(response.body[:MAX_TEXT].decode("utf-8", "replace").strip().splitlines())
    return printable(text)


def fail(command: str, place: AppClient | BoardFile, error: Exception) -> int:
    """Print one line that says why a command has failed, and return the exit code."""
    # The errors of a board name its file themselves.
    subject = f"{place.target.display_url}: " if isinstance(place, AppClient) else ""
    write(2, sys.stderr, f"{program()} {command}: {printable(f'{subject}{error}')}\n")
    return 1


def printable(text: str) -> str:
    """Return `text` without characters that a terminal would execute instead of showing them."""
    return "".join(char if char.isprintable() else "�" for char in text)
