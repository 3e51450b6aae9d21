"""The model service: batches, back-pressure, errors an input, metrics, and SQL that calls it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import uvicorn
from fastapi import FastAPI
from function_model import FunctionModel
from PIL import Image
from serve_requests import bearer, png
from starlette.testclient import TestClient

import suffice
from suffice.models.http.arrow_rows import MEDIA_TYPE, pack_rows
from suffice.models.protocol import Column
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


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """The address of `app` on a real port of this machine."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.mark.parametrize("columns", ["", " (inputs => 'x0 IMAGE', outputs => 'value INTEGER', returns => 'scalar')"])
def test_sql_calls_it_over_http(tmp_path: Path, columns: str) -> None:
    """`CREATE MODEL … USING 'http:…'`: with columns JPEGs go there; without, the service says its own and pixels go."""
    noise = np.random.default_rng(0).integers(0, 255, (16, 20, 3), dtype=np.uint8)
    for name, level in (("a", noise // 8), ("b", 250 - noise // 8)):
        Image.fromarray(level).save(tmp_path / f"{name}.png")
    registry = Registry()
    bright = FunctionModel("bright", lambda image: [(int(image.astype(int).sum()),)], ["IMAGE"], [("value", "INTEGER")])
    registry.register("bright", lambda: bright)
    app = create_service(ServeSettings(":memory:", ()), registry, ["bright"])
    with listening(app) as address, suffice.connect() as con:
        con.sql(f"CREATE MODEL bright USING 'http:{address}/models/bright'{columns}")
        rows = con.sql(f"SELECT bright(image) FROM images('{tmp_path}/*.png') ORDER BY path").fetchall()
        if not columns:
            con.sql(f"CREATE MODEL again USING 'http:{address}/models/bright'")
            assert con.sql(f"SELECT again(image) FROM images('{tmp_path}/*.png') ORDER BY path").fetchall() == rows
    exact = [int((noise // 8).sum(dtype=int)), int((250 - noise // 8).sum(dtype=int))]
    if columns:  # a JPEG is near
        assert [value for (value,) in rows] == pytest.approx(exact, rel=0.05)
    else:
        assert [value for (value,) in rows] == exact


def test_what_is_no_service_is_told_so(tmp_path: Path) -> None:
    app = create_service(ServeSettings(":memory:", (), tokens={"runs": Role.RUN}), Registry(), [])
    with listening(app) as address, suffice.connect() as con:
        with pytest.raises(suffice.ModelError, match="does not describe a model"):
            con.sql(f"CREATE MODEL far USING 'http:{address}/health'")
        with pytest.raises(suffice.ModelError, match="answered 401"):
            con.sql(f"CREATE MODEL far USING 'http:{address}/models/bright'")
        with pytest.raises(suffice.UsageError, match="option outputs is needed beside inputs"):
            con.sql(f"CREATE MODEL far USING 'http:{address}/models/bright' (inputs => 'x IMAGE')")


PIXELS = [Column("x0", "IMAGE")]


def test_pixels_arrive_as_they_were(service: TestClient) -> None:
    pictures = [np.full((3, 5, 3), level, np.uint8) for level in (7, 99)]
    response = service.post(
        "/models/bright", content=pack_rows(PIXELS, [(one,) for one in pictures]), headers={"content-type": MEDIA_TYPE}
    )
    assert response.json()["outputs"] == [[{"value": 7}], [{"value": 99}]]
    numbers = pack_rows([Column("x0", "INTEGER")], [(4,), (-2,)])
    response = service.post("/models/half", content=numbers, headers={"content-type": MEDIA_TYPE})
    assert response.json()["outputs"] == [[{"value": 2.0}], {"error": "ValueError: below zero"}]


def _lying_stream(**changed: Any) -> bytes:
    """A picture whose bytes are not those of its size."""
    value = {"height": 2, "width": 2, "rgb": bytes(12)} | changed
    batch = pa.record_batch([pa.array([value])], names=["x0"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no stream",
        pack_rows(PIXELS, [(np.zeros((2, 2, 3), np.uint8),)])[:-40],
        pack_rows(PIXELS, [(np.zeros((2, 2, 3), np.uint8),)] * 257),
        _lying_stream(rgb=bytes(11)),
        _lying_stream(height=-1),
        _lying_stream(height=1 << 40),
        _lying_stream(rgb=None),
        _lying_stream(height="2"),
        pack_rows([Column("x0", "INTEGER")], [(4,)]),
    ],
)
def test_streams_that_lie_are_refused(service: TestClient, body: bytes) -> None:
    response = service.post("/models/bright", content=body, headers={"content-type": MEDIA_TYPE})
    assert response.status_code in (400, 422) and response.headers["content-type"] == "application/problem+json"


def test_an_image_file_is_an_input(service: TestClient) -> None:
    for body, said in ((png(), [{"value": 0}]), (b"GIF89a, and no more", None)):
        response = service.post("/models/bright", content=body, headers={"content-type": "image/png"})
        (output,) = response.json()["outputs"]
        assert output == said if said else "MediaError" in output["error"]


def test_a_picture_goes_through(service: TestClient) -> None:
    sent = {"x0": base64.b64encode(png()).decode()}
    assert service.post("/models/bright", json={"inputs": [sent]}).json()["outputs"] == [[{"value": 0}]]
