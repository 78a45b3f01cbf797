"""The servers, each private: its own folder, its own port, started when a test first wants it."""

from .aws import Aws
from .elasticsearch import Elasticsearch
from .grpc import Grpc
from .mariadb import MariaDB
from .mark import Missing, Server, Target
from .mongodb import MongoDB
from .postgres import Postgres

SERVERS: dict[str, type[Server]] = {
    "aws": Aws,
    "elasticsearch": Elasticsearch,
    "grpc": Grpc,
    "mariadb": MariaDB,
    "mongodb": MongoDB,
    "postgres": Postgres,
}

__all__ = ["SERVERS", "Missing", "Server", "Target"]
