"""The time that it takes to mask credentials in a text: how it grows, in texts that make careless patterns slow."""

import time

from asgi_health.formats.redact import mask
from asgi_health.formats.redact.clean import clean

from .figures import Figure, Results
from .plan import Plan, Progress
from .stats import ratios, spread

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
"""What the texts are made of, over and over."""


def measure(plan: Plan, progress: Progress) -> Results:
    """Measure each text at half the size and at the whole one: twice the time is linear, four times is quadratic."""
    results = Results()
    size = plan.times(SIZE, SIZE // 10)
    worst: tuple[list[float], list[float], str] = ([], [1.0], "")
    for unit in UNITS:
        progress.step(f"redaction: {unit!r}")
        half, whole = [], []
        for _ in range(plan.times(3, 2)):
            half.append(seconds(unit, size // 2))
            whole.append(seconds(unit, size))
        if not worst[0] or min(whole) / min(half) > min(worst[0]) / min(worst[1]):
            worst = whole, half, unit
        milliseconds = [1000 * value for value in whole]
        results.add(Figure("redaction", f"{size:,} characters", repr(unit), "ms", spread(milliseconds), ratios(whole, half), "half"))
    fastest = [min(worst[0])]
    results.add(
        Figure("redaction grows", "worst text", "asgi-health", "ms", spread([1000 * fastest[0]]),
               ratios(fastest, [min(worst[1])]), "half of it", repr(worst[2]))
    )
    return results


def seconds(unit: str, size: int) -> float:
    """Return what it takes to mask a text of `size` characters."""
    text = unit * (size // len(unit))
    began = time.perf_counter()
    mask(clean(text))
    return time.perf_counter() - began
