"""The argparse parser of all commands and their help texts."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from .arguments import (
    DEFAULT_MAX_AGE,
    DEFAULT_PROBE_TIMEOUT,
    parse_count,
    parse_header,
    parse_seconds,
    parse_status,
    parse_timeout,
    program,
)
from .place import parse_place
from .target import Target, parse_url

T = TypeVar("T")
AddParser = Callable[..., argparse.ArgumentParser]

DEFAULT_WAIT_TIMEOUT = 60.0
"""Default of `--timeout` for `wait`, in seconds."""

DEFAULT_CHECK_TIMEOUT = 30.0
"""Default of `--timeout` for `check` and `doctor`, in seconds."""

DEFAULT_ALERT_TIMEOUT = 30.0
"""Default of `--timeout` for `alert test`, in seconds."""

DEFAULT_APP_TIMEOUT = 5.0
"""Default of `--timeout` for `maintain`, `resume` and `status`, in seconds."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
"""The units of `--for`, in seconds."""

DEFAULT_MANIFEST_TIMEOUT = 30.0
"""Default of `--timeout` for `manifest`, in seconds."""

PLATFORMS = ("kubernetes", "compose", "haproxy", "envoy", "caddy", "nginx", "systemd")
"""The platforms that `manifest` knows."""

SERVERS = ("uvicorn", "gunicorn", "granian", "hypercorn", "daphne")
"""The servers that `manifest` knows."""

SHELLS = ("bash", "zsh", "fish")
"""The shells that `completion` supports."""

# Completion scripts show the first line of each description, so it is a sentence of its own.
_URL = """\
URL is http://host/path, https://host/path, unix:/socket:/path for a unix
socket, or file:/path for a file that the app touches while it is healthy."""

_PROBE = f"""\
Ask a URL once whether it is healthy.

Exit code 0: healthy; 1: unhealthy or unreachable, and one line on stderr says
why; 2: wrong arguments.

{_URL}

Redirects are not followed, and proxies of the environment are not used."""

_PROBE_EXAMPLES = """\
examples:
  asgi-health probe http://127.0.0.1:8000/readyz
  asgi-health probe unix:/run/app.sock:/livez --timeout 1
  asgi-health probe file:/run/app/ready
  asgi-health probe --header 'Host: shop.example' http://127.0.0.1:8000/readyz"""

_WAIT = f"""\
Wait until all URLs are healthy at the same time.

Each URL is asked about once a second, and each request may take 2 s. Progress
goes to stderr. Exit code 0: all are healthy; 1: not in time, and stderr says
which URL and why; 2: wrong arguments.

{_URL}"""

_CHECK = """\
Start an app, run each of its checks once, and print the results.

The app is imported, started and shut down in a process of its own. It serves
no requests, and what it prints goes to stderr. Exit code 0: no critical check
fails; 1: a critical check fails, the app has no checks, cannot be imported or
started, or ends its process before all checks have ended; 2: wrong arguments."""

_CHECK_EXAMPLES = """\
examples:
  asgi-health check shop.main:app
  asgi-health check 'shop.main:create_app()' --json"""

_ALERT = """\
Test the alerts of an app."""

_ALERT_TEST = """\
Send a test message to each target of an app's alerts, or of URLs.

The app is imported in a process of its own, and not started. One line per
target says how long it took, or what failed. Exit code 0: every target has
accepted the message; 1: one has not, or the app has no alerts or cannot be
imported; 2: wrong arguments."""

_ALERT_TEST_EXAMPLES = """\
examples:
  asgi-health alert test shop.main:app
  asgi-health alert test shop.main:alerts --message 'Alerts of the shop work'
  asgi-health alert test --url 'json://127.0.0.1:8080/hook'"""

_TARGET = """\
TARGET is the app: http://host:port, https://host or unix:/run/app.sock, with
the path of the endpoint where it is not the usual one. Or it is the path of the
board of its workers, such as /run/app/health.db, which works while the app is
blocked, and while it does not run.

The token for the app is read from ASGI_HEALTH_TOKEN, because other users of
the machine see the arguments of a command. Another way to sign in is --header."""

_MAINTAIN = f"""\
Begin a maintenance of a check, or of the whole app. It always ends by itself.

While a check is in maintenance, its failures count as a warning. While the app
is, it is not ready and gets no traffic. Exit code 0: it has begun; 1: it has
not, and stderr says why; 2: wrong arguments.

{_TARGET}"""

_MAINTAIN_EXAMPLES = """\
examples:
  asgi-health maintain http://127.0.0.1:8000 database --for 10m
  asgi-health maintain /run/app/health.db --for 2h --reason 'new disks'"""

_RESUME = f"""\
End a maintenance of a check, or of the whole app, before its time.

Exit code 0: it has ended; 1: it has not, or there is none, and stderr says
which; 2: wrong arguments.

{_TARGET}"""

_RESUME_EXAMPLES = """\
examples:
  asgi-health resume http://127.0.0.1:8000 database
  asgi-health resume /run/app/health.db"""

_STATUS = f"""\
Print the checks of an app, its workers and its maintenances.

The details of the app show its checks, and the board shows its workers. Exit
code 0: it is ready; 1: it is not, or that is not known; 2: wrong arguments.

{_TARGET}"""

_STATUS_EXAMPLES = """\
examples:
  asgi-health status http://127.0.0.1:8000
  asgi-health status /run/app/health.db --json"""

_DOCTOR = """\
Find faults in the configuration of an app, with why and the cure.

The app is imported and started in a process of its own, and each of its checks
runs once. A URL is asked from outside. docs/doctor.md has a section for each
rule. Exit code 0: no error, perhaps warnings; 1: an error, or the app cannot
be examined; 2: wrong arguments."""

_DOCTOR_EXAMPLES = """\
examples:
  asgi-health doctor shop.main:app --workers 4 --instances 20
  asgi-health doctor shop.main:app --kubernetes deployment.yaml
  asgi-health doctor shop.main:app --ignore open-details --json
  asgi-health doctor https://shop.example/"""

_MANIFEST = """\
Print the configuration of a platform that fits an app.

Paths, ports, periods, thresholds and times come from the app's checks,
Listener and Drain, and a comment says how. The app is imported in a process of
its own, and not started. Exit code 0: it is printed; 1: the app cannot be
imported or has no HealthMiddleware; 2: wrong arguments."""

_MANIFEST_EXAMPLES = """\
examples:
  asgi-health manifest kubernetes shop.main:app > deployment.yaml
  asgi-health manifest haproxy shop.main:app --host 10.0.0.4 --host 10.0.0.5"""

_DEMO = """\
Run a small shop whose dependencies fail on request.

The shop listens on 127.0.0.1. Its page shows what the probes answer, and its
buttons break and repair what it depends on."""

_COMPLETION = """\
Print the script that completes this command in a shell."""

_COMPLETION_EXAMPLES = """\
examples:
  bash: eval "$(asgi-health completion bash)"
  zsh:  eval "$(asgi-health completion zsh)"
  fish: asgi-health completion fish | source"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands. It sets `command` to the name of the command."""
    parser = _Parser(prog=program(), description="Health endpoints for any ASGI app.", allow_abbrev=False)
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)

    def add_command(
        name: str, help: str, description: str, epilog: str = "", *, add_parser: AddParser = commands.add_parser
    ) -> argparse.ArgumentParser:
        return add_parser(
            name,
            help=help,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    probe = add_command("probe", "ask a URL once whether it is healthy", _PROBE, _PROBE_EXAMPLES)
    probe.add_argument("url", metavar="URL", type=_argument_type(parse_url), help="the URL to ask")
    _add_timeout(
        probe,
        DEFAULT_PROBE_TIMEOUT,
        "seconds for name look-up, connection, TLS, request and answer together",
        parse_timeout,
    )
    _add_request_options(probe)
    probe.add_argument("--verbose", action="store_true", help="print the first 10 KiB of the answer's body on stdout")

    wait = add_command("wait", "wait until URLs are healthy", _WAIT)
    wait.add_argument("urls", metavar="URL", type=_argument_type(parse_url), nargs="+", help="the URLs to ask")
    _add_timeout(wait, DEFAULT_WAIT_TIMEOUT, "seconds after which to give up")
    wait.add_argument(
        "--consecutive",
        metavar="N",
        type=_argument_type(parse_count),
        default=1,
        help="rounds in a row in which all are healthy, where several workers answer in turn (default: 1)",
    )
    _add_request_options(wait)

    check = add_command("check", "run every check of an app once", _CHECK, _CHECK_EXAMPLES)
    check.add_argument(
        "app",
        metavar="MODULE:APP",
        type=_argument_type(_parse_app),
        help="the app, named as for a server; MODULE:APP() calls a factory",
    )
    check.add_argument("--json", action="store_true", help="print JSON instead of a table")
    check.add_argument("--allow-empty", action="store_true", help="accept an app without checks")
    _add_timeout(check, DEFAULT_CHECK_TIMEOUT, "seconds for import, startup, checks and shutdown together")
    check.add_argument("--verbose", action="store_true", help="print tracebacks and the log of failures on stderr")

    alert = add_command("alert", "test the alerts of an app", _ALERT)
    actions = alert.add_subparsers(metavar="ACTION", dest="action", required=True)
    test = add_command(
        "test", "send a test message to each target", _ALERT_TEST, _ALERT_TEST_EXAMPLES, add_parser=actions.add_parser
    )
    test.add_argument(
        "app",
        metavar="MODULE:APP",
        type=_argument_type(_parse_app),
        nargs="?",
        help="the app, named as for a server, or its Alerts; MODULE:APP() calls a factory",
    )
    test.add_argument(
        "--url",
        dest="urls",
        metavar="URL",
        action="append",
        default=[],
        help="a URL of Apprise, in place of an app; may be repeated",
    )
    test.add_argument("--message", metavar="TEXT", default="", help="the text of the message")
    test.add_argument("--json", action="store_true", help="print JSON instead of a table")
    _add_timeout(test, DEFAULT_ALERT_TIMEOUT, "seconds for the import and all messages together")
    test.add_argument("--verbose", action="store_true", help="print tracebacks and the log of failures on stderr")

    _add_doctor(add_command("doctor", "find faults in the configuration of an app", _DOCTOR, _DOCTOR_EXAMPLES))

    maintain = add_command("maintain", "begin a maintenance, which ends by itself", _MAINTAIN, _MAINTAIN_EXAMPLES)
    _add_place(maintain)
    _add_check(maintain)
    maintain.add_argument(
        "--for",
        dest="seconds",
        metavar="TIME",
        type=_argument_type(_parse_duration),
        required=True,
        help="when it ends by itself: 90s, 10m, 2h or 1d; a number is in seconds",
    )
    maintain.add_argument(
        "--reason", metavar="TEXT", type=_argument_type(_parse_reason), default="", help="why, for readers of details"
    )
    _add_app_options(maintain)

    resume = add_command("resume", "end a maintenance before its time", _RESUME, _RESUME_EXAMPLES)
    _add_place(resume)
    _add_check(resume)
    _add_app_options(resume)

    status = add_command("status", "print the checks and the workers of an app", _STATUS, _STATUS_EXAMPLES)
    _add_place(status)
    status.add_argument("--json", action="store_true", help="print JSON instead of tables")
    _add_app_options(status)

    manifest = add_command("manifest", "print the configuration of a platform", _MANIFEST, _MANIFEST_EXAMPLES)
    manifest.add_argument("platform", metavar="PLATFORM", choices=PLATFORMS, help=f"one of {', '.join(PLATFORMS)}")
    manifest.add_argument(
        "app",
        metavar="MODULE:APP",
        type=_argument_type(_parse_app),
        help="the app, named as for a server; MODULE:APP() calls a factory",
    )
    manifest.add_argument(
        "--server",
        metavar="SERVER",
        choices=SERVERS,
        default=SERVERS[0],
        help=f"one of {', '.join(SERVERS)} (default: {SERVERS[0]})",
    )
    manifest.add_argument("--port", type=_parse_known_port, default=8000, help="the port of the app (default: 8000)")
    manifest.add_argument(
        "--host",
        dest="hosts",
        metavar="HOST",
        action="append",
        default=[],
        help="where the server listens; behind a balancer HOST or HOST:PORT of an instance, may be repeated",
    )
    _add_seconds(manifest, "--startup", 60.0, "seconds for the imports and the app's own startup")
    _add_seconds(manifest, "--longest-request", 30.0, "seconds of the longest request")
    _add_timeout(manifest, DEFAULT_MANIFEST_TIMEOUT, "seconds for the import")
    manifest.add_argument("--verbose", action="store_true", help="print tracebacks on stderr")

    demo = add_command("demo", "run a small shop whose dependencies fail on request", _DEMO)
    demo.add_argument("--port", type=_parse_port, default=8000, help="the port; 0 picks a free one (default: 8000)")

    completion = add_command("completion", "print the completion script for a shell", _COMPLETION, _COMPLETION_EXAMPLES)
    completion.add_argument("shell", choices=SHELLS, help="the shell")
    return parser


def _add_doctor(doctor: argparse.ArgumentParser) -> None:
    doctor.add_argument(
        "subject",
        metavar="MODULE:APP|URL",
        type=_argument_type(_parse_subject),
        help="the app, named as for a server, or where it is served",
    )
    doctor.add_argument("--json", action="store_true", help="print JSON instead of a table")
    doctor.add_argument(
        "--ignore",
        dest="ignored",
        metavar="RULE",
        type=_argument_type(_parse_rule),
        action="append",
        default=[],
        help="leave out a rule; may be repeated",
    )
    doctor.add_argument("--kubernetes", metavar="FILE", help="compare the app with this manifest")
    doctor.add_argument("--container", metavar="NAME", help="the container of the manifest that runs the app")
    for name, meaning in (
        ("--prober-timeout", "seconds after which the prober gives up"),
        ("--period", "seconds between two requests of readiness"),
        ("--grace", "seconds from SIGTERM to SIGKILL"),
    ):
        doctor.add_argument(name, metavar="S", type=_argument_type(parse_seconds), help=meaning)
    for name, meaning in (
        ("--failure-threshold", "failures in a row after which the app gets no more requests"),
        ("--workers", "processes of one instance"),
        ("--instances", "instances of the app"),
    ):
        doctor.add_argument(name, metavar="N", type=_argument_type(_parse_number), help=meaning)
    doctor.add_argument(
        "--no-start", dest="start", action="store_false", help="neither start the app nor run its checks"
    )
    doctor.add_argument("--insecure", action="store_true", help="accept any certificate")
    _add_timeout(doctor, DEFAULT_CHECK_TIMEOUT, "seconds for import, startup, checks and shutdown together")
    doctor.add_argument("--verbose", action="store_true", help="print tracebacks and the log of failures on stderr")


def _add_timeout(
    command: argparse.ArgumentParser, default: float, meaning: str, parse: Callable[[str], float] = parse_seconds
) -> None:
    _add_seconds(command, "--timeout", default, meaning, parse)


def _add_seconds(
    command: argparse.ArgumentParser,
    option: str,
    default: float,
    meaning: str,
    parse: Callable[[str], float] = parse_seconds,
) -> None:
    command.add_argument(
        option,
        metavar="S",
        type=_argument_type(parse),
        default=default,
        help=f"{meaning} (default: {default:g})",
    )


def _add_place(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "place",
        metavar="TARGET",
        type=_argument_type(parse_place),
        help="the URL of the app, or the path of a board",
    )


def _add_check(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "check",
        metavar="CHECK",
        type=_argument_type(_parse_check),
        nargs="?",
        help="the name of a check; without it the whole app is meant",
    )


def _add_app_options(command: argparse.ArgumentParser) -> None:
    _add_timeout(command, DEFAULT_APP_TIMEOUT, "seconds for the request to an app", parse_timeout)
    _add_header(command)
    _add_insecure(command)


def _add_header(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--header",
        dest="headers",
        metavar="'K: V'",
        type=_argument_type(parse_header),
        action="append",
        default=[],
        help="also send this header; may be repeated",
    )


def _add_insecure(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--insecure",
        action="store_true",
        help="accept any certificate, as a kubelet does: for an app that is asked by its address",
    )


def _add_request_options(command: argparse.ArgumentParser) -> None:
    _add_header(command)
    command.add_argument(
        "--expect-status",
        dest="expected",
        metavar="N",
        type=_argument_type(parse_status),
        action="append",
        default=[],
        help="a status that is healthy; may be repeated (default: 200 to 299)",
    )
    command.add_argument(
        "--max-age",
        metavar="S",
        type=_argument_type(parse_seconds),
        default=DEFAULT_MAX_AGE,
        help=f"seconds after which a file is too old (default: {DEFAULT_MAX_AGE:g})",
    )
    _add_insecure(command)


def _argument_type(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return `parse` for argparse, which hides the message of a ValueError."""

    def parse_or_explain(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_or_explain


def _parse_app(text: str) -> tuple[str, str]:
    module, colon, attribute = text.partition(":")
    is_file = module.endswith(".py") or "/" in module or os.sep in module
    if is_file or not colon or not _is_dotted_name(module) or not _is_dotted_name(attribute.removesuffix("()")):
        raise ValueError(f"{text!r}: expected module:app or module:factory(){_suggest_app(module, attribute)}")
    return module, attribute


def _parse_subject(text: str) -> tuple[str, str] | Target:
    return parse_url(text) if "://" in text or text.startswith("unix:") else _parse_app(text)


def _parse_rule(text: str) -> str:
    from .doctor.rules import APP_RULES
    from .doctor.rules.url import URL_RULES

    known = {*(each.id for each in APP_RULES), *(each.id for each in URL_RULES)}
    if text not in known:
        from difflib import get_close_matches

        close = get_close_matches(text, known, 1)
        raise ValueError(f"{text!r} is no rule{f'; did you mean {close[0]}?' if close else '; see docs/doctor.md'}")
    return text


def _parse_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text)):
        raise ValueError(f"{text!r} is not a number from 1 to 999999")
    return int(text)


def _suggest_app(module: str, attribute: str) -> str:
    """Return how to name the app in the file `module`, for the end of an error message; empty if that is unclear."""
    parts = [part for part in module.removesuffix(".py").replace(os.sep, "/").split("/") if part not in ("", ".")]
    module = ".".join(parts)
    attribute = attribute or "app"
    if _is_dotted_name(module) and _is_dotted_name(attribute.removesuffix("()")):
        return f", such as {module}:{attribute}"
    return ""


def _is_dotted_name(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _parse_duration(text: str) -> float:
    from ..core.maintenance import MAX_MAINTENANCE  # not at the top: the other commands do not need it

    number, factor = (text[:-1], UNITS[text[-1]]) if text[-1:] in UNITS else (text, 1)
    seconds = float(number) * factor if number.isascii() and number.replace(".", "", 1).isdigit() else 0.0
    if not 0.001 <= seconds <= MAX_MAINTENANCE:
        raise ValueError(f"{text!r} is not a time such as 90s, 10m, 2h or 1d (more than 0, at most 7d)")
    return seconds


def _parse_reason(text: str) -> str:
    from ..core.maintenance import MAX_REASON

    if len(text) > MAX_REASON:
        raise ValueError(f"the reason has {len(text)} characters; expected at most {MAX_REASON}")
    return _parse_check(text) if text else ""


def _parse_check(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError(f"{text!r}: expected printable text")
    return text


def _parse_port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def _parse_known_port(text: str) -> int:
    port = _parse_port(text)
    if not port:
        raise argparse.ArgumentTypeError("0 is not a port (1 to 65535)")
    return port


class _Parser(argparse.ArgumentParser):
    """A parser that names the unknown option.

    argparse takes the value of an unknown option for a positional argument, and complains about that one instead.
    argparse makes the parsers of the commands from the same class.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  one of three overloads
        words = list(sys.argv[1:] if args is None else args)
        for word in words[: words.index("--") if "--" in words else None]:
            name = word.partition("=")[0]
            if self._subparsers is not None and not word.startswith("-"):
                break  # the command: the parser of the command reads the options after it
            # The rules of argparse: a word with a space in it is a value, and so is a negative number.
            is_option = word[:1] == "-" and word != "-" and " " not in word and not word[1:2].isdigit()
            if is_option and name not in self._option_string_actions and not word.startswith("-h"):
                self.error(f"unknown option {name}{self._suggest_option(name)}")
        return super().parse_known_args(words, namespace)

    def _suggest_option(self, name: str) -> str:
        from difflib import get_close_matches

        options = [option for option in self._option_string_actions if option.startswith("--")]
        close = [option for option in options if name.startswith("--") and option.startswith(name)]
        if not close and self._subparsers is not None:
            return "; the options of a command go after its name"
        close = close or get_close_matches(name, options, 1)
        return f"; did you mean {close[0]}?" if close else f"; the options are {', '.join(options)}"


class _Version(argparse.Action):
    """Print the version. It is read only on request, because reading package metadata is slow."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        import asgi_health

        try:
            version = asgi_health.__version__
        except AttributeError as error:
            parser.exit(1, f"{program()}: {error}\n")
        print(f"asgi-health {version} (Python {sys.version.split()[0]})")
        parser.exit()
