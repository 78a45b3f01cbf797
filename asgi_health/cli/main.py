"""Run the command that the arguments name."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence

from .arguments import ProbeRequest, parse_header, program
from .parser import build_parser
from .place import BoardFile
from .target import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .app_client import AppClient

TOKEN_VARIABLE = "ASGI_HEALTH_TOKEN"
"""Name of the environment variable with the token for an app: other users see the arguments of a process."""


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


def _maintain(arguments: argparse.Namespace) -> int:
    from .maintenance import maintain

    place = _place(arguments)
    return place if isinstance(place, int) else maintain(place, arguments.check, arguments.seconds, arguments.reason)


def _resume(arguments: argparse.Namespace) -> int:
    from .maintenance import resume

    place = _place(arguments)
    return place if isinstance(place, int) else resume(place, arguments.check)


def _status(arguments: argparse.Namespace) -> int:
    from .status import status

    place = _place(arguments)
    return place if isinstance(place, int) else status(place, as_json=arguments.json)


def _place(arguments: argparse.Namespace) -> "AppClient | BoardFile | int":
    """Return where a command goes, with the token of the environment; the exit code where that is none."""
    from .app_client import AppClient

    if isinstance(arguments.place, BoardFile):
        return arguments.place
    headers = list(arguments.headers)
    token = os.environ.get(TOKEN_VARIABLE, "")
    if token and "authorization" not in (name.lower() for name, _ in headers):
        try:
            headers.append(parse_header(f"Authorization: Bearer {token}"))
        except ValueError as error:
            return _fail(arguments.command, f"{TOKEN_VARIABLE}: {error}", 2)
    return AppClient(arguments.place, headers=tuple(headers), timeout=arguments.timeout, insecure=arguments.insecure)


def _doctor(arguments: argparse.Namespace) -> int:
    if isinstance(arguments.subject, Target):
        from .doctor.from_outside import diagnose_url

        return diagnose_url(
            arguments.subject,
            prober_timeout=arguments.prober_timeout,
            ignored=arguments.ignored,
            insecure=arguments.insecure,
            as_json=arguments.json,
        )
    from .doctor.command import diagnose
    from .doctor.settings import Given

    module, attribute = arguments.subject
    return diagnose(
        module,
        attribute,
        Given(
            prober_timeout=arguments.prober_timeout,
            period=arguments.period,
            failure_threshold=arguments.failure_threshold,
            grace=arguments.grace,
            workers=arguments.workers,
            instances=arguments.instances,
        ),
        manifest=arguments.kubernetes,
        container=arguments.container,
        ignored=arguments.ignored,
        start=arguments.start,
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
    "maintain": _maintain,
    "resume": _resume,
    "status": _status,
    "doctor": _doctor,
    "manifest": _manifest,
    "demo": _demo,
    "completion": _completion,
}
