"""The servers, each private: its own folder, its own port, started when a test first wants it."""

from .aws import Aws
from .elasticsearch import Elasticsearch
from .grpc import Grpc
from .http import Http
from .mariadb import MariaDB
from .mark import Missing, Server, Target
from .memcached import Memcached
from .mongodb import MongoDB
from .postgres import Postgres
from .redis import Redis, RedisCluster, RedisSentinel

SERVERS: dict[str, type[Server]] = {
    "http": Http,
    "mariadb": MariaDB,
    "memcached": Memcached,
    "postgres": Postgres,
    "redis": Redis,
    "redis-cluster": RedisCluster,
    "redis-sentinel": RedisSentinel,
    "aws": Aws,
    "elasticsearch": Elasticsearch,
    "grpc": Grpc,
    "mongodb": MongoDB,
}

__all__ = ["SERVERS", "Missing", "Server", "Target"]
