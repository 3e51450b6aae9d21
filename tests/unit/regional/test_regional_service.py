"""The queue before the workers, over HTTP too, and the command line."""

from __future__ import annotations

import copy
import json
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
sys.path.insert(0, str(Path(__file__).parents[1]))

from tiny_diffusion import tiny_checkpoint  # noqa: E402

from suffice.errors import UsageError  # noqa: E402
from suffice.media.image import decode_image  # noqa: E402
from suffice.regional.http import read_request, server  # noqa: E402
from suffice.regional.model import Model, load  # noqa: E402
from suffice.regional.service import QueueFullError, Service  # noqa: E402
from suffice.regional.settings import RequestSettings, SkipSettings  # noqa: E402
from suffice.regional.workers.fleet import ThreadFleet  # noqa: E402
from suffice.regional.workers.planner import Planner  # noqa: E402

ASKED = RequestSettings("a red bus", steps=3, height=16, width=16, skip=SkipSettings(mode="off", warmup_steps=1))


@pytest.fixture(scope="module")
def model() -> Model:
    return load(str(tiny_checkpoint()))


@pytest.fixture
def service(model: Model) -> Iterator[Service]:
    fleet = ThreadFleet([copy.deepcopy(model.networks)])
    made = Service(model, Planner(fleet), waiting_max=2)
    yield made
    made.stop()
    fleet.stop()


def started(service: Service) -> None:
    threading.Thread(target=service.serve, daemon=True).start()


def test_pictures_come_back_and_a_full_queue_refuses_with_a_time(service: Service) -> None:
    futures = [service.submit(ASKED) for _ in range(2)]
    with pytest.raises(QueueFullError, match=r"2 requests are waiting.*try again in \d+ s") as refused:
        service.submit(ASKED)
    assert refused.value.retry_s >= 1
    started(service)
    pictures = [future.result(60)[0] for future in futures]
    assert pictures[0].shape == (16, 16, 3) and np.array_equal(*pictures)
    assert service.state()["waiting"] == 0


def test_a_bad_request_fails_alone(service: Service) -> None:
    bad = service.submit(RequestSettings("a bus", steps=3, height=18, skip=ASKED.skip))
    good = service.submit(ASKED)
    started(service)
    with pytest.raises(UsageError, match="multiples of 4"):
        bad.result(60)
    assert good.result(60)


def asked_over_http(url: str, body: bytes | None = None) -> tuple[int, Any, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_over_http(service: Service) -> None:
    listener = server(service, "127.0.0.1", 0)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{listener.server_address[1]}"
    body = json.dumps({"prompt": "a red bus", "steps": 8, "height": 16, "width": 16, "skip": "off"}).encode()
    waiting = [threading.Thread(target=asked_over_http, args=(f"{url}/pictures", body)) for _ in range(2)]
    for one in waiting:
        one.start()
    while service.state()["waiting"] < 2:
        time.sleep(0.01)
    status, headers, told = asked_over_http(f"{url}/pictures", body)
    assert status == 503 and int(headers["Retry-After"]) >= 1 and json.loads(told)["retry_s"] >= 1
    started(service)
    for one in waiting:
        one.join()
    status, headers, told = asked_over_http(f"{url}/pictures", body)
    assert status == 200 and headers["Content-Type"] == "image/png" and told.startswith(b"\x89PNG")
    assert asked_over_http(f"{url}/pictures", b"{}")[0] == 400
    assert asked_over_http(f"{url}/nothing")[0] == 404
    assert json.loads(asked_over_http(f"{url}/queue")[2])["running"] == 0
    listener.shutdown()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"no", "not JSON"),
        (b"[]", "text 'prompt'"),
        (b'{"prompt": "x", "stps": 3}', "did you mean 'steps'"),
        (b'{"prompt": "x", "steps": "3"}', "steps: '3' is not"),
        (b'{"prompt": "x", "skip": "budget=x"}', "not a number"),
    ],
)
def test_bad_bodies_are_refused(body: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_request(body)


def command(*words: str) -> Any:
    from typer.testing import CliRunner

    from suffice.cli.app import app

    return CliRunner().invoke(app, ["regional", "run", *words])


def test_the_command_prints_the_contract(tmp_path: Path) -> None:
    out = tmp_path / "new" / "bus.png"
    run = command(
        "a red bus", "--model", str(tiny_checkpoint()), "--height", "32", "--width", "32", "--steps", "8",
        "--skip", "budget=0.9", "--regions", "4", "--out", str(out), "--explain", "--json",
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert {"file", "flops_executed", "flops_dense", "active_fraction", "bytes_sent", "seconds"} <= set(told)
    assert told["file"] == str(out) and decode_image(str(out)).shape == (32, 32, 3)
    assert len(told["active_fraction"]) == 8 and told["bytes_sent"] == 0
    assert told["flops_executed"] / told["flops_dense"] == pytest.approx(np.mean(told["active_fraction"]), rel=0.05)
    assert {"load", "encode", "steps", "decode"} <= set(told["seconds_of"])
    explained = decode_image(told["explain"])
    ran = (explained == (46, 125, 80)).all(-1).sum()
    assert ran > 500 and explained.shape[1] > 3 * 256


def test_the_command_repaints_a_mask(tmp_path: Path) -> None:
    import PIL.Image

    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    mask = np.zeros((32, 32), dtype=np.uint8)
    mask[8:16, 8:24] = 255
    PIL.Image.fromarray(picture).save(tmp_path / "street.png")
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    words = ["a bus", "--model", str(tiny_checkpoint()), "--image", str(tmp_path / "street.png"), "--steps", "8"]
    run = command(*words, "--mask", str(tmp_path / "mask.png"), "--regions", "2", "--skip", "budget=0.9",
                  "--out", str(tmp_path / "out.png"), "--json")  # fmt: skip
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["regions"] == 2
    assert isinstance(command(*words, "--out", str(tmp_path / "o.png")).exception, UsageError)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "x.gif"], "ends in .png"),
        (["--out", "x.png", "--skip", "aut"], "did you mean 'auto'"),
        (["--out", "x.png", "--exchange", "stail"], "did you mean 'stale'"),
        (["--out", "x.png", "--frames", "4"], "there is no checkpoint"),
        (["--out", "x.txt", "--frames", "4"], "clips are written as"),
        (["--out", "x.gif", "--frames", "4", "--pictures", "2"], "4 frames of 2 pictures"),
    ],
)
def test_wrong_words_are_refused(words: list[str], said: str) -> None:
    run = command("a bus", "--model", "nowhere", *words)
    assert run.exit_code and said in str(run.exception)
