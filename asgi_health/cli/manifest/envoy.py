"""A static configuration of Envoy."""

from ipaddress import ip_address

from .facts import AppFacts
from .numbers import RISE, Noted, readiness_probe
from .options import Options
from .remarks import NO_CHECKS, READINESS_AT_APP, head
from .yaml_text import Tree, dump

LONGEST_PERIOD, SHORTEST_PERIOD = 2.0, 0.1
CONNECT_TIMEOUT = 2
TYPES = "type.googleapis.com/envoy.extensions.filters"
RETRY = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3"
PANIC = (
    "Where less than half of the instances are healthy, Envoy sends requests to all of them (healthy_panic_threshold):"
    " if all share a dependency that is gone, the app itself answers."
)
HEADERS = {
    True: "Drain(envoy=True): Envoy takes an instance out with the first response after the beginning of the drain.",
    False: "Drain(envoy=True) would make Envoy take an instance out with its first response in the drain.",
}


def render(app: AppFacts, options: Options) -> str:
    """Return the configuration."""
    remarks = [PANIC]
    if app.ready is None:
        remarks.append(NO_CHECKS)
    elif app.drain is not None:
        remarks.append(HEADERS[app.drain.envoy])
    admin: Tree = {"address": _socket("127.0.0.1", 9901)}
    resources: Tree = {"listeners": [_listener(app, options)], "clusters": [_cluster(app, options)]}
    return dump(head("envoy", app, options, remarks), {"admin": admin, "static_resources": resources})


def _listener(app: AppFacts, options: Options) -> Tree:
    retries: Tree = {
        "retry_on": "connect-failure,refused-stream",
        "num_retries": Noted(1, "Once, because an instance that refuses is the exception."),
        "retry_host_predicate": [
            {"name": "previous_hosts", "typed_config": {"@type": f"{RETRY}.PreviousHostsPredicate"}},
        ],
        "host_selection_retry_max_attempts": Noted(3, "Tries to find an instance other than the first."),
    }
    route: dict[str, Tree] = {
        "cluster": app.name,
        "timeout": Noted(
            f"{options.longest_request:g}s", "The longest request (--longest-request). Envoy's own is 15 s."
        ),
        "retry_policy": Noted(retries, "A request of which nothing was sent goes to another instance."),
    }
    manager: Tree = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": app.name,
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{TYPES}.http.router.v3.Router"}},
        ],
        "route_config": {
            "virtual_hosts": [
                {"name": app.name, "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
            ]
        },
    }
    return {
        "name": "clients",
        "address": _socket("0.0.0.0", options.balancer_port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _cluster(app: AppFacts, options: Options) -> Tree:
    endpoints: list[Tree] = [{"endpoint": {"address": _socket(*each)}} for each in options.instances]
    cluster: dict[str, Tree] = {
        "name": app.name,
        "type": "STATIC" if all(_is_address(host) for host, _ in options.instances) else "STRICT_DNS",
        "connect_timeout": Noted(
            f"{CONNECT_TIMEOUT}s", "An instance in the same network accepts at once, or not at all."
        ),
        "lb_policy": "ROUND_ROBIN",
    }
    if app.ready is not None:
        cluster["common_lb_config"] = Noted(
            {"update_merge_window": "0s"},
            "Envoy acts on each check at once. In its own window of 1 s, one that drains would get more requests.",
        )
        cluster["health_checks"] = Noted([_check(app, app.ready)], READINESS_AT_APP)
    cluster["load_assignment"] = {"cluster_name": app.name, "endpoints": [{"lb_endpoints": endpoints}]}
    return cluster


def _check(app: AppFacts, path: str) -> Tree:
    numbers = readiness_probe(app.drain, longest=LONGEST_PERIOD, unit=SHORTEST_PERIOD)
    period = f"{numbers.period.value:g}s"
    return {
        "http_health_check": {"path": path},
        "interval": Noted(period, numbers.period.why),
        "no_traffic_interval": Noted(period, "The same before the first request of a client: Envoy's own is 60 s."),
        "timeout": Noted(f"{numbers.timeout.value}s", numbers.timeout.why),
        "unhealthy_threshold": Noted(
            numbers.failures.value, f"{numbers.failures.why} Envoy takes a 503 at its word, and counts the others."
        ),
        "healthy_threshold": RISE,
    }


def _socket(host: str, port: int) -> Tree:
    return {"socket_address": {"address": host, "port_value": port}}


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
