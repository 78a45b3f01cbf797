"""RabbitMQ, from the system's packages: its own node, with its own name, ports, cookie, folders and epmd."""

import shlex
import shutil
import subprocess
import weakref
from contextlib import ExitStack
from pathlib import Path

from ..daemon import Daemon, leash, unprivileged
from ..port import HOST, accepts, reserved_port
from .server import DATABASE, PASSWORD, USER, Missing, Server

# Not the one on the path, which requires the user root or rabbitmq, and uses the folders of the system.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
COOKIE = "asgihealth"
NODE = "health@localhost"
CONFIG = f"""
listeners.tcp.1 = {HOST}:%d
default_user = {USER}
default_pass = {PASSWORD}
default_vhost = {DATABASE}
disk_free_limit.absolute = 1MB
log.console = true
log.file = false
"""


QUEUE = "jobs"
"""A queue without consumers and messages. It exists from the first start on."""


ACTOR = '<<"tests">>'


def _resource(queue: str) -> str:
    return f'rabbit_misc:r(<<"{DATABASE}">>, queue, <<"{queue}">>)'


def _found(queue: str) -> str:
    return f"{{ok, Q}} = rabbit_amqqueue:lookup({_resource(queue)})"


class RabbitMQ(Server):
    name = "rabbitmq"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        if not PROGRAM.exists() or shutil.which("erl_call") is None:
            raise Missing("apt install rabbitmq-server")
        ports = ExitStack()
        weakref.finalize(self, ports.close)
        names, self._nodes = ports.enter_context(reserved_port()), ports.enter_context(reserved_port())
        as_user = unprivileged(folder)
        (folder / "rabbitmq.conf").write_text(CONFIG % port)
        (folder / "enabled_plugins").write_text("[].")
        settings = {
            "HOME": folder,
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_DIST_PORT": self._nodes,
            "RABBITMQ_ERLANG_COOKIE": COOKIE,
            "RABBITMQ_CONF_ENV_FILE": folder / "none",
            "RABBITMQ_CONFIG_FILE": folder / "rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "enabled_plugins",
            "RABBITMQ_MNESIA_BASE": folder / "data",
            "RABBITMQ_LOG_BASE": folder / "log.d",
            "RABBITMQ_ALLOW_INPUT": "yes",  # the script becomes the server, instead of waiting for it
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
            "ERL_EPMD_PORT": names,
            "ERL_EPMD_ADDRESS": HOST,
        }
        # Otherwise the server would start an epmd that outlives it.
        epmd = shlex.join([*leash(), "epmd", "-address", HOST, "-port", str(names)])
        script = f"{epmd} & exec {PROGRAM} -noinput"
        variables = [f"{name}={value}" for name, value in settings.items()]
        self._made = False
        self.daemon = Daemon("rabbitmq", ["env", *variables, "sh", "-c", script], folder / "log", as_user=as_user)

    def ready(self) -> bool:
        if not accepts(self.port):
            return False  # each request to the node is a process, which would slow down the boot
        try:
            if self.ask("rabbit:is_running()") != "true":
                return False
            if not self._made:  # the first start
                self.declare(QUEUE)
                self._made = True
            return True
        except (subprocess.SubprocessError, ConnectionError):
            return False

    def connections(self) -> int:
        return int(self.ask("length(rabbit_networking:connections())"))

    def connections_opened(self) -> int:
        """How many there have been since the server was started."""
        return int(self.ask("element(2, hd(ets:lookup(connection_churn_metrics, node())))"))

    def channels_opened(self) -> int:
        """How many there have been since the server was started."""
        return int(self.ask("element(4, hd(ets:lookup(connection_churn_metrics, node())))"))

    def declare(self, queue: str) -> None:
        """Make a queue that survives a restart of the server."""
        self.ask(f"rabbit_amqqueue:declare({_resource(queue)}, true, false, [], none, {ACTOR})")

    def delete(self, queue: str) -> None:
        self.ask(f"{_found(queue)}, rabbit_amqqueue:delete(Q, false, false, {ACTOR})")

    def allow(self, user: str, pattern: str) -> None:
        """Add a user with the usual password, who may configure, write and read what matches `pattern`."""
        name, password, host = (f'<<"{word}">>' for word in (user, PASSWORD, DATABASE))
        patterns = ", ".join([f'<<"{pattern}">>'] * 3)
        self.ask(f"rabbit_auth_backend_internal:add_user({name}, {password}, {ACTOR})")
        self.ask(f"rabbit_auth_backend_internal:set_permissions({name}, {host}, {patterns}, {ACTOR})")

    def forget(self, user: str) -> None:
        self.ask(f'rabbit_auth_backend_internal:delete_user(<<"{user}">>, {ACTOR})')

    def messages(self, queue: str) -> int:
        """How many it has, ready or not acknowledged."""
        return int(self.ask(f"{_found(queue)}, element(2, hd(rabbit_amqqueue:info(Q, [messages])))"))

    def ask(self, expression: str) -> str:
        """Return the value of an expression of Erlang, which the node evaluates."""
        address = f"{HOST}:{self._nodes}"
        answer = subprocess.run(
            ["erl_call", "-address", address, "-c", COOKIE, "-e"],
            input=f"{expression}.\n",
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        if not answer.stdout.startswith("{ok, "):
            raise ConnectionError(f"erl_call: {answer.stdout}{answer.stderr}")
        return answer.stdout.removeprefix("{ok, ").rstrip().removesuffix("}")
