"""A Caddyfile."""

from string import Template

from .address import at
from .facts import AppFacts
from .numbers import readiness_probe
from .options import Options
from .remarks import NO_CHECKS, READINESS_AT_APP, comment, head

LONGEST_PERIOD, SHORTEST_PERIOD = 2.0, 0.1
MARGIN = 8

TEMPLATE = Template("""\
$head
:$port {
    reverse_proxy $instances {
        lb_policy round_robin
        # A request whose connection was refused goes to another instance, for this long.
        lb_try_duration 2s
$check        transport http {
            # An instance in the same network accepts at once, or not at all.
            dial_timeout 2s
            # The longest request (--longest-request).
            response_header_timeout $longest
        }
    }
}
""")

CHECK = Template("""\
$why        health_uri $path
        # Only 200 is ready.
        health_status 200
$period_why        health_interval $period
$timeout_why        health_timeout $timeout
""")


def render(app: AppFacts, options: Options) -> str:
    """Return the Caddyfile."""
    return TEMPLATE.substitute(
        head=head("caddy", app, options, [] if app.ready else [NO_CHECKS]),
        port=options.balancer_port,
        instances=" ".join(at(*each) for each in options.instances),
        check=_check(app, app.ready) if app.ready else "",
        longest=f"{options.longest_request:g}s",
    )


def _check(app: AppFacts, path: str) -> str:
    # Caddy counts no failures: the first one takes an instance out, and the first pass puts it back.
    numbers = readiness_probe(app.drain, longest=LONGEST_PERIOD, unit=SHORTEST_PERIOD, failures=1)
    return CHECK.substitute(
        why=comment(READINESS_AT_APP, MARGIN),
        path=path,
        period_why=comment(f"{numbers.period.why} {numbers.failures.why}", MARGIN),
        period=f"{numbers.period.value:g}s",
        timeout_why=comment(numbers.timeout.why, MARGIN),
        timeout=f"{numbers.timeout.value}s",
    )
