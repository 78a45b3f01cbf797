"""The servers, each private: its own folder, its own port, started when a test first wants it."""

from .mariadb import MariaDB
from .mark import Missing, Server, Target
from .postgres import Postgres

SERVERS: dict[str, type[Server]] = {"mariadb": MariaDB, "postgres": Postgres}

__all__ = ["SERVERS", "Missing", "Server", "Target"]
