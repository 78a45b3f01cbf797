"""The command `manifest`."""

import argparse

from .command import Command, fail
from .options import add_app, add_seconds, add_timeout, parse_port

DEFAULT_TIMEOUT = 30.0
"""Default of `--timeout`, in seconds."""

PLATFORMS = ("kubernetes", "compose", "haproxy", "envoy", "caddy", "nginx", "systemd")
"""The platforms."""

SERVERS = ("uvicorn", "gunicorn", "granian", "hypercorn", "daphne")
"""The servers."""

DESCRIPTION = """\
Print the configuration of a platform that fits an app.

Paths, ports, periods, thresholds and times are computed from the app's checks,
Listener and Drain, and a comment gives the reason for each. The app is imported
in a process of its own, and not started. Exit code 0: it is printed; 1: the app
cannot be imported or has no HealthMiddleware; 2: wrong arguments."""

EXAMPLES = """\
examples:
  asgi-health manifest kubernetes shop.main:app > deployment.yaml
  asgi-health manifest haproxy shop.main:app --host 10.0.0.4 --host 10.0.0.5"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("platform", metavar="PLATFORM", choices=PLATFORMS, help=f"one of {', '.join(PLATFORMS)}")
    add_app(parser)
    parser.add_argument(
        "--server",
        metavar="SERVER",
        choices=SERVERS,
        default=SERVERS[0],
        help=f"one of {', '.join(SERVERS)} (default: {SERVERS[0]})",
    )
    parser.add_argument("--port", type=_parse_known_port, default=8000, help="the port of the app (default: 8000)")
    parser.add_argument(
        "--host",
        dest="hosts",
        metavar="HOST",
        action="append",
        default=[],
        help="the address where the server listens; for a balancer HOST or HOST:PORT of an instance, may be repeated",
    )
    add_seconds(parser, "--startup", 60.0, "seconds for the imports and the app's own startup")
    add_seconds(parser, "--longest-request", 30.0, "seconds of the longest request")
    add_timeout(parser, DEFAULT_TIMEOUT, "seconds for the import")
    parser.add_argument("--verbose", action="store_true", help="print tracebacks on stderr")


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code of the process."""
    from ..manifest import Options, print_manifest
    from ..manifest.address import parse_instance
    from ..manifest.servers import SERVERS

    try:
        options = Options(
            SERVERS[arguments.server],
            arguments.port,
            tuple(parse_instance(each) for each in arguments.hosts),
            arguments.startup,
            arguments.longest_request,
        )
        return print_manifest(
            arguments.platform, arguments.app, options, seconds=arguments.timeout, verbose=arguments.verbose
        )
    except ValueError as error:
        return fail("manifest", str(error), 2)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ruamel":
            raise
        return fail("manifest", 'ruamel.yaml is not installed; try: pip install "asgi-health[manifest]"', 2)


def _parse_known_port(text: str) -> int:
    port = parse_port(text)
    if not port:
        raise argparse.ArgumentTypeError("0 is not a port (1 to 65535)")
    return port


COMMAND = Command("manifest", "print the configuration of a platform", DESCRIPTION, add_arguments, run, EXAMPLES)
