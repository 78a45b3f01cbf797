import os
import random

import pytest


@pytest.fixture
def seed() -> int:
    """Return the seed of this run, printed where a failure shows it."""
    chosen = int(os.environ.get("ASGI_HEALTH_SEED") or random.SystemRandom().randrange(2**32))
    print(f"ASGI_HEALTH_SEED={chosen}")
    return chosen
