"""Who may read details, and who may drain."""

from collections.abc import Iterator
from importlib.util import find_spec

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
    "forwarded-address",
    "warning",
    "uvicorn takes the address of the client from X-Forwarded-For where the connection comes from 127.0.0.1, unless"
    " it is configured otherwise. Behind a proxy on the same host that passes the header on, a client chooses its"
    " address.",
)
def forwarded_address(facts: AppFacts) -> Iterator[Finding]:
    environment = facts.environment
    trusted = environment.get("UVICORN_FORWARDED_ALLOW_IPS", environment.get("FORWARDED_ALLOW_IPS"))
    if (
        environment.get("UVICORN_PROXY_HEADERS", "").lower() in ("0", "false", "no", "off")
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


RULES = (open_details, open_drain, forwarded_address)
