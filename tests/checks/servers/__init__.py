"""The servers, each private: its own folder, its own port, started when a test first wants it."""

from .http import Http
from .mariadb import MariaDB
from .mark import Missing, Server, Target
from .memcached import Memcached
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
}

__all__ = ["SERVERS", "Missing", "Server", "Target"]
