"""Programs with a database talk to a real one."""

from tests.checks.conftest import get_server

__all__ = ["get_server"]
