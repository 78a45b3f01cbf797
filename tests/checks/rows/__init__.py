"""The rows of the matrix: one for each way to reach a technology."""

from .aws import AWS
from .elasticsearch import ELASTICSEARCH
from .grpc import GRPC
from .mark import COLUMNS, Row
from .mongodb import MONGODB
from .postgres import POSTGRES

ROWS: tuple[Row, ...] = (
    *AWS,
    *ELASTICSEARCH,
    *GRPC,
    *MONGODB,
    *POSTGRES,
)

__all__ = ["COLUMNS", "ROWS", "Row"]
