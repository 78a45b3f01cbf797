"""The command `probe`."""

import argparse

from ..arguments import DEFAULT_PROBE_TIMEOUT, ProbeRequest, parse_timeout
from ..target import parse_url
from .command import Command
from .options import URL, add_request_options, add_timeout, argument_type

DESCRIPTION = f"""\
Ask a URL once whether it is healthy.

Exit code 0: healthy; 1: unhealthy or unreachable, and one line on stderr says
why; 2: wrong arguments.

{URL}

Redirects are not followed, and proxies of the environment are not used."""

EXAMPLES = """\
examples:
  asgi-health probe http://127.0.0.1:8000/readyz
  asgi-health probe unix:/run/app.sock:/livez --timeout 1
  asgi-health probe file:/run/app/ready
  asgi-health probe --header 'Host: shop.example' http://127.0.0.1:8000/readyz"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("url", metavar="URL", type=argument_type(parse_url), help="the URL to ask")
    add_timeout(
        parser,
        DEFAULT_PROBE_TIMEOUT,
        "seconds for name look-up, connection, TLS, request and answer together",
        parse_timeout,
    )
    add_request_options(parser)
    parser.add_argument("--verbose", action="store_true", help="print the first 10 KiB of the answer's body on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return the exit code of the process."""
    from ..probe import probe

    return probe(probe_request(arguments))


def probe_request(arguments: argparse.Namespace) -> ProbeRequest:
    """Return the request that the arguments of `probe` describe."""
    return ProbeRequest(
        arguments.url,
        timeout=arguments.timeout,
        headers=tuple(arguments.headers),
        expected=tuple(arguments.expected),
        insecure=arguments.insecure,
        verbose=arguments.verbose,
        max_age=arguments.max_age,
    )


COMMAND = Command("probe", "ask a URL once whether it is healthy", DESCRIPTION, add_arguments, run, EXAMPLES)
