"""The rows of the matrix: one for each way to reach a technology."""

from .aws import AWS
from .django import DJANGO
from .elasticsearch import ELASTICSEARCH
from .grpc import GRPC
from .mark import COLUMNS, Row
from .mongodb import MONGODB
from .mysql import MYSQL
from .postgres import POSTGRES
from .sqlalchemy import SQLALCHEMY

ROWS: tuple[Row, ...] = (
    *AWS,
    *DJANGO,
    *ELASTICSEARCH,
    *GRPC,
    *MONGODB,
    *MYSQL,
    *POSTGRES,
    *SQLALCHEMY,
)

__all__ = ["COLUMNS", "ROWS", "Row"]
