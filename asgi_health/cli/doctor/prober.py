"""How a prober asks, and after how many failures it acts."""

from dataclasses import dataclass

from ...core.status import Probe
from ..documentation import page


@dataclass(frozen=True, slots=True)
class Prober:
    """How one probe is asked.

    Attributes:
        period: Seconds between two requests.
        timeout: Seconds after which the prober gives up.
        failure_threshold: Failures in a row after which it acts.
        source: Where these numbers come from, for messages.
    """

    period: float
    timeout: float
    failure_threshold: int
    source: str

    @property
    def notices_within(self) -> float:
        """Seconds until it acts on a change of the answer."""
        return self.period * self.failure_threshold


_PROPOSED = f"the probe of {page('how-to/platforms/kubernetes')}"

BY_DEFAULT = {
    Probe.LIVENESS: Prober(10.0, 2.0, 4, _PROPOSED),
    Probe.READINESS: Prober(2.0, 2.0, 2, _PROPOSED),
    Probe.STARTUP: Prober(1.0, 2.0, 60, _PROPOSED),
}
"""The probers of an app whose prober is not known: those that `asgi-health manifest kubernetes` prints for the app of
that page. There a probe that may wait for a check has the timeout of the check, which is 2 s by default."""
