"""The two messages of an answer."""

from ..formats.answer import Answer
from .types import Scope, Send


async def send_answer(answer: Answer, scope: Scope, send: Send) -> None:
    """Send `answer` back to back, a HEAD without the body.

    The dict and the list are fresh each time: middlewares outside of ours change them in place.
    """
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": b"" if scope.get("method") == "HEAD" else answer.body})
