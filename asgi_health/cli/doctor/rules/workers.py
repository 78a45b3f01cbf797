"""Several processes behind one address."""

from collections.abc import Iterator

from ..facts import AppFacts
from ..finding import Finding, rule


@rule(
    "workers-without-board",
    "warning",
    "Each probe reaches one worker by chance. One that is blocked or fails is missed by most probes, readiness"
    " changes from answer to answer, and each worker asks each dependency.",
)
def workers_without_board(facts: AppFacts) -> Iterator[Finding]:
    settings = facts.settings
    if settings.workers > 1 and facts.layers and all(layer.board is None for layer in facts.layers):
        yield Finding(
            f"{settings.workers} workers ({settings.workers_source}) share one address, and each has a status of its"
            " own",
            'one worker per container, or board=Board("/run/app/health.db")',
        )


RULES = (workers_without_board,)
