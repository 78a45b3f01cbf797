"""A service of Compose."""

from .facts import AppFacts
from .numbers import COMMAND_TIMEOUT, PROBE_TIMEOUT, Noted, grace, readiness_probe, startup_seconds
from .options import ALL_ADDRESSES, Options
from .remarks import head
from .servers import command, reached_by_signals
from .yaml_text import Tree, dump

LONGEST_PERIOD = 5.0
REMARK = (
    "Docker marks a container whose health check fails as unhealthy, and Compose restarts nothing by itself: `restart`"
    " is about containers that have ended. `depends_on` with `condition: service_healthy` and Traefik read the mark."
)
REPLACES = (
    "Compose stops a container before it starts the next one, so that no new version takes over without a gap. Drain or"
    " not, put a balancer in front of two services for that."
)


def render(app: AppFacts, options: Options) -> str:
    """Return the file."""
    server = reached_by_signals(options.server)
    words: list[Tree] = list(
        command(
            server,
            app.target,
            options.bind(ALL_ADDRESSES),
            options.port,
            delay=app.delay,
            longest_request=options.longest_request,
        )
    )
    service: dict[str, Tree] = {
        "image": f"{app.name}:1",
        "command": Noted(words, "A published port leads to the address of the container, never to its 127.0.0.1."),
        "ports": [{"target": options.port, "published": options.port}],
    }
    if app.ready is not None:
        service["healthcheck"] = _health_check(app, app.ready, options)
    seconds = grace(app, server, options.longest_request)
    service["stop_grace_period"] = Noted(f"{seconds.value}s", f"{seconds.why} Docker's own is 10 s.")
    service["restart"] = "unless-stopped"
    return dump(head("compose", app, options, [REMARK, REPLACES]), {"services": {app.name: service}})


def _health_check(app: AppFacts, path: str, options: Options) -> Noted[Tree]:
    numbers = readiness_probe(None, longest=LONGEST_PERIOD, unit=1, without="Few enough to cost nothing.")
    start = startup_seconds(app.checks, options.start)
    url = f"http://127.0.0.1:{options.port}{path}"
    live = "" if app.live is None else f" Swarm and autoheal restart what is unhealthy: there ask {app.live}."
    return Noted(
        {
            "test": ["CMD", "asgi-health", "probe", "--timeout", str(PROBE_TIMEOUT), url],
            "interval": Noted(f"{numbers.period.value:g}s", numbers.period.why),
            "timeout": Noted(
                f"{COMMAND_TIMEOUT}s", f"Longer than the {PROBE_TIMEOUT} s of the command, for the start of Python."
            ),
            "retries": numbers.failures,
            "start_period": Noted(f"{start.value}s", start.why),
            "start_interval": Noted("1s", "Until it is healthy for the first time. Needs Docker 25."),
        },
        "Asks readiness: whether the container may be used." + live,
    )
