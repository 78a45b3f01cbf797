"""The rows of the matrix: one for each way to reach a technology."""

from .mark import COLUMNS, Row
from .postgres import POSTGRES

ROWS: tuple[Row, ...] = (*POSTGRES,)

__all__ = ["COLUMNS", "ROWS", "Row"]
