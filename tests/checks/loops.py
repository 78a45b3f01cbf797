"""The event loops on which checks are tested."""

import os

import pytest

ASYNCIO = ("asyncio", {"use_uvloop": os.environ.get("ASGI_HEALTH_LOOP") == "uvloop"})
"""The loop of the drivers: asyncio's own, or uvloop where ASGI_HEALTH_LOOP=uvloop."""

on_trio = pytest.mark.parametrize("anyio_backend", ["trio"])
on_each_loop = pytest.mark.parametrize("anyio_backend", [ASYNCIO, "trio"], ids=["asyncio", "trio"])
