"""The rows of the matrix: one for each way to reach a technology."""

from .aws import AWS
from .django import DJANGO
from .elasticsearch import ELASTICSEARCH
from .grpc import GRPC
from .http import HTTP
from .mark import COLUMNS, Row
from .memcached import MEMCACHED
from .mongodb import MONGODB
from .mysql import MYSQL
from .postgres import POSTGRES
from .redis import REDIS
from .sqlalchemy import SQLALCHEMY

ROWS: tuple[Row, ...] = (
    *DJANGO,
    *HTTP,
    *MEMCACHED,
    *MYSQL,
    *POSTGRES,
    *REDIS,
    *AWS,
    *ELASTICSEARCH,
    *GRPC,
    *MONGODB,
    *SQLALCHEMY,
)

__all__ = ["COLUMNS", "ROWS", "Row"]
