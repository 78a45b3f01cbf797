"""The growth of the time to mask credentials, in texts that make careless patterns slow."""

import time

from asgi_health.formats.redact import mask
from asgi_health.formats.redact.clean import clean

from .figures import Figure, Results
from .plan import Plan, Progress
from .stats import ratios, spread

OURS = "asgi-health"

SIZE = 1_000_000
"""Characters."""

UNITS = (
    "a word of a message, ",
    '{"a":1,"b":[2]},',  # JSON without spaces
    "x",
    "://",
    "://x ",
    "a://b:c ",
    '"a://"b',
    "http://a:1/x@b.c/",
    "http://a:1/",
    "a:b@",
    "=:",
    "app:secret ",
    "?a=",
    "/?a=b",
    "password",
    "password ",
    "password=",
    "password\n",
    "password='",
    "password='x ",
    '"password", ',
    '"password (old)": ',
    '"/password',
    "password/",
    "http://auth:80",
    "<Cookie ",
    '["password","',
    "('password','x",
    'token "x',
    "token=(",
    "token=[{",
    "SecretStr('x",
    "x_token_file=/",
    "passed.",
    "<token>",
    "--token -",
    '"value": "x", ',
    "name: password\nvalue: ",
    "Cookie: a=b; ",
    "Authorization: a, b=c, ",
    "password: a | b | ",
    ";pwd=a b ",
    "\\'password\\': ",
    "\\",
    "'\\",
    "bearer ",
    "-----BEGIN X-----",
    "eyJabcdef.",
    "a.b.",
    "login a password ",
    "identified by '",
    "\x1b]",
    "\x1b[0",
    " ",
    "\n",
    "…",
    "@",
)
"""Each text repeats one of these."""


def measure(plan: Plan, progress: Progress) -> Results:
    """Measure each text and half of it: twice the time is linear, four times is quadratic."""
    results = Results()
    size = plan.times(SIZE, SIZE // 16)
    growth: dict[str, tuple[float, float]] = {}
    for unit in UNITS:
        progress.step(f"redaction: {unit!r}")
        half, whole = seconds(unit, size // 2, plan.times(2, 3)), seconds(unit, size, plan.times(2, 3))
        name = f"`{unit!r}`".replace("|", "\\|")
        case = f"{size:,} characters"
        milliseconds = [1000 * each for each in whole]
        results.add(Figure("redaction", case, name, "ms", spread(milliseconds), ratios(whole, half), "half of them"))
        # The minimum of each, because a disturbance only adds. Times too short for the clock of a busy machine say
        # nothing about growth.
        if min(whole) > 0.05 * size / SIZE:
            growth[name] = min(whole), min(half)
    worst = max(growth, key=lambda name: growth[name][0] / growth[name][1])
    whole_, half_ = growth[worst]
    compared = ratios([whole_], [half_])
    results.add(Figure("redaction grows", "worst text", OURS, "ms", spread([1000 * whole_]), compared, "half", worst))
    return results


def seconds(unit: str, size: int, times: int = 1) -> list[float]:
    """Return the seconds of processor time to mask a text of `size` characters, for each of `times` runs."""
    text = unit * (size // len(unit))
    taken: list[float] = []
    for _ in range(times):
        began = time.process_time()
        mask(clean(text))
        taken.append(time.process_time() - began)
    return taken
