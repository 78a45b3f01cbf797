"""The physical limit: an app that sends two constant messages."""

from ..setup import WORK, App, Message, Receive, Scope, Send, Setup, work


def _messages(body: bytes) -> tuple[Message, Message]:
    # The same bytes as asgi-health sends: the length of the answer has no part in the comparison.
    headers = [
        (b"content-type", b"application/health+json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    return (
        {"type": "http.response.start", "status": 200, "headers": headers},
        {"type": "http.response.body", "body": body},
    )


def app(setup: Setup) -> App:
    """Return an app without paths, methods and checks: no answer can cost less."""
    start, body = _messages(b'{"status":"pass"}')

    async def constant(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)
        await send(body)

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError("no lifespan")
        if scope["path"] == WORK:
            for message in _messages(work()):
                await send(message)
        else:
            await send(start)
            await send(body)

    return constant if setup.bare else served
