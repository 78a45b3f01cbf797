"""A configuration of HAProxy."""

from string import Template

from .address import at
from .facts import AppFacts
from .numbers import RISE, readiness_probe
from .options import Options
from .remarks import NO_CHECKS, READINESS_AT_APP, comment, head

LONGEST_PERIOD, SHORTEST_PERIOD = 2.0, 0.1

TEMPLATE = Template("""\
$head
global
    log stdout format raw local0

defaults
    mode http
    log global
    option httplog
    # Once: a request whose connection was refused goes to another instance.
    retries 1
    option redispatch 1
    # An instance in the same network accepts at once, or not at all.
    timeout connect 2s
    # The longest request (--longest-request), on both sides.
    timeout client $longest
    timeout server $longest

frontend clients
    bind :$port
    default_backend $name

backend $name
    balance roundrobin
    # Close half of the idle connections each second: servers close them after two seconds (gunicorn) to five
    # (uvicorn), and no request may be on its way at that moment.
    default-server pool-purge-delay 1s
$check$servers""")

CHECK = Template("""\
$why    option httpchk
    # With a Host header, without which some servers answer 400. Only 200 is ready.
    http-check send meth GET uri $path ver HTTP/1.1 hdr Host $name
    http-check expect status 200
$timeout_why    timeout check $timeout
$period_why$fall_why$rise_why    default-server check inter $period fall $fall rise $rise
""")


def render(app: AppFacts, options: Options) -> str:
    """Return the configuration."""
    servers = "".join(
        f"    server {app.name}-{number} {at(*each)}\n" for number, each in enumerate(options.instances, 1)
    )
    remarks = [] if app.ready else [NO_CHECKS]
    return TEMPLATE.substitute(
        head=head("haproxy", app, options, remarks),
        longest=_milliseconds(options.longest_request),
        port=options.balancer_port,
        name=app.name,
        check=_check(app, app.ready) if app.ready else "",
        servers=servers,
    )


def _check(app: AppFacts, path: str) -> str:
    numbers = readiness_probe(app.drain, longest=LONGEST_PERIOD, unit=SHORTEST_PERIOD)
    return CHECK.substitute(
        why=comment(READINESS_AT_APP, 4),
        path=path,
        name=app.name,
        timeout_why=comment(numbers.timeout.why, 4),
        timeout=_milliseconds(numbers.timeout.value),
        period_why=comment(f"inter: {numbers.period.why}", 4),
        period=_milliseconds(numbers.period.value),
        fall_why=comment(f"fall: {numbers.failures.why}", 4),
        fall=numbers.failures.value,
        rise_why=comment(f"rise: {RISE.why}", 4),
        rise=RISE.value,
    )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f}ms"
