"""MariaDB, from the package that installs the server without a service of the system."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql

from ..daemon import Daemon, unprivileged
from ..port import HOST
from .server import DATABASE, LIMITED, PASSWORD, UNPRIVILEGED, USER, Missing, Server

SCRIPTS = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
SETUP = f"""
CREATE DATABASE IF NOT EXISTS {DATABASE};
CREATE USER IF NOT EXISTS {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON {DATABASE}.* TO {USER}@'127.0.0.1';
CREATE USER IF NOT EXISTS {UNPRIVILEGED}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';
CREATE USER IF NOT EXISTS {LIMITED}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}' WITH MAX_USER_CONNECTIONS 2;
CREATE USER IF NOT EXISTS observer@'127.0.0.1';
GRANT PROCESS, READ_ONLY ADMIN ON *.* TO observer@'127.0.0.1';
"""


class MariaDB(Server):
    name = "mariadb"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        binary = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/bin")
        scripts = Path("/usr/share/mysql")
        if binary is None or not all((scripts / script).exists() for script in SCRIPTS):
            raise Missing("apt install mariadb-server-core")
        as_user = unprivileged(folder)
        data = folder / "data"
        command = [binary, "--no-defaults", f"--datadir={data}", f"--tmpdir={folder}", "--skip-name-resolve"]
        # As mariadb-install-db does, which is in a package that is not needed otherwise.
        tables = "\n".join((scripts / script).read_text() for script in SCRIPTS)
        subprocess.run([*as_user, "mkdir", str(data)], check=True)
        made = subprocess.run(
            [*as_user, *command, "--bootstrap", "--log-warnings=0", "--innodb-log-file-size=4M"],
            input=f"CREATE DATABASE mysql;\nUSE mysql;\n{tables}",
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        command += [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"]
        command += ["--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0", f"--pid-file={folder / 'pid'}"]
        first = folder / "setup.sql"
        first.write_text(SETUP)
        self.daemon = Daemon("mariadbd", [*command, f"--init-file={first}"], folder / "log", as_user=as_user)

    def ready(self) -> bool:
        try:
            self.status("Uptime")
        except pymysql.OperationalError:
            return False
        return True

    def connections(self) -> int:
        return self._ask(f"SELECT count(*) FROM information_schema.processlist WHERE user IN ('{USER}', '{LIMITED}')")

    def status(self, variable: str) -> int:
        """Return one of its own counters."""
        return self._ask(
            f"SELECT variable_value FROM information_schema.global_status WHERE variable_name = '{variable}'"
        )

    @contextmanager
    def counting(self, *variables: str) -> Iterator[Callable[[], Counter[str]]]:
        """Return what reads its own counters, less what the reading adds.

        By one connection: the end of one is a question too, which the server counts a moment later.
        """
        connection = pymysql.connect(host=HOST, port=self.port, user="observer", connect_timeout=5, read_timeout=5)
        with connection, connection.cursor() as cursor:
            names = {name.lower(): name for name in variables}
            readings = 0

            def count() -> Counter[str]:
                nonlocal readings
                cursor.execute(
                    "SELECT lower(variable_name), variable_value FROM information_schema.global_status"
                    " WHERE variable_name IN %s",
                    (variables,),
                )
                readings += 1
                found = Counter({names[name]: int(value) for name, value in cursor.fetchall()})
                found.subtract(dict.fromkeys(("Com_select", "Questions"), readings))
                return found

            before = count()
            while (now := count()) != before:  # earlier connections end
                before = now
            yield count

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Make the server read-only, as a replica is."""
        self._run("SET GLOBAL read_only = 1")
        try:
            yield
        finally:
            self._run("SET GLOBAL read_only = 0")

    def _ask(self, query: str) -> int:
        row = self._run(query)
        assert row is not None
        return int(row[0])

    def _run(self, query: str) -> tuple[Any, ...] | None:
        connection = pymysql.connect(host=HOST, port=self.port, user="observer", connect_timeout=5, read_timeout=5)
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row
