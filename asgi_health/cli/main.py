"""Run the command that the arguments name."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

from .arguments import ProbeRequest, program
from .parser import build_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` and return the exit code of the process. Raises SystemExit(2) for wrong arguments."""
    arguments = build_parser().parse_args(argv)
    return _COMMANDS[arguments.command](arguments)


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


def _probe(arguments: argparse.Namespace) -> int:
    from .probe import probe

    return probe(probe_request(arguments))


def _wait(arguments: argparse.Namespace) -> int:
    from .wait import wait

    requests = [
        ProbeRequest(
            url,
            headers=tuple(arguments.headers),
            expected=tuple(arguments.expected),
            insecure=arguments.insecure,
            max_age=arguments.max_age,
        )
        for url in arguments.urls
    ]
    return wait(requests, arguments.timeout, arguments.consecutive)


def _check(arguments: argparse.Namespace) -> int:
    from .check import check

    return check(
        *arguments.app,
        seconds=arguments.timeout,
        as_json=arguments.json,
        verbose=arguments.verbose,
        allow_empty=arguments.allow_empty,
    )


def _alert(arguments: argparse.Namespace) -> int:
    from .alert import send_tests

    if (arguments.app is None) == (not arguments.urls):
        return _fail("alert test", "expected either MODULE:APP or --url", 2)
    return send_tests(
        arguments.app,
        arguments.urls,
        text=arguments.message,
        seconds=arguments.timeout,
        as_json=arguments.json,
        verbose=arguments.verbose,
    )


def _manifest(arguments: argparse.Namespace) -> int:
    from .manifest import Options, print_manifest
    from .manifest.address import parse_instance
    from .manifest.servers import SERVERS

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
        return _fail("manifest", str(error), 2)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ruamel":
            raise
        return _fail("manifest", 'ruamel.yaml is not installed; try: pip install "asgi-health[manifest]"', 2)


def _demo(arguments: argparse.Namespace) -> int:
    # SIGTERM ends the demo as Ctrl-C does: by an exception, so that everything that is open gets closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        try:
            from .demo.serve import CannotListen, serve
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in ("starlette", "uvicorn"):
                raise
            return _fail("demo", f'{missing} is not installed; try: pip install "asgi-health[demo]"', 2)
        try:
            return serve(arguments.port)
        except CannotListen as error:
            return _fail("demo", f"{error}; choose another port with --port", 1)
    except KeyboardInterrupt:
        return 0


def _fail(command: str, reason: str, code: int) -> int:
    print(f"{program()} {command}: {reason}", file=sys.stderr)
    return code


def _completion(arguments: argparse.Namespace) -> int:
    try:
        import shtab
    except ModuleNotFoundError:
        return _fail("completion", 'shtab is not installed; try: pip install "asgi-health[completion]"', 2)
    parser = build_parser()
    parser.prog = "asgi-health"  # the command that the shell completes, however this process was started
    print(shtab.complete(parser, arguments.shell))
    return 0


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "probe": _probe,
    "wait": _wait,
    "check": _check,
    "alert": _alert,
    "manifest": _manifest,
    "demo": _demo,
    "completion": _completion,
}
