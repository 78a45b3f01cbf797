"""A served app as its clients see it."""

from collections.abc import Iterator
from statistics import median

from ....core.status import Probe
from ..finding import Finding, Rule, rule
from ..url_facts import Exchange, UrlFacts


def _answers(facts: UrlFacts) -> list[Exchange]:
    return [each for each in facts.probes.values() if each.is_answer]


@rule("url-status", "error", "A prober takes the answer for a failure, or follows a redirect to something else.")
def url_status(facts: UrlFacts) -> Iterator[Finding]:
    for probe, each in facts.probes.items():
        optional = each.status == 404 and probe not in (Probe.LIVENESS, Probe.READINESS)
        if not each.is_answer and not optional:
            yield Finding(
                f"{each.path} answers {each.status}, expected 200 or 503",
                "let the request reach HealthMiddleware: look at the proxy, at middlewares outside of it, and at"
                " Paths(...)",
            )


@rule("url-unhealthy", "warning", "The app answers, and says that it is not well.")
def url_unhealthy(facts: UrlFacts) -> Iterator[Finding]:
    for probe, each in facts.probes.items():
        if each.status == 503:
            yield Finding(
                f"{each.path} answers 503: {probe.value} is not healthy", "read the details, or the log of the app"
            )


@rule(
    "url-details",
    "warning",
    "Every client that reaches this address reads the names of the checks, their errors, and what the app depends on.",
)
def url_details(facts: UrlFacts) -> Iterator[Finding]:
    for each in _answers(facts):
        if "checks" in each.document:
            yield Finding(
                f"{each.path} shows details to a client without credentials",
                'details=bearer_token("..."), basic_auth("...", "...") or client_in("10.0.0.0/8")',
            )
            return


@rule("url-unknown-path", "error", "A prober with a misspelt path passes whatever happens to the app.")
def url_unknown_path(facts: UrlFacts) -> Iterator[Finding]:
    if 200 <= facts.unknown.status <= 399:
        yield Finding(
            f"{facts.unknown.path}, which no app has, answers {facts.unknown.status}",
            "make the catch-all of the app or of the proxy answer 404 below the health paths",
        )


@rule("url-cached", "error", "A prober, or a person, gets the status of a moment that is over.")
def url_cached(facts: UrlFacts) -> Iterator[Finding]:
    for each in _answers(facts):
        control = each.headers.get("cache-control", "")
        if "no-store" not in control.lower() or "age" in each.headers:
            found = f"age: {each.headers['age']}" if "age" in each.headers else f"cache-control: {control or 'none'}"
            yield Finding(f"{each.path} has {found}; the app sends no-store", "exclude the health paths from the cache")
            return


@rule("url-head", "warning", "Some balancers and monitors ask by HEAD.")
def url_head(facts: UrlFacts) -> Iterator[Finding]:
    asked = facts.probes[Probe.READINESS]
    if asked.is_answer and not facts.head.is_answer:
        yield Finding(
            f"HEAD {facts.head.path} answers {facts.head.status}, and GET {asked.status}",
            "pass HEAD on to the app, or ask by GET",
        )


@rule(
    "url-slow", "warning", "A prober gives up after its timeout, and a busy moment makes each answer slower than now."
)
def url_slow(facts: UrlFacts) -> Iterator[Finding]:
    seconds = median(each.seconds for each in facts.probes.values())
    if seconds > facts.prober_timeout / 2:
        yield Finding(
            f"an answer takes {seconds:.2f} s, more than half of the prober's timeout, {facts.prober_timeout:g} s",
            "look at what is between this machine and the app, and ask again from where the prober is",
        )


@rule(
    "url-rewritten",
    "warning",
    "Something between the client and the app changes answers, and may change their status too.",
)
def url_rewritten(facts: UrlFacts) -> Iterator[Finding]:
    for each in _answers(facts):
        changes: list[str] = []
        kind = each.headers.get("content-type", "none")
        if not kind.startswith("application/health+json"):
            changes.append(f"content-type: {kind}")
        elif each.document.get("status") not in ("pass", "warn", "fail"):
            changes.append("a body without a status")
        changes += [f"a {name} header" for name in ("content-encoding", "set-cookie") if name in each.headers]
        if changes:
            yield Finding(
                f"{each.path} has {', '.join(changes)}; the app sends application/health+json alone",
                "pass the health paths on unchanged, or ask the app itself",
            )
            return


URL_RULES: tuple[Rule[UrlFacts], ...] = (
    url_status,
    url_unhealthy,
    url_details,
    url_unknown_path,
    url_cached,
    url_head,
    url_slow,
    url_rewritten,
)
"""The rules that look at a URL."""
