"""The rows of the matrix: one for each way to reach a technology."""

from .django import DJANGO
from .mark import COLUMNS, Row
from .mysql import MYSQL
from .postgres import POSTGRES
from .sqlalchemy import SQLALCHEMY

ROWS: tuple[Row, ...] = (*POSTGRES, *SQLALCHEMY, *DJANGO, *MYSQL)

__all__ = ["COLUMNS", "ROWS", "Row"]
