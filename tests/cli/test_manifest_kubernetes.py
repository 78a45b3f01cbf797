"""`asgi-health manifest kubernetes` prints what Kubernetes accepts, and what fits the app."""

from typing import Any

import kubernetes_validate
import pytest
import yaml

from asgi_health import Board, Check, Drain, HealthMiddleware, Listener, Paths, Probe

from ..apps import plain_app
from .manifest import printed

LISTENER = Listener("0.0.0.0:9000", stall_live=60.0)
APPS: dict[str, dict[str, Any]] = {
    "bare": {},
    "drain": {"drain": Drain(delay=10.0)},
    "short drain": {"drain": Drain(delay=1.0)},
    "drain by path": {"drain": Drain(delay=10.0, path="/drain", allow=True)},
    "drain by file": {"drain": Drain(delay=0.0, file="/run/a b/drain")},
    "listener": {"listener": LISTENER, "drain": Drain()},
    "local listener": {"listener": Listener("127.0.0.1:9000")},
    "socket": {"listener": Listener("/run/app/health.sock")},
    "some port": {"listener": Listener("0.0.0.0:0")},
    "slow start": {"checks": [Check("models", lambda: True, probes=(Probe.STARTUP,), timeout=300.0, interval=300.0)]},
    "own paths": {"paths": Paths(live="/l", ready=None, startup=None)},
    "no paths": {"paths": Paths(health=None, live=None, ready=None, startup=None)},
}


def documents(text: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the spec of the pod, its container and the Service."""
    deployment, service = yaml.safe_load_all(text)
    pod = deployment["spec"]["template"]["spec"]
    return pod, pod["containers"][0], service


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
@pytest.mark.parametrize("app", APPS)
def test_kubernetes_accepts_what_is_printed(app: str, server: str) -> None:
    text = printed("kubernetes", HealthMiddleware(plain_app, **APPS[app]), server=server)
    for document in yaml.safe_load_all(text):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_each_number_has_a_comment_above_it() -> None:
    text = printed("kubernetes", HealthMiddleware(plain_app, **APPS["listener"]))
    lines = [line.strip() for line in text.splitlines()]
    numbers = [number for number, line in enumerate(lines) if line.partition(":")[0].endswith(("Seconds", "Threshold"))]
    assert len(numbers) == 10
    assert all(lines[number - 1].startswith("# ") for number in numbers)


def test_liveness_and_startup_ask_the_listener_and_readiness_asks_the_port_of_the_app() -> None:
    _, container, service = documents(printed("kubernetes", HealthMiddleware(plain_app, **APPS["listener"])))
    assert container["ports"] == [{"name": "http", "containerPort": 8000}, {"name": "health", "containerPort": 9000}]
    asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert asked == {
        "startup": {"path": "/health/startup", "port": "health"},
        "liveness": {"path": "/health/live", "port": "health"},
        "readiness": {"path": "/health/ready", "port": "http"},
    }
    assert service["spec"]["ports"][0]["targetPort"] == "http"
    assert container["livenessProbe"]["failureThreshold"] == 7


def test_a_server_without_lifespan_is_asked_for_startup_at_its_own_port() -> None:
    text = printed("kubernetes", HealthMiddleware(plain_app, **APPS["listener"]), server="daphne")
    _, container, _ = documents(text)
    # Its listener opens with the first request, which is that of the startup probe.
    assert container["startupProbe"]["httpGet"]["port"] == "http"
    assert container["livenessProbe"]["httpGet"]["port"] == "health"
    assert "daphne drops the requests in flight" in text


@pytest.mark.parametrize(
    ("app", "url"),
    [("local listener", "http://127.0.0.1:9000/health/live"), ("socket", "unix:/run/app/health.sock:/health/live")],
)
def test_a_listener_that_a_kubelet_cannot_reach_is_asked_by_a_command(app: str, url: str) -> None:
    _, container, _ = documents(printed("kubernetes", HealthMiddleware(plain_app, **APPS[app])))
    probe = container["livenessProbe"]
    assert probe["exec"]["command"] == ["asgi-health", "probe", "--timeout", "1", url]
    assert probe["timeoutSeconds"] > 1
    assert container["readinessProbe"]["httpGet"]["port"] == "http"


@pytest.mark.parametrize(
    ("app", "server", "hook"),
    [
        ("drain", "uvicorn", None),
        ("drain by path", "uvicorn", None),
        ("bare", "uvicorn", {"sleep": {"seconds": 5}}),
        ("bare", "hypercorn", {"sleep": {"seconds": 5}}),
        ("drain", "hypercorn", {"sleep": {"seconds": 10}}),
        (
            "drain by file",
            "hypercorn",
            {"exec": {"command": ["/bin/sh", "-c", "touch '/run/a b/drain' && sleep 5"]}},
        ),
        (
            "drain by path",
            "hypercorn",
            {
                "httpGet": {
                    "path": "/drain",
                    "port": "http",
                    "httpHeaders": [{"name": "Authorization", "value": "Bearer a-secret"}],
                }
            },
        ),
    ],
)
def test_a_hook_drains_where_the_signal_cannot(app: str, server: str, hook: dict[str, Any] | None) -> None:
    pod, container, _ = documents(printed("kubernetes", HealthMiddleware(plain_app, **APPS[app]), server=server))
    assert container.get("lifecycle", {}).get("preStop") == hook
    seconds = 10 if app in ("drain", "drain by path") else 5
    assert pod["terminationGracePeriodSeconds"] == seconds + 30 + 5


def test_a_drain_that_is_too_short_is_said_with_the_delay_that_is_long_enough() -> None:
    text = printed("kubernetes", HealthMiddleware(plain_app, **APPS["short drain"]))
    assert "TOO LONG for the Drain of 1 s" in text
    assert "Set Drain(delay=5)." in text
    assert "TOO LONG" not in printed("kubernetes", HealthMiddleware(plain_app, drain=Drain(delay=5.0)))


def test_a_start_longer_than_a_rollout_may_take_extends_the_rollout() -> None:
    (deployment, _) = yaml.safe_load_all(printed("kubernetes", HealthMiddleware(plain_app, **APPS["slow start"])))
    probe = deployment["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    assert deployment["spec"]["progressDeadlineSeconds"] > probe["failureThreshold"] * probe["periodSeconds"] > 1200


def test_with_a_board_several_workers_are_no_mistake() -> None:
    assert "Run one worker in each container" in printed("kubernetes", HealthMiddleware(plain_app))
    text = printed("kubernetes", HealthMiddleware(plain_app, board=Board("/run/app/health.db")))
    assert "Run one worker" not in text
    said = " ".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# "))
    assert "answer for each other by the board /run/app/health.db." in said


def test_a_probe_without_a_path_is_left_out() -> None:
    _, container, _ = documents(printed("kubernetes", HealthMiddleware(plain_app, **APPS["own paths"])))
    assert "startupProbe" not in container
    assert container["livenessProbe"]["httpGet"]["path"] == "/l"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health"
