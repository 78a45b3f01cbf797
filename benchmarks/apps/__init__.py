"""The apps of the contenders: each a factory (Setup) -> ASGI app."""
