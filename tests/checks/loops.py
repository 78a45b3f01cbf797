"""The event loops on which checks are tested."""

import os

import pytest

ASYNCIO = ("asyncio", {"use_uvloop": os.environ.get("ASGI_HEALTH_LOOP") == "uvloop"})
"""What the drivers are written for: asyncio on its own loop, or where ASGI_HEALTH_LOOP=uvloop on that one."""

on_trio = pytest.mark.parametrize("anyio_backend", ["trio"])
on_each_loop = pytest.mark.parametrize("anyio_backend", [ASYNCIO, "trio"], ids=["asyncio", "trio"])
