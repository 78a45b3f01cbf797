"""The dependencies of the shop. Each works until a fault breaks it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path


class Database:
    """An SQLite file. Each use opens it again, and so notices that the file is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._moved_path = path.with_suffix(".moved-away")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE products (name TEXT PRIMARY KEY, price REAL NOT NULL)")

    def ping(self) -> None:
        """Run the smallest possible query. A plain function: as a check it runs in a thread."""
        with closing(self._open()) as connection:
            connection.execute("SELECT 1")

    def products(self) -> list[dict[str, str | float]]:
        """Return all products."""
        with closing(self._open()) as connection:
            rows = connection.execute("SELECT name, price FROM products ORDER BY name").fetchall()
        return [{"name": name, "price": price} for name, price in rows]

    def add(self, name: str, price: float) -> None:
        """Add a product."""
        with closing(self._open()) as connection, connection:
            connection.execute("INSERT INTO products VALUES (?, ?)", (name, price))

    @property
    def missing(self) -> bool:
        """Whether the file has been moved away."""
        return self._moved_path.exists()

    def move_away(self) -> None:
        """Break the database."""
        if not self.missing:
            self._path.rename(self._moved_path)

    def bring_back(self) -> None:
        """Repair the database."""
        if self.missing:
            self._moved_path.rename(self._path)

    def _open(self) -> sqlite3.Connection:
        # mode=rw: otherwise SQLite would create a new, empty file in place of the missing one.
        return sqlite3.connect(f"{self._path.as_uri()}?mode=rw", uri=True)


class Payments:
    """A simulated remote payment service."""

    def __init__(self) -> None:
        self._hangs = False
        self._stubborn = False
        self._answering = asyncio.Event()
        self._answering.set()

    async def ping(self) -> None:
        """Wait for an answer. While the service is stubborn, ignore cancellation."""
        while True:
            try:
                await self._answering.wait()
                return
            except asyncio.CancelledError:
                if not self._stubborn:
                    raise

    @property
    def hangs(self) -> bool:
        """Whether the service does not answer."""
        return self._hangs

    @hangs.setter
    def hangs(self, value: bool) -> None:
        self._hangs = value
        self._update()

    @property
    def stubborn(self) -> bool:
        """Whether the service does not answer, and a caller that waits ignores its cancellation."""
        return self._stubborn

    @stubborn.setter
    def stubborn(self, value: bool) -> None:
        self._stubborn = value
        self._update()

    def _update(self) -> None:
        if self._hangs or self._stubborn:
            self._answering.clear()
        else:
            self._answering.set()


class Recommendations:
    """An optional dependency: the shop works without it."""

    def __init__(self) -> None:
        self.down = False

    async def ping(self) -> None:
        """Raise if the service is down."""
        if self.down:
            raise ConnectionError("recommendations refuse the connection")

    def pick(self, products: list[dict[str, str | float]]) -> list[str]:
        """Return recommended products; none while the service is down."""
        return [] if self.down else [str(product["name"]) for product in products[:2]]
