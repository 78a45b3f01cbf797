"""The servers, each private: its own folder, its own port, started when a test first wants it."""

from .kafka import Kafka
from .mark import Missing, Server, Target
from .mosquitto import Mosquitto
from .nats import Nats
from .postgres import Postgres
from .rabbitmq import RabbitMQ
from .redis import Redis

SERVERS: dict[str, type[Server]] = {
    "postgres": Postgres,
    "kafka": Kafka,
    "mosquitto": Mosquitto,
    "nats": Nats,
    "rabbitmq": RabbitMQ,
    "redis": Redis,
}

__all__ = ["SERVERS", "Missing", "Server", "Target"]
