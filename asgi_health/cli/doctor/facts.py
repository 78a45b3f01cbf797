"""What the rules look at: the app, the prober that asks it, and the process that serves it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...asgi.app_warnings import Overlap
from ...asgi.auth import Policy
from ...asgi.paths import Paths
from ...asgi.router import Route
from ...core.check import Check
from ...core.status import Probe
from ...listener.config import Listener
from ...runtime.drain.config import Drain
from .manifest import Container
from .prober import Prober


@dataclass(frozen=True, slots=True)
class Settings:
    """What surrounds the app where it is served.

    Attributes:
        probers: The prober of each probe of Kubernetes.
        grace: Seconds from SIGTERM to SIGKILL, a preStop hook included.
        workers: Number of processes that share one address.
        workers_source: Where that number comes from, for messages.
        instances: Number of instances of the app.
        container: The container of the manifest of Kubernetes, if there is one.
    """

    probers: Mapping[Probe, Prober]
    grace: float = 30.0
    workers: int = 1
    workers_source: str = ""
    instances: int = 1
    container: Container | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One HealthMiddleware, or a Health alone.

    Attributes:
        checks: Its checks.
        paths: The paths of the probes.
        drain: Its drain.
        listener: Its listener.
        board: Its board.
        policies: The policy of each option that has one; None for one that allows no client.
        find: Returns what a path asks for; None for a Health alone, which answers no path.
        outside: The components that a request passes before it, outermost first.
        overlaps: The routes that it hides, and other layers inside of it.
    """

    checks: tuple[Check, ...]
    paths: Paths = field(default_factory=Paths)
    drain: Drain | None = None
    listener: Listener | None = None
    board: object = None
    policies: Mapping[str, Policy | None] = field(default_factory=dict[str, "Policy | None"])
    find: Callable[[str], Route | None] | None = None
    outside: tuple[Any, ...] = ()
    overlaps: tuple[Overlap, ...] = ()


@dataclass(frozen=True, slots=True)
class OneRun:
    """What the one run of a check has shown.

    Attributes:
        message: What its result says.
        blocked: Seconds for which it blocked the event loop; 0.0 where it did not.
        culprit: The code that blocked it.
    """

    message: str
    blocked: float = 0.0
    culprit: str = ""


@dataclass(frozen=True, slots=True)
class AppFacts:
    """Everything that is known of an app.

    Attributes:
        layers: Its layers, the outermost first.
        settings: What surrounds it.
        routes: The paths of its own routes without parameters.
        runs: The run of each check, by name; empty where none has run.
        load_error: Why it cannot be imported; empty where it can.
        start_error: Why its startup has failed; empty where it has not, or was not tried.
        environment: The environment of the process.
        search_path: Where Python looks for modules.
    """

    layers: tuple[Layer, ...]
    settings: Settings
    routes: frozenset[str] = frozenset()
    runs: Mapping[str, OneRun] = field(default_factory=dict[str, OneRun])
    load_error: str = ""
    start_error: str = ""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    search_path: tuple[str, ...] = ()

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The listeners of all layers."""
        return tuple(layer.listener for layer in self.layers if layer.listener is not None)

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks of all layers, each once."""
        return tuple(dict.fromkeys(check for layer in self.layers for check in layer.checks))
