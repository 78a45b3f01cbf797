"""Read what a manifest of Kubernetes says about the probes and the end of a container."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal, cast
from urllib.parse import unquote

from ...core.status import Probe
from ...listener.config import Listener
from ..arguments import parse_fast
from ..check.check_error import CheckError
from ..connection import explain
from .prober import Prober
from .workers import Workers, words_of, workers_of_arguments, workers_of_environment

NEEDS_YAML = 'PyYAML is not installed; try: pip install "asgi-health[doctor]"'

_KINDS = ("DaemonSet", "Deployment", "Pod", "ReplicaSet", "StatefulSet")
_PROBES = {"livenessProbe": Probe.LIVENESS, "readinessProbe": Probe.READINESS, "startupProbe": Probe.STARTUP}
MAX_NUMBER = 2**31 - 1
"""The largest number of Kubernetes' int32."""

DEFAULT_GRACE = 30.0
"""Default of terminationGracePeriodSeconds."""


@dataclass(frozen=True, slots=True)
class ContainerProbe:
    """One probe of a container.

    Attributes:
        probe: Which one.
        action: How it asks. "exec" is a command, whatever it does.
        prober: When it asks.
        initial_delay: Seconds from the start of the container to its first request.
        path: The path that it asks; empty where it asks none.
        port: The port, None where it is not known.
        port_name: The name of a port that the container does not have; empty where it has it.
        socket: The path of the unix socket that it asks; empty for TCP.
        tls: Whether it asks by HTTPS.
        command_timeout: Seconds that its command ``asgi-health probe`` gives the app; 0 where it runs another one.
    """

    probe: Probe
    action: Literal["http", "exec", "tcp", "grpc"]
    prober: Prober
    initial_delay: float = 0.0
    path: str = ""
    port: int | None = None
    port_name: str = ""
    socket: str = ""
    tls: bool = False
    command_timeout: float = 0.0

    @property
    def name(self) -> str:
        """Its name in the manifest, and whose it is."""
        return self.prober.source

    def asks(self, listeners: Iterable[Listener]) -> bool:
        """Return whether it asks one of the listeners."""
        return any(
            self.socket == each.path if each.path is not None else self.port is not None and self.port == each.port
            for each in listeners
        )

    @property
    def budget(self) -> float:
        """Seconds from the start of the container until its failures have an effect."""
        return self.initial_delay + self.prober.notices_within


@dataclass(frozen=True, slots=True)
class Container:
    """A container, and what of its pod concerns it.

    Attributes:
        name: Its name and those of its pod's owner, for messages.
        short_name: Its own name.
        ports: The ports that it declares, by number, with their names.
        probes: Its probes.
        grace: terminationGracePeriodSeconds.
        prestop_seconds: Seconds that its preStop hook sleeps.
        prestop_path: The path that its preStop hook asks; empty where it asks none.
        replicas: Number of its pods.
        workers: How many processes it starts, if its command or its environment says so.
        command: The words of its command; empty where the image has it.
        environment: The variables that have a value in the manifest.
    """

    name: str
    short_name: str
    ports: Mapping[int, str]
    probes: tuple[ContainerProbe, ...]
    grace: float = DEFAULT_GRACE
    prestop_seconds: float = 0.0
    prestop_path: str = ""
    replicas: int = 1
    workers: Workers | None = None
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def of(self, probe: Probe) -> ContainerProbe | None:
        """Return its probe of this kind."""
        return next((each for each in self.probes if each.probe is probe), None)


def read_manifest(file: str) -> list[Container]:
    """Return the containers of the pods in `file`. Raises CheckError for a file that cannot be read or has none."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise CheckError(NEEDS_YAML) from None
    try:
        with open(file, encoding="utf-8") as stream:
            documents = list(cast("Iterator[object]", yaml.safe_load_all(stream)))
    except OSError as error:
        raise CheckError(f"{file} cannot be read: {explain(error)}") from None
    except UnicodeDecodeError:
        raise CheckError(f"{file} is not text in UTF-8") from None
    except yaml.YAMLError as error:
        raise CheckError(f"{file} is not YAML: {_where(error)}; a template has to be rendered first") from None
    containers = [each for document in documents for each in _containers(document, file)]
    if not containers:
        raise CheckError(f"{file} has no pod; expected one of {', '.join(_KINDS)}")
    return containers


def _where(error: Any) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or "unreadable"
    return f"line {mark.line + 1}, {problem}" if mark is not None else str(problem)


def _containers(document: object, file: str) -> Iterator[Container]:
    found = _Node(document, file)
    kind = found.text("kind")
    if kind == "List":
        for each in found.items("items"):
            yield from _containers(each.value, file)
    elif kind in _KINDS:
        name = f"{kind}/{found.node('metadata').text('name') or '?'}"
        spec = found.node("spec")
        pod = spec if kind == "Pod" else spec.node("template").node("spec")
        pod = _Node(pod.value, f"{file}, {name}")
        replicas = int(spec.number("replicas", 1.0))
        for each in pod.items("containers"):
            container = _container(each, name, pod.number("terminationGracePeriodSeconds", DEFAULT_GRACE))
            yield replace(container, replicas=replicas)


def _container(found: "_Node", owner: str, grace: float) -> Container:
    own_name = found.text("name") or "?"
    ports = {
        int(each.number("containerPort", 0.0)): each.text("name")
        for each in found.items("ports")
        if each.text("protocol") in ("", "TCP")
    }
    probes = tuple(
        _probe(found.node(key), probe, f"{key} of {owner}", ports)
        for key, probe in _PROBES.items()
        if found.value.get(key) is not None
    )
    prestop = found.node("lifecycle").node("preStop")
    command = words_of([*found.texts("command"), *found.texts("args")])
    environment = {each.text("name"): each.text("value") for each in found.items("env")}
    return Container(
        name=f"{owner}, container {own_name}",
        short_name=own_name,
        ports=ports,
        probes=probes,
        grace=grace,
        prestop_seconds=_sleep(prestop),
        prestop_path=_path(prestop.node("httpGet").text("path")),
        workers=workers_of_arguments(command, owner) or workers_of_environment(environment),
        command=tuple(command),
        environment=environment,
    )


def _probe(found: "_Node", probe: Probe, name: str, ports: Mapping[int, str]) -> ContainerProbe:
    prober = Prober(
        found.number("periodSeconds", 10.0),
        found.number("timeoutSeconds", 1.0),
        int(found.number("failureThreshold", 3.0)),
        name,
    )
    delay = found.number("initialDelaySeconds", 0.0)
    if "httpGet" in found.value:
        asked = found.node("httpGet")
        given = asked.value.get("port")
        port = given if isinstance(given, int) else next((each for each in ports if ports[each] == given), None)
        return ContainerProbe(
            probe,
            "http",
            prober,
            delay,
            path=_path(asked.text("path") or "/"),
            port=port,
            port_name=str(given) if port is None else "",
            tls=asked.text("scheme").upper() == "HTTPS",
        )
    if "exec" in found.value:
        return _exec(ContainerProbe(probe, "exec", prober, delay), found.node("exec").texts("command"))
    return ContainerProbe(probe, "grpc" if "grpc" in found.value else "tcp", prober, delay)


def _exec(probe: ContainerProbe, command: list[str]) -> ContainerProbe:
    """Return `probe` with what its command asks, where that is ``asgi-health probe``."""
    words = words_of(command)
    for number, word in enumerate(words[:-1]):
        if word.rpartition("/")[2] in ("asgi-health", "asgi_health") and words[number + 1] == "probe":
            request = parse_fast(words[number + 2 :])
            if request is None or request.target.file:
                return probe
            target = request.target
            return replace(
                probe,
                path=_path(target.path),
                port=None if target.socket else target.port,
                socket=target.socket,
                tls=target.secure,
                command_timeout=request.timeout,
            )
    return probe


def _path(text: str) -> str:
    """Return the path that the app gets: a server decodes that of a URL."""
    return unquote(text.partition("?")[0])


def _sleep(prestop: "_Node") -> float:
    """Return the seconds that a hook sleeps before the signal."""
    seconds = prestop.node("sleep").number("seconds", 0.0)
    words = words_of(prestop.node("exec").texts("command"))
    for word, following in pairwise(words):
        number = following.rstrip(";s")
        if word.rpartition("/")[2] == "sleep" and number.replace(".", "", 1).isdecimal():
            seconds += float(number)
    return seconds


class _Node:
    """A mapping of the manifest. What is missing is empty; what is of another type raises CheckError."""

    def __init__(self, value: object, where: str) -> None:
        if value is not None and not isinstance(value, dict):
            raise CheckError(f"{where}: expected a mapping, found {value!r:.60}")
        self.value: dict[str, Any] = cast("dict[str, Any]", value or {})
        self._where = where

    def node(self, key: str) -> "_Node":
        return _Node(self.value.get(key), f"{self._where}: {key}")

    def items(self, key: str) -> "list[_Node]":
        return [_Node(each, f"{self._where}: {key}") for each in self._list(key)]

    def texts(self, key: str) -> list[str]:
        return [str(each) for each in self._list(key)]

    def text(self, key: str) -> str:
        value = self.value.get(key)
        return "" if value is None else str(value)

    def number(self, key: str, default: float) -> float:
        value = self.value.get(key)
        if value is None:
            return default
        # YAML has .nan and .inf, and integers of any length.
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_NUMBER:
            raise CheckError(f"{self._where}: {key}: expected a number, found {value!r:.60}")
        return float(value)

    def _list(self, key: str) -> list[object]:
        value = self.value.get(key)
        if value is not None and not isinstance(value, list):
            raise CheckError(f"{self._where}: {key}: expected a list, found {value!r:.60}")
        return cast("list[object]", value or [])
