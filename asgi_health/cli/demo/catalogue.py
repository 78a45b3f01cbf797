"""The slow part of the startup: the shop loads its products one after the other."""

import asyncio
import sqlite3

from asgi_health import Result, healthy, unhealthy

from .dependencies import Database

PRODUCTS = (
    ("Bread knife", 24.5),
    ("Coffee mill", 61.0),
    ("Egg timer", 8.9),
    ("Kettle", 39.0),
    ("Milk jug", 17.5),
    ("Salt cellar", 12.0),
    ("Tea towel", 6.5),
    ("Whisk", 9.8),
)
LOAD_INTERVAL = 0.2
"""Seconds between two products."""


class Catalogue:
    """Loads the products into the database, and reports its progress."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loaded = 0

    async def load(self) -> None:
        """Return when every product is loaded. While the database is missing, try again."""
        while self._loaded < len(PRODUCTS):
            await asyncio.sleep(LOAD_INTERVAL)
            try:
                await asyncio.to_thread(self._database.add, *PRODUCTS[self._loaded])
            except sqlite3.OperationalError:
                continue
            self._loaded += 1

    async def loaded(self) -> Result:
        """Return healthy once every product is loaded: the startup check."""
        progress = f"{self._loaded} of {len(PRODUCTS)} products are loaded"
        return healthy(progress) if self._loaded == len(PRODUCTS) else unhealthy(progress)
