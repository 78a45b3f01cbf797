"""The rows of the matrix: one for each way to reach a technology."""

from .amqp import AMQP
from .arq import ARQ
from .django import DJANGO
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
    *MQTT,
    *NATS,
)

__all__ = ["COLUMNS", "ROWS", "Row"]
