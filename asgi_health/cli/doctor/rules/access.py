"""Who may read details, and who may drain or begin a maintenance."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import pairwise

from ....asgi.auth import Policy, reads_address
from ....asgi.types import Scope
from ..facts import AppFacts
from ..finding import Finding, rule

STRANGER: Scope = {
    "type": "http",
    "method": "GET",
    "path": "/health",
    "root_path": "",
    "query_string": b"",
    "headers": [],
    "client": ("203.0.113.9", 50000),  # of a network for documentation (RFC 5737): no client has it
}
"""A request of a client that has no credentials and no known address."""


def _is_open(policy: Policy | None) -> bool:
    return policy is not None and policy(STRANGER)


@rule(
    "open-details",
    "warning",
    "Every client that reaches the port reads the names of the checks, their errors, and what the app depends on.",
)
def open_details(facts: AppFacts) -> Iterator[Finding]:
    if any(_is_open(layer.policies.get("details")) for layer in facts.layers):
        yield Finding(
            "details: a client without credentials may read them",
            'details=bearer_token("..."), basic_auth("...", "...") or client_in("10.0.0.0/8")',
        )


@rule(
    "open-drain", "error", "Every client that reaches the port takes the instance out of the rotation by one request."
)
def open_drain(facts: AppFacts) -> Iterator[Finding]:
    for layer in facts.layers:
        if layer.drain is not None and layer.drain.path and _is_open(layer.policies.get("drain: allow")):
            yield Finding(
                f"drain: a client without credentials may drain the app at {layer.drain.path}",
                'allow=bearer_token("..."), which a preStop hook sends as a header',
            )


@rule(
    "open-maintenance",
    "error",
    "Every client that reaches the port takes the app out of the rotation for up to a week by one request.",
)
def open_maintenance(facts: AppFacts) -> Iterator[Finding]:
    if any(_is_open(layer.policies.get("allow_maintenance")) for layer in facts.layers):
        yield Finding(
            "allow_maintenance: a client without credentials may begin a maintenance",
            'allow_maintenance=bearer_token("..."), which `asgi-health maintain` reads from ASGI_HEALTH_TOKEN',
        )


def _value(command: Sequence[str], option: str) -> str | None:
    """Return the value of an option, as ``--option value`` or ``--option=value``."""
    for word, following in pairwise([*command, ""]):
        name, equals, value = word.partition("=")
        if name == option:
            return value if equals else following
    return None


def _is_another_server(command: Sequence[str]) -> bool:
    names = {word.rpartition("/")[2] for word in command}
    return bool(names & {"daphne", "granian", "gunicorn", "hypercorn"}) and not any(
        "uvicorn" in each for each in command
    )


@rule(
    "forwarded-address",
    "warning",
    "uvicorn takes the address of the client from X-Forwarded-For where the connection comes from 127.0.0.1, unless"
    " it is configured otherwise. Behind a proxy on the same host that passes the header on, a client chooses its"
    " address.",
)
def forwarded_address(facts: AppFacts) -> Iterator[Finding]:
    container = facts.settings.container
    environment, command = (facts.environment, ()) if container is None else (container.environment, container.command)
    trusted = _value(command, "--forwarded-allow-ips")
    if trusted is None:
        trusted = environment.get("UVICORN_FORWARDED_ALLOW_IPS", environment.get("FORWARDED_ALLOW_IPS"))
    if (
        environment.get("UVICORN_PROXY_HEADERS", "").lower() in ("0", "false", "no", "off")
        or "--no-proxy-headers" in command
        or _is_another_server(command)
        or find_spec("uvicorn") is None
    ):
        return
    if trusted is not None and trusted.strip() != "*":
        return
    for layer in facts.layers:
        for option, policy in layer.policies.items():
            if policy is not None and reads_address(policy):
                by = "every address" if trusted else "127.0.0.1"
                yield Finding(
                    f"{option}: client_in(...) decides by an address that uvicorn takes from headers of {by}",
                    "FORWARDED_ALLOW_IPS with the addresses of your proxies, empty for none; or uvicorn"
                    " --no-proxy-headers, and ignore this rule; or bearer_token(...)",
                )


RULES = (open_details, open_drain, open_maintenance, forwarded_address)
