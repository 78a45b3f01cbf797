"""The rows of the matrix: one for each way to reach a technology."""

from .django import DJANGO
from .http import HTTP
from .mark import COLUMNS, Row
from .memcached import MEMCACHED
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
    *SQLALCHEMY,
)

__all__ = ["COLUMNS", "ROWS", "Row"]
