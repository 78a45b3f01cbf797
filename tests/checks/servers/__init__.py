"""The servers, each private: its own folder, its own port, started when a test first wants it."""

from .aws import Aws
from .elasticsearch import Elasticsearch
from .grpc import Grpc
from .http import Http
from .kafka import Kafka
from .mariadb import MariaDB
from .mark import Missing, Server, Target
from .memcached import Memcached
from .mongodb import MongoDB
from .mosquitto import Mosquitto
from .nats import Nats
from .postgres import Postgres, PostgresStandby
from .rabbitmq import RabbitMQ
from .redis import Redis, RedisCluster, RedisSentinel, Valkey, ValkeyCluster, ValkeySentinel

SERVERS: dict[str, type[Server]] = {
    "aws": Aws,
    "elasticsearch": Elasticsearch,
    "grpc": Grpc,
    "http": Http,
    "kafka": Kafka,
    "mariadb": MariaDB,
    "memcached": Memcached,
    "mongodb": MongoDB,
    "mosquitto": Mosquitto,
    "nats": Nats,
    "postgres": Postgres,
    "postgres-standby": PostgresStandby,
    "rabbitmq": RabbitMQ,
    "redis": Redis,
    "redis-cluster": RedisCluster,
    "redis-sentinel": RedisSentinel,
    "valkey": Valkey,
    "valkey-cluster": ValkeyCluster,
    "valkey-sentinel": ValkeySentinel,
}

__all__ = ["SERVERS", "Missing", "Server", "Target"]
