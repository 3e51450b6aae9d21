"""The model service: batches, back-pressure, errors an input, metrics, and SQL that calls it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from function_model import FunctionModel
from PIL import Image
from serve_requests import bearer, png
from starlette.testclient import TestClient

import suffice
from suffice.models.registry import Registry
from suffice.serve.service.app import create_service
from suffice.serve.settings import Role, ServeSettings


class Noting(FunctionModel):
    """Notes the size of every batch; waits at a gate while there is one."""

    gate: threading.Event | None = None

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.batches: list[int] = []

    def predict(self, batch: Sequence[Any]) -> list[Any]:
        self.batches.append(len(batch))
        if self.gate is not None:
            assert self.gate.wait(20)
        return super().predict(batch)


def half(number: int) -> list[tuple[float]]:
    if number < 0:
        raise ValueError("below zero")
    return [(number / 2,)]


@pytest.fixture
def model() -> Noting:
    return Noting("half", half, ["INTEGER"], [("value", "DOUBLE")], batch_size=8)


@pytest.fixture
def service(model: Noting) -> Iterator[TestClient]:
    registry = Registry()
    registry.register("half", lambda: model)
    bright = FunctionModel("bright", lambda image: [(int(image.mean()),)], ["IMAGE"], [("value", "INTEGER")])
    registry.register("bright", lambda: bright)
    app = create_service(ServeSettings(":memory:", ()), registry, ["half", "bright"])
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def outputs(client: TestClient, *numbers: int) -> Any:
    response = client.post("/models/half", json={"inputs": [{"x0": number} for number in numbers]})
    assert response.status_code == 200, response.text
    return response.json()["outputs"]


def test_inputs_come_back_in_their_order(service: TestClient) -> None:
    assert outputs(service, 5, 2, 8) == [[{"value": 2.5}], [{"value": 1.0}], [{"value": 4.0}]]


def test_an_input_that_fails_is_alone_in_it(service: TestClient) -> None:
    assert outputs(service, 4, -1) == [[{"value": 2.0}], {"error": "ValueError: below zero"}]
    response = service.post("/models/half", json={"inputs": [{"x00": 3}]}).json()["outputs"]
    assert "did you mean 'x00'" in response[0]["error"]


def test_requests_that_wait_share_a_batch(service: TestClient, model: Noting) -> None:
    model.gate = threading.Event()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(outputs, service, 0)
        while not model.batches:
            pass
        rest = [pool.submit(outputs, service, number) for number in range(1, 9)]
        batcher = service.app.state.batchers["half"]
        while batcher.waiting < 9:
            pass
        model.gate.set()
        assert [one.result()[0][0]["value"] for one in [first, *rest]] == [n / 2 for n in range(9)]
    assert sorted(model.batches) == [1, 8]


def test_a_full_queue_says_when_to_come_back(service: TestClient, model: Noting) -> None:
    model.gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outputs, service, *range(64))
        while not model.batches:
            pass
        response = service.post("/models/half", json={"inputs": [{"x0": 1}]})
        assert response.status_code == 429 and int(response.headers["retry-after"]) >= 1
        model.gate.set()
        assert len(waiting.result()) == 64
    assert 'suffice_model_refused_total{model="half"} 1' in service.get("/metrics").text


@pytest.mark.parametrize("value", [7, "not base64!", base64.b64encode(b"no picture").decode()])
def test_pictures_that_are_none(service: TestClient, value: object) -> None:
    (output,) = service.post("/models/bright", json={"inputs": [{"x0": value}]}).json()["outputs"]
    assert "MediaError" in output["error"]


def test_what_is_served(service: TestClient) -> None:
    outputs(service, 1, 2)
    half_, bright = service.get("/models").json()["models"]
    assert half_["inputs"] == {"x0": "INTEGER"} and bright["outputs"] == {"value": "INTEGER"}
    text = service.get("/metrics").text
    assert 'suffice_model_inputs_total{model="half"} 2' in text
    assert 'suffice_request_seconds_bucket{model="half",le="+Inf"} 1' in text
    missing = service.post("/models/hafl", json={"inputs": [{}]})
    assert missing.status_code == 404 and "did you mean 'half'" in missing.json()["detail"]


def test_strangers_are_not_served(model: Noting) -> None:
    registry = Registry()
    registry.register("half", lambda: model)
    settings = ServeSettings(":memory:", (), tokens={"runs": Role.RUN})
    with TestClient(create_service(settings, registry, ["half"])) as client:
        body = {"inputs": [{"x0": 1}]}
        assert client.post("/models/half", json=body).status_code == 401
        assert client.post("/models/half", json=body, headers=bearer("runs")).status_code == 200
        assert client.get("/models").status_code == 401 and client.get("/metrics").status_code == 401


def test_sql_calls_it_over_http(tmp_path: Path) -> None:
    """`CREATE MODEL … USING 'http:…'` against a real port of this machine."""
    for name, level in (("a", 10), ("b", 200)):
        Image.fromarray(np.full((16, 16, 3), level, np.uint8)).save(tmp_path / f"{name}.png")
    registry = Registry()
    bright = FunctionModel("bright", lambda image: [(int(image.mean()),)], ["IMAGE"], [("value", "INTEGER")])
    registry.register("bright", lambda: bright)
    config = uvicorn.Config(
        create_service(ServeSettings(":memory:", ()), registry, ["bright"]), port=0, log_level="error"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with suffice.connect() as con:
            con.sql(
                f"CREATE MODEL bright USING 'http:http://127.0.0.1:{port}/models/bright'"
                " (inputs => 'x0 IMAGE', outputs => 'value INTEGER', returns => 'scalar')"
            )
            rows = con.sql(f"SELECT bright(image) FROM images('{tmp_path}/*.png') ORDER BY path").fetchall()
    finally:
        server.should_exit = True
        thread.join(10)
    assert [round(value / 10) for (value,) in rows] == [1, 20]
    assert bright.paid == 2


def test_a_picture_goes_through(service: TestClient) -> None:
    sent = {"x0": base64.b64encode(png()).decode()}
    assert service.post("/models/bright", json={"inputs": [sent]}).json()["outputs"] == [[{"value": 0}]]
