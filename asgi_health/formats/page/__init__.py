"""The status page: a report as HTML. One page without a request to anything else, also without JavaScript.

`script.js` renders nothing: it replaces elements by the fragments that `head_fragment` and `check_fragment` return.
"""

from .document import page, page_in_parts
from .facts import AppFacts, LastStall, LiveSource, Panel
from .head import head_fragment
from .public import public_page
from .row import check_fragment
from .view import STATUSES, View

__all__ = [
    "STATUSES",
    "AppFacts",
    "LastStall",
    "LiveSource",
    "Panel",
    "View",
    "check_fragment",
    "head_fragment",
    "page",
    "page_in_parts",
    "public_page",
]
