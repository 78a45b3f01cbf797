"""What holds for all tests."""

import os

from hypothesis import settings

# The gate judges a change, not the luck of a draw: there the same examples are drawn each time. Elsewhere new ones are.
settings.register_profile("gate", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("gate")
