"""Paths that the app or the platform needs."""

from collections.abc import Iterator

from ....core.status import Probe
from ..facts import AppFacts
from ..finding import Finding, rule


@rule("hidden-route", "warning", "A request for the route gets the answer of a probe, and the app never sees it.")
def hidden_route(facts: AppFacts) -> Iterator[Finding]:
    for layer in facts.layers:
        for each in layer.overlaps:
            if each.kind == "route":
                yield Finding(each.what, each.cure)


@rule("second-layer", "warning", "No probe of the outer layer sees what the checks of the inner one find.")
def second_layer(facts: AppFacts) -> Iterator[Finding]:
    for layer in facts.layers:
        for each in layer.overlaps:
            if each.kind == "layer":
                yield Finding(each.what, each.cure)


@rule(
    "reserved-path",
    "warning",
    "Cloud Run reserves paths that end in z: its frontend answers 404, and the app never sees the request.",
)
def reserved_path(facts: AppFacts) -> Iterator[Finding]:
    if facts.settings.container is not None:
        return  # Kubernetes reserves none
    for layer in facts.layers:
        for probe in Probe:
            paths = layer.paths.of(probe)
            if paths and all(path.endswith("z") for path in paths):
                word = "/health" if probe is Probe.HEALTH else f"/health/{_WORDS[probe]}"
                yield Finding(f"{probe.value} is answered at {' '.join(paths)} alone", f"a path such as {word}")


_WORDS = {Probe.LIVENESS: "live", Probe.READINESS: "ready", Probe.STARTUP: "startup"}

RULES = (hidden_route, second_layer, reserved_path)
