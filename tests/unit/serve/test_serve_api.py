"""The API of the studio: statements as jobs, pages of rows, pictures, files."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from function_model import FunctionModel
from PIL import Image
from serve_requests import bearer
from starlette.testclient import TestClient


def ask(client: TestClient, query: str, **more: object) -> dict:
    response = client.post("/api/sql", json={"query": query, **more})
    return {**response.json(), "status_code": response.status_code}


def register(client: TestClient, model: FunctionModel) -> None:
    """Make `model` callable on every lane."""
    lanes = client.app.state.lanes
    for lane in range(lanes.count):
        lanes.get(lane).register(model.signature.name, model)


def test_a_statement_gives_rows_and_work(client: TestClient, folder: Path) -> None:
    register(client, FunctionModel("level", lambda image: [(int(image[0, 0, 0]),)], ["IMAGE"], [("value", "INTEGER")]))
    done = ask(client, f"SELECT path, level(image) AS level, image FROM images('{folder}/*.png') ORDER BY path")
    assert done["state"] == "done" and done["status_code"] == 200
    result = done["result"]
    assert [row[1] for row in result["rows"]] == [10, 240]
    assert result["pictures"] == [2]
    assert result["work"]["model_calls"]["level"]["done"] == 2
    again = ask(client, f"SELECT sum(level(image)) AS total FROM images('{folder}/*.png')")
    assert again["result"]["rows"] == [[250]] and again["result"]["work"]["model_calls"]["level"]["cached"] == 2


def test_rows_come_in_pages(client: TestClient) -> None:
    job = ask(client, "SELECT range AS n FROM range(1234)")
    assert job["result"]["row_count"] == 1234 and len(job["result"]["rows"]) == 200
    page = client.get(f"/api/jobs/{job['id']}/rows", params={"offset": 1200, "limit": 100}).json()
    assert [row[0] for row in page["rows"]] == list(range(1200, 1234))


def test_values_json_has_no_word_for(client: TestClient) -> None:
    result = ask(client, "SELECT 'nan'::DOUBLE AS a, 1.50::DECIMAL(9, 2) AS b, DATE '2026-01-02' AS c, {'x': [1]} AS d")
    assert result["result"]["rows"] == [[None, 1.5, "2026-01-02", {"x": [1]}]]


def test_errors_are_one_line_with_the_nearest_name(client: TestClient) -> None:
    response = client.post("/api/sql", json={"query": "SELECT detetc('x')"})
    assert response.status_code == 422
    assert "did you mean 'detect'" in response.json()["detail"] and "\n" not in response.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status"), [("/api/jobs/none", 404), ("/api/image?ref=x", 422), ("/api/image", 422), ("/api/nothing", 404)]
)
def test_every_error_is_a_problem_document(client: TestClient, path: str, status: int) -> None:
    response = client.get(path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status and response.json()["detail"]


def test_events_tell_progress_and_every_answer(client: TestClient, folder: Path) -> None:
    register(client, FunctionModel("slow", lambda image: [(1,)], ["IMAGE"], [("value", "INTEGER")], batch_size=1))
    job = ask(client, f"SELECT slow(image) FROM frames('{folder}/clip.mp4')")
    with client.stream("GET", f"/api/jobs/{job['id']}/events") as stream:
        text = "".join(stream.iter_text())
    events = [block.split("\n") for block in text.strip().split("\n\n")]
    kinds = [lines[1].removeprefix("event: ") for lines in events]
    assert kinds[-2:] == ["answer", "done"]
    steps = [json.loads(lines[2].removeprefix("data: ")) for lines in events if lines[1] == "event: progress"]
    assert [step["done"] for step in steps] == [0, 1, 2, 3, 4] and {step["total"] for step in steps} == {4}
    late = client.get(f"/api/jobs/{job['id']}/events", params={"after": len(events) - 1}).text
    assert "event: done" in late and "progress" not in late


def test_a_cancelled_job_keeps_what_it_paid_for(client: TestClient, folder: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def look(image: np.ndarray) -> list[tuple[int]]:
        begun.set()
        assert go_on.wait(20)
        return [(1,)]

    model = FunctionModel("look", look, ["IMAGE"], [("value", "INTEGER")], batch_size=1)
    register(client, model)
    query = f"SELECT sum(look(image)) AS n FROM frames('{folder}/clip.mp4')"
    job = ask(client, query, wait_s=0)
    assert job["status_code"] == 202 and begun.wait(20)
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 202
    go_on.set()
    ended = client.get(f"/api/jobs/{job['id']}", params={"wait_s": 20}).json()
    assert ended["state"] == "cancelled"
    assert 1 <= model.paid < 4
    again = ask(client, query)
    assert again["result"]["rows"] == [[4]]
    assert again["result"]["work"]["model_calls"]["look"]["cached"] >= 1


def test_an_idempotency_key_runs_once(client: TestClient) -> None:
    headers = {"idempotency-key": "k1"}
    first = client.post("/api/sql", json={"query": "SELECT random() AS r"}, headers=headers).json()
    second = client.post("/api/sql", json={"query": "SELECT random() AS r"}, headers=headers).json()
    assert first["id"] == second["id"] and first["result"]["rows"] == second["result"]["rows"]
    other = client.post("/api/sql", json={"query": "SELECT 1"}, headers=headers)
    assert other.status_code == 409


def test_pictures_by_reference_with_a_box(client: TestClient, folder: Path) -> None:
    reference = ask(client, f"SELECT image FROM images('{folder}/light.png')")["result"]["rows"][0][0]
    response = client.get("/api/image", params={"ref": reference, "max_px": 40, "box": "10,10,70,50", "label": "pet"})
    picture = np.array(Image.open(io.BytesIO(response.content)))
    assert response.headers["content-type"] == "image/jpeg" and picture.shape == (30, 40, 3)
    plain = client.get("/api/image", params={"ref": reference, "max_px": 40}).content
    assert np.abs(picture.astype(int) - np.array(Image.open(io.BytesIO(plain)))).max() > 60  # a box is drawn


def test_a_video_is_served_in_ranges(client: TestClient, folder: Path) -> None:
    reference = ask(client, f"SELECT image FROM frames('{folder}/clip.mp4') LIMIT 1")["result"]["rows"][0][0]
    part = client.get("/api/video", params={"ref": reference}, headers={"range": "bytes=4-7"})
    assert part.status_code == 206 and part.content == b"ftyp"


def test_lineage_goes_from_the_file_to_the_crop(client: TestClient, folder: Path) -> None:
    register(client, FunctionModel("level", lambda image: [(int(image[0, 0, 0]),)], ["IMAGE"], [("value", "INTEGER")]))
    query = f"SELECT level(crop(image, 0, 0, 9, 9)) AS l, crop(image, 0, 0, 9, 9) AS c FROM images('{folder}/dark.png')"
    crop = ask(client, query)["result"]["rows"][0][1]
    steps = client.get("/api/lineage", params={"ref": crop}).json()["steps"]
    assert [step["what"] for step in steps] == ["file", "picture", "crop"]
    assert steps[0]["detail"].endswith("dark.png")
    assert steps[2]["results"] == [{"model": "level", "options": "{}", "rows": [{"value": 10}]}]


def test_lists(client: TestClient, folder: Path) -> None:
    client.post("/api/sql", json={"query": "CREATE TABLE visits (day DATE, n INTEGER)"})
    client.post("/api/sql", json={"query": f"CREATE VIEW shown AS SELECT * FROM images('{folder}/*.png')"})
    words = client.get("/api/words").json()
    assert words["relations"]["visits"] == ["day", "n"] and "shown" in words["relations"]
    assert "frame_index" in words["media"]["frames"]
    assert {"detect", "embed"} <= {row["name"] for row in client.get("/api/models").json()["rows"]}
    files = {Path(each["path"]).name: each["kind"] for each in client.get("/api/files").json()["files"]}
    assert files == {"dark.png": "image", "light.png": "image", "clip.mp4": "video"}
    assert client.get("/api/store").json()["files"] == 2  # the view was looked at
    assert client.get("/api/server").json()["role"] == "admin"


def test_jobs_belong_to_who_asked(guarded: TestClient) -> None:
    mine = guarded.post("/api/sql", json={"query": "SELECT 1"}, headers=bearer("runs")).json()["id"]
    assert guarded.get(f"/api/jobs/{mine}", headers=bearer("runs")).status_code == 200
    assert guarded.get(f"/api/jobs/{mine}", headers=bearer("reads")).status_code == 404
    assert guarded.get(f"/api/jobs/{mine}", headers=bearer("rules")).status_code == 200


def ended(client: TestClient, job: dict) -> dict:
    for _ in range(20):
        if job["state"] in ("done", "failed", "cancelled"):
            break
        job = client.get(f"/api/jobs/{job['id']}", params={"wait_s": 30}).json()
    return job


def refusal(client: TestClient, path: str, body: dict) -> str:
    """Why, whether the answer says it or the job that it became."""
    answer = client.post(f"/api/{path}", json={**body, "wait_s": 30})
    if answer.status_code == 202:
        job = ended(client, answer.json())
        assert job["state"] == "failed" and 400 <= job["status"] < 500, job
        return str(job["error"])
    assert 400 <= answer.status_code < 500, answer.text
    return str(answer.json()["detail"])


DARK = {"path": "dark.png"}
MADE = {
    "animate": {"timeline": "a red circle", "frames": 2, "steps": 1, "format": "gif"},
    "inpaint": {
        "source": {"path": "dark.png"},
        "mask": {"size": [60, 80], "counts": [0, 2400, 2400]},
        "prompt": "a star",
    },
    "regional": {"prompt": "a red circle", "steps": 20, "skip": "budget=0.5"},
    "federate": {"config": "data_set: digits\nclients: 20\nnum_participants: 4\n", "rounds": 2},
}


@pytest.mark.parametrize("path", MADE)
def test_what_is_made_is_a_job_with_a_file(client: TestClient, folder: Path, path: str) -> None:
    done = ended(client, client.post(f"/api/{path}", json=MADE[path]).json())
    assert done["state"] == "done", done
    if path == "federate":
        assert len(done["result"]["rounds"]) == 2
        return
    made = client.get(done["result"]["url"])
    assert made.status_code == 200 and made.headers["content-type"].startswith("image/")
    assert client.get("/api/made/..%2Fdark.png").status_code in (404, 422)
    if path == "inpaint":
        painted = np.array(Image.open(io.BytesIO(made.content)).convert("RGB"))
        assert (painted[:, 40:] == 10).all() and (painted[:, :40] != 10).any()  # outside the mask not a bit


def test_a_clip_that_is_cancelled_keeps_the_frames_that_are_ready(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    import suffice.diffusion.animator as module

    decoded, go_on = threading.Event(), threading.Event()

    def slowly(vae: object, latents: object) -> Iterator[np.ndarray]:
        yield from (np.full((64, 64, 3), grey, np.uint8) for grey in (0, 90))
        decoded.set()
        go_on.wait(60)
        yield from (np.full((64, 64, 3), grey, np.uint8) for grey in (120, 180))

    monkeypatch.setattr(module, "decode_latents", slowly)
    job = client.post("/api/animate", json={**MADE["animate"], "frames": 4}).json()
    assert decoded.wait(200)
    client.delete(f"/api/jobs/{job['id']}")
    go_on.set()
    assert ended(client, job)["state"] == "cancelled"
    with client.stream("GET", f"/api/jobs/{job['id']}/events") as stream:
        events = [line for line in stream.iter_lines() if line.startswith(("event: ", "data: "))]
    assert "event: preview" in events
    kept = json.loads(events[events.index("event: kept") + 1].removeprefix("data: "))
    assert Image.open(io.BytesIO(client.get(kept["url"]).content)).n_frames == 3


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        ("masks", {"source": {"path": "../secret.csv"}, "texts": ["x"]}, "outside the folders"),
        ("masks", {"source": {"path": "/etc/passwd"}, "texts": ["x"]}, "outside the folders"),
        ("masks", {"source": {}, "texts": ["x"]}, "exactly one of"),
        ("masks", {"source": {"path": "dark.png"}}, "nothing is asked"),
        ("masks", {"source": {"path": "dark.png"}, "points": [{"x": 500, "y": 5}]}, "outside a picture"),
        (
            "inpaint",
            {"source": {"path": "dark.png"}, "mask": {"size": [6, 8], "counts": [0, 24, 24]}, "prompt": ""},
            "mask",
        ),
        ("masks", {"source": DARK, "texts": ["zxqv"]}, "knows nothing like"),
        ("masks", {"source": DARK, "boxes": [[5, 5, 5, 9]]}, "no area"),
        ("masks", {"source": DARK, "boxes": [[5, 5, 9, 9]], "steps": ["grwo=1"]}, "grow"),
        ("masks", {"source": DARK, "boxes": [[5, 5, 9, 9]], "model": "hf:/etc"}, "outside the folders"),
        ("masks", {"source": DARK, "boxes": [[5, 5, 9, 9]], "model": "hf:facebook/sam3"}, "there is no"),
        ("masks", {"source": DARK, "boxes": [[5, 5, 9, 9]], "model": "hf:" + "a" * 400}, "there is no"),
        ("masks", {"source": {"path": "~nobody-of-this-name/a.png"}, "texts": ["cat"]}, "no path"),
        ("masks", {"source": {"path": "a" * 400}, "texts": ["cat"]}, "a" * 100),
        ("masks", {"source": DARK, "boxes": [[5, 5, 9, 9]], "model": "onnx:dark.png,../secret.csv"}, "outside"),
        ("masks", {"source": DARK, "texts": ["cat"], "model": "else"}, "model"),
        ("masks/boxes", {"source": DARK}, "texts"),
        ("masks/batch", {"paths": ["../*"], "texts": ["cat"]}, "outside"),
        ("masks/batch", {"paths": ["nothing*"], "texts": ["cat"]}, "matches no file"),
        ("masks/batch", {"paths": ["*.png"], "texts": ["zxqv"]}, "knows nothing like"),
        ("masks/video", {"path": "/etc/passwd", "texts": ["cat"]}, "outside"),
        ("masks/video", {"path": "clip.mp4", "everything": True}, "not everything"),
        ("masks/video", {"path": "clip.mp4", "texts": ["cat"], "start_s": 99}, "no frame"),
        ("masks/semantic", {"source": DARK, "model": "hf:no/such"}, "there is no"),
        ("masks/category", {"source": DARK, "model": "hf:../x", "include": "sky"}, "outside"),
        ("masks/category", {"source": DARK, "model": "default", "include": "sky"}, "model"),
    ],
)
def test_what_cannot_be_made_says_why(client: TestClient, path: str, body: dict, problem: str) -> None:
    assert problem in refusal(client, path, body)


def test_masks_of_a_folder_are_told_picture_by_picture(client: TestClient, folder: Path) -> None:
    (folder / "deep").mkdir()
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(folder / "deep" / "small.png")
    (folder / "broken.png").write_bytes((folder / "dark.png").read_bytes()[:60])
    (folder / "out.png").symlink_to("/etc/hostname")
    wish = {"boxes": [[40, 10, 60, 50]], "model": "default:fast", "steps": ["grow=1"]}
    assert "outside" in refusal(client, "masks/batch", {**wish, "paths": ["."]})
    (folder / "out.png").unlink()
    job = ended(client, client.post("/api/masks/batch", json={**wish, "paths": [".", "dark.png"]}).json())
    assert job["state"] == "done" and job["result"] == {"pictures": 4, "problems": 2}
    with client.stream("GET", f"/api/jobs/{job['id']}/events") as stream:
        lines = [line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: ")]
    told = {Path(each["path"]).name: each for each in map(json.loads, lines) if "path" in each}
    assert told["dark.png"]["objects"][0]["area"] > 0 and told["dark.png"]["size_wh"] == [80, 60]
    assert "broken.png" in told["broken.png"]["problem"]
    assert "outside a picture of 30 x 20" in told["small.png"]["problem"]


def test_networks_of_ones_own_are_an_admins(guarded: TestClient) -> None:
    asked = {"source": DARK, "paths": ["dark.png"], "path": "clip.mp4", "texts": ["cat"], "finder": "hf:nothing"}
    for path in ("masks", "masks/boxes", "masks/batch", "masks/video"):
        assert guarded.post(f"/api/{path}", json=asked, headers=bearer("runs")).status_code == 403
        assert guarded.post(f"/api/{path}", json=asked, headers=bearer("reads")).status_code == 403
    mapped = {"source": DARK, "model": "hf:nothing"}
    assert guarded.post("/api/masks/semantic", json=mapped, headers=bearer("runs")).status_code == 403
    allowed = guarded.post("/api/masks/boxes", json={**asked, "finder": "default"}, headers=bearer("runs"))
    assert allowed.json() == {"boxes": []}


def test_a_video_is_followed(client: TestClient) -> None:
    asked = {"path": "clip.mp4", "boxes": [[2, 2, 20, 20]], "model": "default:fast"}
    job = ended(client, client.post("/api/masks/video", json=asked).json())
    assert job["state"] == "done", job
    result = job["result"]
    assert result["frames"] == 4 and result["objects"][0]["frames"] >= 1
    assert client.get(result["url"]).headers["content-type"] == "video/mp4"
    lines = client.get(result["tracks_url"]).text.splitlines()
    assert [json.loads(line)["frame_index"] for line in lines] == [0, 1, 2, 3]
