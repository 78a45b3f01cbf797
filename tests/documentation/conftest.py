"""Programs with a client talk to a real server."""

from tests.checks.conftest import get_server

__all__ = ["get_server"]
