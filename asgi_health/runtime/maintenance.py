"""Begins and ends maintenances, for `Health.maintain` and for the endpoint, and logs both.

Imported with the first maintenance: most apps have none.
"""

from ..core.engine import Engine
from ..core.logger import logger
from ..core.maintenance import Maintenance, subject_of
from ..formats.redact.clean import one_line


def begin(engine: Engine, check: str | None, seconds: float, reason: str) -> Maintenance:
    """Begin a maintenance of a check, or of the app for None. Raises KeyError for an unknown name."""
    maintenance = engine.maintain(check, seconds, reason, engine.clock())
    extra = {"check": check, "cause": "maintenance", "duration": seconds}
    text = "maintenance of %s begins, for %g s at most%s"
    logger.info(text, subject_of(check), seconds, f": {one_line(reason)}" if reason else "", extra=extra)
    return maintenance


def end(engine: Engine, maintenance: Maintenance) -> bool:
    """End a maintenance before its time, and return True; False when it is not the present one any more."""
    ended = engine.end_maintenance(maintenance, engine.clock())
    if ended:
        extra = {"check": maintenance.check, "cause": "maintenance", "duration": None}
        logger.info("maintenance of %s ends before its time", subject_of(maintenance.check), extra=extra)
    return ended
