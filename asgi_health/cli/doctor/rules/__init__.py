"""The rules: each module has those of one subject, and the list of them."""

from ..facts import AppFacts
from ..finding import Rule
from . import access, checks, installation, kubernetes, outside, paths, runs, timing

APP_RULES: tuple[Rule[AppFacts], ...] = (
    *installation.RULES,
    *checks.RULES,
    *runs.RULES,
    *timing.RULES,
    *access.RULES,
    *paths.RULES,
    *outside.RULES,
    *kubernetes.RULES,
)
"""The rules that look at an app."""
