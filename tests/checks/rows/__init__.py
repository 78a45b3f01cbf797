"""The rows of the matrix: one for each way to reach a technology."""

from .elasticsearch import ELASTICSEARCH
from .mark import COLUMNS, Row
from .mongodb import MONGODB
from .postgres import POSTGRES

ROWS: tuple[Row, ...] = (
    *ELASTICSEARCH,
    *MONGODB,
    *POSTGRES,
)

__all__ = ["COLUMNS", "ROWS", "Row"]
