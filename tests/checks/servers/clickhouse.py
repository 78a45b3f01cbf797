"""ClickHouse, as the system brings it."""

import shutil
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from ..daemon import Daemon, unprivileged
from ..port import HOST, connected
from .server import DATABASE, PASSWORD, UNPRIVILEGED, USER, Missing, Server

CONFIG = """\
<yandex>
    <logger><console>1</console><level>information</level></logger>
    <listen_host>{host}</listen_host>
    <http_port>{port}</http_port>
    <keep_alive_timeout>60</keep_alive_timeout>
    <path>{folder}/data/</path>
    <tmp_path>{folder}/tmp/</tmp_path>
    <users_config>{folder}/users.xml</users_config>
    <default_profile>default</default_profile>
    <default_database>default</default_database>
    <mark_cache_size>1000000</mark_cache_size>
    <timezone>UTC</timezone>
</yandex>
"""
USERS = """\
<yandex>
    <profiles>
        <default></default>
        <reader><readonly>2</readonly></reader>
    </profiles>
    <quotas><default></default></quotas>
    <users>
        <{user}>
            <password>{password}</password>
            <networks><ip>{host}</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
        </{user}>
        <{unprivileged}>
            <password>{password}</password>
            <networks><ip>{host}</ip></networks>
            <profile>reader</profile>
            <quota>default</quota>
            <allow_databases><database>default</database></allow_databases>
        </{unprivileged}>
    </users>
</yandex>
"""


class ClickHouse(Server):
    name = "clickhouse"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        program = shutil.which("clickhouse-server", path="/usr/sbin:/usr/bin")
        if program is None:
            raise Missing("apt install clickhouse-server")
        config = folder / "config.xml"
        config.write_text(CONFIG.format(host=HOST, port=port, folder=folder))
        (folder / "users.xml").write_text(
            USERS.format(user=USER, unprivileged=UNPRIVILEGED, password=PASSWORD, host=HOST)
        )
        as_user = unprivileged(folder)
        self.daemon = Daemon("clickhouse", [program, f"--config-file={config}"], folder / "log", as_user=as_user)

    def ready(self) -> bool:
        try:
            self.query(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        except (OSError, HTTPException):
            return False
        return True

    def connections(self) -> int:
        return connected(self.port)

    def query(self, query: str) -> str:
        """Return what it answers, which may be an error of its own."""
        line = HTTPConnection(HOST, self.port, timeout=5)
        try:
            line.request("POST", "/", query, {"X-ClickHouse-User": USER, "X-ClickHouse-Key": PASSWORD})
            return line.getresponse().read().decode()
        finally:
            line.close()
