"""The page docs/reference/checks.md, written from the catalogue: ``python -m asgi_health.checks`` prints it."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

from .catalogue import CatalogueEntry, entries

INTRODUCTION = """\
# Ready-made checks

A check takes the client that the application already has. Where the client is made in the lifespan, pass a function
without arguments that returns it. Checks without a client take what names their subject: the alias of a Django
database, the host for TCP, TLS and DNS, the path for `sqlite_database` and `disk_free`. Checks of the process itself
take limits.

<!-- with: DATABASE -->
```python
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI

from asgi_health import Check, HealthMiddleware
from asgi_health.checks.postgres import asyncpg_pool


@asynccontextmanager
async def lifespan(api):
    async with asyncpg.create_pool(DATABASE) as api.state.pool:
        yield


api = FastAPI(lifespan=lifespan)
app = HealthMiddleware(api, checks=[Check("database", asyncpg_pool(lambda: api.state.pool), timeout=1.0)])
```

- The deadline of the Check covers everything that a run does.
- No check consumes a message that is meant for others. No check publishes or writes, except `celery.celery_workers`:
  the broker must register the listener, and workers are asked for their queues by a message.
- A pool that is exhausted while the server answers is degraded: `pool exhausted: 20 of 20 in use`. To find out, the
  check opens an extra connection outside the pool, and closes it.
- The driver comes with your application, or with the extra: `pip install "asgi-health[postgres]"`.
- Most async drivers need asyncio, with its own loop or with uvloop. On trio their checks fail and say so. Checks
  without a driver, checks that run in a thread, and `http.httpx_url` work on trio too.

| technology | check, in `asgi_health.checks` | extra | asked | cost of a run | privileges |
|---|---|---|---|---|---|
"""

LIMITS = """
## What a healthy answer does not show

**That writes are taken.** After a failover the client may be connected to a standby, which answers every ping and
refuses every write. Checks of databases have `writable=True`: it asks for that instead of the ping, in as many round
trips, and still writes nothing. Only a write shows whether the user may write to a table, and whether the disk has
room. Each check below lists what else it does not see.

**That work is done.** An open connection and a heartbeat show that a process is alive.

- RabbitMQ has cancelled the consumer, because its queue was deleted or moved. Messages pile up, and
  `amqp.aio_pika_connection` is healthy. `amqp.rabbitmq_queue` counts consumers and waiting messages.
- A Celery worker was started for other queues, or has stopped consuming one. Its heartbeats continue.
  `celery.celery_workers(..., queues=["mail"])` asks for its queues.
- A Kafka consumer was removed from its group, or has no partition. `kafka.aiokafka_client` is healthy.
  `kafka.aiokafka_consumer` counts its partitions, and how many messages it is behind.
- A task or a handler hangs. Consumer, heartbeat and partitions stay as they are. A limit for waiting messages
  (`max_messages`, `max_lag`) is exceeded in the end. So is the limit of `heartbeat.Heartbeat`, where the loop of the
  work itself calls `beat()`.

## A client that is closed for good

Most clients reconnect by themselves, and a restart of the process would repair nothing: their checks belong to
readiness. Some clients end for good: that of nats-py when it has used up `max_reconnect_attempts` (60 unless you set
it), and a pool that was closed. Then readiness is 503 until the process is restarted, and only a failing liveness probe
restarts it. So make liveness depend on exactly that:

<!-- with: NATS -->
```python
from contextlib import asynccontextmanager

import nats
from fastapi import FastAPI

from asgi_health import Check, HealthMiddleware, Probe
from asgi_health.checks.nats import nats_client


@asynccontextmanager
async def lifespan(api):
    api.state.nats = await nats.connect(NATS)
    yield
    await api.state.nats.close()


api = FastAPI(lifespan=lifespan)


async def not_closed():
    client = getattr(api.state, "nats", None)  # None before the startup has made it
    if client is not None and client.is_closed:
        raise RuntimeError("the client of NATS is closed for good: only a restart makes another")


app = HealthMiddleware(
    api,
    checks=[
        Check("nats", nats_client(lambda: api.state.nats)),
        Check("client-open", not_closed, probes=(Probe.LIVENESS,)),
    ],
)
```

While the client reconnects, readiness is 503 and liveness 200. Other clients have such a property too:

| client | is closed for good when |
|---|---|
| nats-py | `client.is_closed` |
| asyncpg, a pool | `client.is_closing()` |
| psycopg, a pool | `client.closed` |
| aiomysql, a pool | `client.closed` |
| aio-pika, a connection | `client.is_closed` |

A plain connection of aio-pika that was lost does not reconnect, and is not closed: `aio_pika.connect_robust` makes one
that does. An engine of SQLAlchemy and a client of Redis connect again after they were closed.
"""

DETAILS = """
## Each check in detail

`ClientOrFactory[Pool]` is a `Pool`, or a plain function without arguments that returns it.

An `AsyncCheck` runs in the event loop, and its deadline cancels it. A `PlainCheck`, used for blocking drivers, runs in
a thread, which nothing can cancel. The failure is still published at the deadline, but the thread continues until the
driver gives up, and the check does not run again until then. So give such a client timeouts of its own. A check that
takes both kinds of clients (`Callable[[], object]`) is of the kind of its client.
"""

END = """
This page is written by `python -m asgi_health.checks > docs/reference/checks.md`.
"""


HEADINGS = {"Args": "Arguments", "Attributes": "Attributes", "Raises": "Raises"}


def document() -> str:
    """Return docs/reference/checks.md."""
    catalogue = entries()
    table = "".join(map(_table_row, catalogue))
    details = "".join(
        f"\n### `{entry.function}`\n\n```python\n{signature(entry.make)}\n```\n\n{_markdown(entry.docstring)}\n"
        for entry in catalogue
    )
    return f"{INTRODUCTION}{table}{LIMITS}{DETAILS}{details}{END}"


def _table_row(entry: CatalogueEntry) -> str:
    extra = f"`{entry.extra}`" if entry.extra else "–"
    cells = (entry.technology, f"`{entry.function}`", extra, entry.asked, entry.costs, entry.privileges)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _markdown(docstring: str) -> str:
    """Return a docstring with its sections, such as ``Args:``, as headings and lists."""
    return re.sub(
        r"^(Args|Attributes|Raises):\n((?:    .*(?:\n|\Z)|\n(?=    ))+)",
        lambda section: f"**{HEADINGS[section[1]]}**\n\n{_list(textwrap.dedent(section[2]))}",
        docstring,
        flags=re.MULTILINE,
    )


def _list(section: str) -> str:
    return re.sub(r"^([\w.]+): ", r"- `\1`: ", re.sub(r"^    ", "  ", section, flags=re.MULTILINE), flags=re.MULTILINE)


def signature(function: Callable[..., Any]) -> str:
    """Return ``name(argument: Kind, *, option: Kind = default) -> Kind`` of a function or a class.

    Read from the source, because a signature at run time has lost the names of type aliases.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    made = _constructor(tree) if isinstance(tree, ast.ClassDef) else tree
    assert isinstance(made, ast.FunctionDef)
    defaults = [None] * (len(made.args.args) - len(made.args.defaults)) + [*made.args.defaults]
    arguments = [_argument(*each) for each in zip(made.args.args, defaults, strict=True) if each[0].arg != "self"]
    if made.args.kwonlyargs:
        arguments.append("*")
    arguments += [_argument(*each) for each in zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True)]
    returns = "" if made is not tree else f" -> {_annotation(made.returns)}"
    return f"{function.__name__}({', '.join(arguments)}){returns}"


def _constructor(tree: ast.ClassDef) -> ast.stmt:
    return next(each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "__init__")


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    text = f"{argument.arg}: {_annotation(argument.annotation)}"
    return text if default is None else f"{text} = {ast.unparse(default)}"


def _annotation(annotation: ast.expr | None) -> str:
    """Return an annotation, without the quotes around what is imported for type checkers alone."""
    assert annotation is not None
    quoted = isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
    return ast.literal_eval(annotation) if quoted else ast.unparse(annotation)
