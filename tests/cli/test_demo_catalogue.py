"""The catalogue loads all products, even if the database is missing for a while."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from asgi_health import Status
from asgi_health.cli.demo import catalogue as catalogue_module
from asgi_health.cli.demo.catalogue import PRODUCTS, Catalogue
from asgi_health.cli.demo.dependencies import Database


class Observed(Database):
    """Sets an event when a product cannot be added."""

    def __init__(self, path: Path, failed: asyncio.Event) -> None:
        super().__init__(path)
        self._failed = failed
        self._loop = asyncio.get_running_loop()

    def add(self, name: str, price: float) -> None:
        try:
            super().add(name, price)
        except sqlite3.OperationalError:
            self._loop.call_soon_threadsafe(self._failed.set)
            raise


def test_a_missing_database_delays_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The demo needs no option for this constant, and a test must not wait for it.
    monkeypatch.setattr(catalogue_module, "LOAD_INTERVAL", 0.001)

    async def load() -> None:
        failed = asyncio.Event()
        database = Observed(tmp_path / "shop.db", failed)
        database.move_away()
        catalogue = Catalogue(database)
        loading = asyncio.create_task(catalogue.load())
        await failed.wait()
        assert (await catalogue.loaded()).status is Status.UNHEALTHY
        database.bring_back()
        await loading
        assert (await catalogue.loaded()).status is Status.HEALTHY
        assert [product["name"] for product in database.products()] == [name for name, _ in PRODUCTS]

    asyncio.run(asyncio.wait_for(load(), 30.0))
