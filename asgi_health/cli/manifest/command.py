"""Read the facts of an app in a child process, and print the configuration."""

from collections.abc import Callable
from importlib import import_module

from ..check.outcome import Rows, run_child
from .facts import AppFacts
from .options import Options
from .servers import DAPHNE

Render = Callable[[AppFacts, Options], str]

BALANCERS = ("haproxy", "envoy", "caddy", "nginx")
"""The platforms that send requests to instances, and start none."""


def print_manifest(platform: str, app: tuple[str, str], options: Options, *, seconds: float, verbose: bool) -> int:
    """Return 0 when the configuration is printed, 1 when the app cannot be imported or has no HealthMiddleware.

    Args:
        platform: Its name, which is that of its module here.
        app: The module of the app, and its name in the module.
        options: What the user says about the place where the app runs.
        seconds: Seconds for the import.
        verbose: Whether tracebacks are printed.

    Raises:
        ValueError: for a server that cannot start the app, for instances where one server listens, and for a port that
            the listener has.
        ModuleNotFoundError: for a platform with YAML where ruamel.yaml is not installed.
    """
    module, attribute = app
    if options.server is DAPHNE and attribute.endswith("()"):
        raise ValueError(f"daphne starts no factory such as {module}:{attribute}; expected the name of an app")
    if platform not in BALANCERS and [each.port for each in options.hosts] not in ([], [None]):
        raise ValueError(
            f"--host is where the server of {platform} listens: expected one HOST without a port, which --port names"
        )
    asked = {"module": module, "attribute": attribute}
    manifest = _Manifest(_renderer(platform), options)
    return run_child("manifest", f"{__package__}.child_main", asked, manifest, seconds=seconds, verbose=verbose)


def _renderer(platform: str) -> Render:
    # Each by itself, because some need a package of the extra.
    render: Render = import_module(f".{platform}", __package__).render
    return render


class _Manifest:
    """The configuration, once the child has reported the facts."""

    passed = True

    def __init__(self, render: Render, options: Options) -> None:
        self._render = render
        self._options = options
        self._app: AppFacts | None = None

    @property
    def known(self) -> bool:
        return self._app is not None

    def read(self, rows: Rows) -> None:
        (row,) = rows
        self._app = AppFacts.from_json(row)

    def text(self) -> str:
        if self._app is None:
            return ""
        listener = self._app.listener
        if listener is not None and listener.port == self._options.port:
            raise ValueError(f"--port {listener.port} is the port of the app's Listener; the app needs one of its own")
        return self._render(self._app, self._options)

    def text_without_results(self, error: str) -> str:
        return ""
