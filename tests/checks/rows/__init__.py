"""The rows of the matrix: one for each way to reach a technology."""

from .amqp import AMQP
from .arq import ARQ
from .celery import CELERY
from .django import DJANGO
from .kafka import KAFKA
from .mark import COLUMNS, Row
from .mqtt import MQTT
from .nats import NATS
from .postgres import POSTGRES
from .sqlalchemy import SQLALCHEMY

ROWS: tuple[Row, ...] = (
    *POSTGRES,
    *SQLALCHEMY,
    *DJANGO,
    *AMQP,
    *ARQ,
    *CELERY,
    *KAFKA,
    *MQTT,
    *NATS,
)

__all__ = ["COLUMNS", "ROWS", "Row"]
