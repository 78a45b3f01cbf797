"""docs/how-to/models.md: its program is ready after the first inference, and readiness follows the queue."""

import re
import threading
from types import SimpleNamespace
from typing import Any

import anyio
import httpx
import kubernetes_validate
import yaml

from asgi_health import Probe, Status
from asgi_health.testing import lifespan, settled

from ..cli.manifest import printed
from ..support.waiting import wait_until_async
from .blocks import DOCS, blocks

PAGE = "how-to/models.md"


class SlowModel:
    """A model whose predictions wait until the test lets them go on, but for the first one."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.predicted: list[str] = []

    def predict(self, texts: list[str]) -> list[float]:
        if self.predicted:
            assert self.go_on.wait(30.0)
        self.predicted += texts
        return [0.5]


def test_a_full_queue_makes_it_unready_until_there_is_room_and_further_requests_are_refused() -> None:
    source, *_ = blocks("python", PAGE)
    assert source.count("interval=1.0") == 2
    model = SlowModel()
    names: dict[str, Any] = {"__name__": __name__, "load_model": lambda: model}
    exec(compile(source.replace("interval=1.0", "interval=0.01, retry_interval=0.01"), "models.md", "exec"), names)
    program = SimpleNamespace(**names)

    def readiness() -> Status:
        status: Status = program.health.report(Probe.READINESS).status
        return status

    async def main() -> None:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(program.app), base_url="http://app")
        async with lifespan(program.app), client, anyio.create_task_group() as group:
            await settled(program.health)
            await wait_until_async(lambda: readiness() is Status.HEALTHY, "it is ready")
            assert model.predicted == ["warm up"]

            answers: list[httpx.Response] = []

            async def predict() -> None:
                answers.append(await client.post("/predict", params={"text": "hello"}))

            for _ in range(program.QUEUE // 2):
                group.start_soon(predict)
            await wait_until_async(lambda: readiness() is Status.DEGRADED, "half of the queue is taken")
            for _ in range(program.QUEUE // 2):
                group.start_soon(predict)
            await wait_until_async(lambda: readiness() is Status.UNHEALTHY, "the queue is full")
            refused = await client.post("/predict", params={"text": "one too many"})
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            model.go_on.set()
            await wait_until_async(lambda: len(answers) == program.QUEUE, "all requests are answered")
            assert {(each.status_code, each.text) for each in answers} == {(200, "0.5")}
            await wait_until_async(lambda: readiness() is Status.HEALTHY, "there is room again")

    anyio.run(main)


def test_the_manifest_gives_the_load_the_seconds_that_the_page_says() -> None:
    source, *_ = blocks("python", PAGE)
    names: dict[str, Any] = {"__name__": __name__, "load_model": SlowModel}
    exec(compile(source, "models.md", "exec"), names)
    text = (DOCS / PAGE).read_text()
    (startup,) = re.findall(r"--startup (\d+) >", text)
    shown = re.findall(r"Without `--startup` the startup probe is given (\d+) s.*?With it, (\d+) s", text, re.DOTALL)
    made = []
    for seconds in (60.0, float(startup)):
        deployment, *_ = yaml.safe_load_all(printed("kubernetes", names["app"], start=seconds))
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        probe = container["startupProbe"]
        made.append(str(probe["periodSeconds"] * probe["failureThreshold"]))
    assert shown == [tuple(made)]


def test_kubernetes_accepts_the_rollout_and_the_gpu_in_the_printed_deployment() -> None:
    (part,) = (yaml.safe_load(text)["spec"] for text in blocks("yaml", PAGE))
    source, *_ = blocks("python", PAGE)
    names: dict[str, Any] = {"__name__": __name__, "load_model": SlowModel}
    exec(compile(source, "models.md", "exec"), names)
    deployment, *_ = yaml.safe_load_all(printed("kubernetes", names["app"], target="serve:app"))
    (shown,) = part.pop("template")["spec"]["containers"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["name"] == shown["name"]
    container |= shown
    deployment["spec"] |= part
    kubernetes_validate.validate(deployment, kubernetes_validate.latest_version(), strict=True)
