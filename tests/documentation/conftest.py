"""Fixtures: programs with a client use a real server."""

from tests.checks.conftest import get_server

__all__ = ["get_server"]
