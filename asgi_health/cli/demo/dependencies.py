"""What the shop depends on. Each is well until somebody breaks it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path


class Database:
    """An SQLite file. Each use opens it anew, so that a file that is gone is noticed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._elsewhere = path.with_suffix(".moved-away")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE products (name TEXT PRIMARY KEY, price REAL NOT NULL)")

    def ping(self) -> None:
        """Ask the smallest question there is. A plain function: as a check it runs in a thread."""
        with closing(self._open()) as connection:
            connection.execute("SELECT 1")

    def products(self) -> list[dict[str, str | float]]:
        """Return everything there is to buy."""
        with closing(self._open()) as connection:
            rows = connection.execute("SELECT name, price FROM products ORDER BY name").fetchall()
        return [{"name": name, "price": price} for name, price in rows]

    def add(self, name: str, price: float) -> None:
        """Put a product on the shelf."""
        with closing(self._open()) as connection, connection:
            connection.execute("INSERT INTO products VALUES (?, ?)", (name, price))

    @property
    def gone(self) -> bool:
        """Whether the file has been moved away."""
        return self._elsewhere.exists()

    def move_away(self) -> None:
        """Break it."""
        if not self.gone:
            self._path.rename(self._elsewhere)

    def bring_back(self) -> None:
        """Mend it."""
        if self.gone:
            self._elsewhere.rename(self._path)

    def _open(self) -> sqlite3.Connection:
        # mode=rw: without it SQLite would make a new, empty file in place of the one that is gone.
        return sqlite3.connect(f"{self._path.as_uri()}?mode=rw", uri=True)


class Payments:
    """A payment service somewhere else, or so it pretends."""

    def __init__(self) -> None:
        self._hangs = False
        self._stubborn = False
        self._answers = asyncio.Event()
        self._answers.set()

    async def ping(self) -> None:
        """Wait for an answer. While it is stubborn not even a cancellation ends that."""
        while True:
            try:
                await self._answers.wait()
                return
            except asyncio.CancelledError:
                if not self._stubborn:
                    raise

    @property
    def hangs(self) -> bool:
        """Whether it gives no answer."""
        return self._hangs

    @hangs.setter
    def hangs(self, value: bool) -> None:
        self._hangs = value
        self._turn()

    @property
    def stubborn(self) -> bool:
        """Whether it gives no answer, and whoever waits for one cannot be stopped."""
        return self._stubborn

    @stubborn.setter
    def stubborn(self, value: bool) -> None:
        self._stubborn = value
        self._turn()

    def _turn(self) -> None:
        if self._hangs or self._stubborn:
            self._answers.clear()
        else:
            self._answers.set()


class Recommendations:
    """Nice to have: the shop sells without it."""

    def __init__(self) -> None:
        self.down = False

    async def ping(self) -> None:
        """Raise when it is down."""
        if self.down:
            raise ConnectionError("recommendations refuse the connection")

    def pick(self, products: list[dict[str, str | float]]) -> list[str]:
        """Return what else one might like, nothing when it is down."""
        return [] if self.down else [str(product["name"]) for product in products[:2]]
