"""What the one run of each check, and the start of the app, have shown."""

from collections.abc import Iterator

from ..facts import AppFacts
from ..finding import Finding, rule


@rule(
    "blocking-check",
    "error",
    "An async check runs in the event loop. While it blocks, the app answers no request, and no deadline can end the"
    " run.",
)
def blocking_check(facts: AppFacts) -> Iterator[Finding]:
    for name, run in facts.runs.items():
        if run.blocked:
            yield Finding(
                f"check {name!r} blocked the event loop for {run.blocked:.1f} s"
                + (f" in {run.culprit}" if run.culprit else ""),
                "await an async driver, or make the check a plain function (def), which runs in a thread of its own",
            )


@rule(
    "never-awaited",
    "error",
    "Calling an async function does nothing until its result is awaited. The check asks nothing, and passes.",
)
def never_awaited(facts: AppFacts) -> Iterator[Finding]:
    for name, run in facts.runs.items():
        if run.message.endswith("() was never awaited"):
            yield Finding(f"check {name!r}: {run.message}", "put await in front of the call")


@rule(
    "not-started",
    "error",
    "The checks have not run, so the rules that look at a run have found nothing. A startup that needs a dependency"
    " also restarts the container again and again while that one is down.",
)
def not_started(facts: AppFacts) -> Iterator[Finding]:
    if facts.start_error:
        yield Finding(
            facts.start_error, "run it where the app can start, or --no-start to look at the configuration alone"
        )


RULES = (not_started, blocking_check, never_awaited)
