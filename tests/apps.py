"""A small ASGI app, to be wrapped by the middleware."""

from asgi_health.asgi.types import Receive, Scope, Send


async def plain_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Speak lifespan and answer everything else with 200."""
    if scope["type"] == "lifespan":
        for moment in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{moment}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the app"})
