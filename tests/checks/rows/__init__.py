"""The rows of the matrix: one for each way to reach a technology."""

from importlib.util import find_spec

from .alembic import ALEMBIC
from .amqp import AMQP
from .aws import AWS
from .celery import CELERY
from .django import DJANGO
from .elasticsearch import ELASTICSEARCH
from .grpc import GRPC
from .http import HTTP
from .kafka import KAFKA
from .mark import COLUMNS, Row
from .memcached import MEMCACHED
from .mongodb import MONGODB
from .mqtt import MQTT
from .mysql import MYSQL
from .nats import NATS
from .postgres import POSTGRES
from .redis import REDIS
from .sqlalchemy import SQLALCHEMY

ARQ: tuple[Row, ...] = ()
if find_spec("arq"):  # where the tests have the redis of today it cannot be installed: see pyproject.toml
    from .arq import ARQ

ROWS: tuple[Row, ...] = (
    *ALEMBIC,
    *AMQP,
    *ARQ,
    *AWS,
    *CELERY,
    *DJANGO,
    *ELASTICSEARCH,
    *GRPC,
    *HTTP,
    *KAFKA,
    *MEMCACHED,
    *MONGODB,
    *MQTT,
    *MYSQL,
    *NATS,
    *POSTGRES,
    *REDIS,
    *SQLALCHEMY,
)

__all__ = ["COLUMNS", "ROWS", "Row"]
