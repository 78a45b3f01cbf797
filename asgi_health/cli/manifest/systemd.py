"""A unit of systemd."""

import os
import re
import sysconfig
from collections.abc import Iterable
from math import ceil
from string import Template

from ..documentation import page
from .address import at
from .facts import AppFacts
from .numbers import grace, stall_live, startup_seconds
from .options import Options
from .remarks import comment, head
from .servers import GUNICORN, Server, command, reached_by_signals

LOCAL = "127.0.0.1"
SPARE = 5
PLAIN = re.compile(r"[\w./:@=,+%$-]+")
"""A word that needs no quotes."""
WAITS = f"{SPARE} s more, so that the command that waits says first what is missing."

TEMPLATE = Template("""\
$head
[Unit]
Description=$name
After=network.target

[Service]
${type}WorkingDirectory=$directory
RuntimeDirectory=$name
# After an abort by the watchdog the journal has the stack of each thread.
Environment=PYTHONFAULTHANDLER=1
ExecStart=$command
${start_why}TimeoutStartSec=$start
$watchdog${stop_why}TimeoutStopSec=$stop
# SIGTERM goes to the main process alone. A server passes it on to its workers, and a second one ends their drain.
KillMode=mixed
Restart=on-failure

[Install]
WantedBy=multi-user.target
""")

GUNICORN_NOTIFIES = (
    "gunicorn itself reports READY=1 before a worker has imported the app:"
    f" {page('how-to/platforms/systemd')} has the lines for gunicorn.conf.py that leave it to the workers."
)


def render(app: AppFacts, options: Options) -> str:
    """Return the unit."""
    server = reached_by_signals(options.server)
    start = startup_seconds(app.checks, options.start)
    stop = grace(app, server, options.longest_request)
    # Without lifespan READY=1 would come after the first request.
    notifies = app.notifies_systemd and server.has_lifespan
    return TEMPLATE.substitute(
        head=head("systemd", app, options, [GUNICORN_NOTIFIES] if notifies and server is GUNICORN else []),
        name=app.name,
        type=_notified(server) if notifies else _asked(app, options, start.value),
        directory=_escaped(os.getcwd()),
        command=_command(app, options, server),
        start_why=comment(
            start.why if notifies else f"{start.why} {SPARE} s more, so that the command says why first."
        ),
        start=start.value + (0 if notifies else SPARE),
        watchdog=_watchdog(app) if notifies else "",
        stop_why=comment(stop.why),
        stop=stop.value,
    )


def _notified(server: Server) -> str:
    access, process = ("all", "the worker") if server.serves_in_worker else ("main", "the main process")
    why = comment(f"Systemd() among the app's integrations reports from {process}.")
    return f"{why}Type=notify\nNotifyAccess={access}\n"


def _asked(app: AppFacts, options: Options, seconds: int) -> str:
    path = app.startup or app.ready
    why = "No Systemd() reports from the app, or its server sends no lifespan: nothing restarts a blocked event loop."
    if path is None:
        return f"{comment(why)}Type=exec\n"
    url = f"http://{at(options.bind(LOCAL), options.port)}{path}"
    words = [_script("asgi-health"), "wait", "--timeout", str(seconds), url]
    return f"{comment(f'{why} So a command waits until the app has started.')}Type=exec\nExecStartPost={_line(words)}\n"


def _watchdog(app: AppFacts) -> str:
    stall = stall_live(app)
    why = f"{stall.value:g} s that a blocked loop may take ({stall.why}). Then systemd kills with SIGABRT."
    return f"{comment(why)}WatchdogSec={ceil(stall.value)}\n"


def _command(app: AppFacts, options: Options, server: Server) -> str:
    program, *words = command(
        server,
        app.target,
        options.bind(LOCAL),
        options.port,
        delay=app.delay,
        longest_request=options.longest_request,
    )
    return _line([_script(program), *words])


def _script(name: str) -> str:
    """Return the path of a command of the environment in which this one runs: systemd has no PATH of a shell."""
    return os.path.join(sysconfig.get_path("scripts"), name)


def _line(words: Iterable[str]) -> str:
    """Return the words as a command line of systemd, which replaces what begins with % and $."""
    program, *arguments = map(_word, words)
    # A $ in the path of the program is one.
    return " ".join([program, *(each.replace("$", "$$") for each in arguments)])


def _word(text: str) -> str:
    if set(text) & set("\"'\\"):  # systemd runs no program with one of these in its path
        raise ValueError(f"{text!r}: a unit cannot name this path")
    return _escaped(text) if PLAIN.fullmatch(text) else f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """Return a path of this machine as the value of a setting. Raises ValueError for one that would end the line."""
    if not text.isprintable():
        raise ValueError(f"{text!r}: a unit cannot name this path")
    return text.replace("%", "%%")
