"""Which checks of a page are shown, and in which order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from ...core.report import CheckReport
from ...core.status import Status
from ..redact import redact

PER_PAGE = 100
"""Checks per page: a row takes about 3 kB."""

MAX_SEARCH = 100
"""Characters of a search; names are shorter."""

STATUSES = {"fail": Status.UNHEALTHY, "warn": Status.DEGRADED, "pass": Status.HEALTHY}
"""The values of the option `status`, worst first."""


@dataclass(frozen=True, slots=True)
class View:
    """What a reader has chosen to see. The defaults show everything.

    Attributes:
        search: Part of the name of a check, or of its message; upper and lower case are the same.
        status: A key of `STATUSES`; empty for all.
        groups: Groups of the checks; empty for all.
        page: Number of the page, from 1.
    """

    search: str = ""
    status: str = ""
    groups: frozenset[str] = frozenset()
    page: int = 1

    @property
    def filters(self) -> bool:
        """Whether some checks may be left out."""
        return bool(self.search or self.status or self.groups)

    def query(self, page: int) -> str:
        """Return the query of the address that shows another page of the same checks."""
        pairs = [("search", self.search), ("status", self.status), *(("group", each) for each in sorted(self.groups))]
        return "?" + urlencode([("format", "html"), *(pair for pair in pairs if pair[1]), ("page", page)])

    def select(self, checks: Iterable[CheckReport]) -> "Selection":
        """Return the checks of this view, trouble first."""
        *_, selection = self.select_in_parts(checks)
        assert selection is not None
        return selection

    def select_in_parts(self, checks: Iterable[CheckReport]) -> "Iterator[Selection | None]":
        """Yield None after each message that is searched, which takes 0.2 ms, and the result of `select` in the end."""
        every = tuple(checks)
        groups = sorted({group for each in every if (group := group_of(each))})
        wanted = STATUSES.get(self.status)
        search = self.search[:MAX_SEARCH].lower()
        found: list[CheckReport] = []
        for each in every:
            if (wanted is not None and each.status is not wanted) or (
                self.groups and group_of(each) not in self.groups
            ):
                continue
            if search in each.name:  # also where there is no search
                found.append(each)
            elif each.output:
                if search in redact(each.output).lower():
                    found.append(each)
                yield None
        found.sort(key=lambda each: (rank(each), each.name))
        pages = max(1, -(-len(found) // PER_PAGE))
        page = min(max(1, self.page), pages)
        yield Selection(
            tuple(found[(page - 1) * PER_PAGE : page * PER_PAGE]), len(found), len(every), page, pages, groups
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """The checks of a view.

    Attributes:
        shown: Those on the page.
        found: Number of those on all of its pages.
        total: Number of all checks.
        page: Number of the page, from 1.
        pages: Number of pages.
        groups: Every group of the checks.
    """

    shown: tuple[CheckReport, ...]
    found: int
    total: int
    page: int
    pages: int
    groups: list[str]


def rank(check: CheckReport) -> int:
    """Return the place of a check in the order of a page: what fails a probe first, then what warns, then streaks."""
    if check.status is Status.UNHEALTHY:
        return 0 if check.contribution is Status.UNHEALTHY else 1
    if check.status is Status.DEGRADED:
        return 2
    return 3 if check.state.failures else 4


def group_of(check: CheckReport) -> str:
    """Return the group of a check, empty for none."""
    return check.check.group or ""
