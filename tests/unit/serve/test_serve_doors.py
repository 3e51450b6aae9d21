"""Who comes in, what is refused, and that nothing outside the roots is reached."""

from __future__ import annotations

import asyncio
import hashlib
import io
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from serve_requests import bearer, png
from starlette.testclient import TestClient

from suffice.serve.app import create_app
from suffice.serve.settings import Role, ServeSettings, is_loopback
from suffice.serve.thumbnails import Thumbnails


@pytest.mark.parametrize("token", ["", "wrong", "reads ", "Reads", "\xe9"])
def test_wrong_tokens_are_strangers(guarded: TestClient, token: str) -> None:
    expected = 200 if token.strip() == "reads" else 401
    sent = {name: value.encode("latin-1") for name, value in bearer(token).items()}
    assert guarded.get("/api/server", headers=sent).status_code == expected


def test_no_route_but_health_is_open(guarded: TestClient) -> None:
    paths = guarded.get("/api/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method in methods:
            response = guarded.request(method, path.replace("{job_id}", "x"), json={"query": "SELECT 1"})
            assert response.status_code == (200 if path == "/api/health" else 401), (method, path)


@pytest.mark.parametrize(
    "query",
    [
        "CREATE TABLE t AS SELECT 1",
        "DROP TABLE IF EXISTS t",
        "COPY (SELECT 1) TO 'x.csv'",
        "ATTACH 'other.db'",
        "SET threads = 1",
        "INSTALL httpfs",
        "PRAGMA database_list",
        "CREATE MODEL m USING 'python:x.py:f'",
        "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
        "EXPLAIN ANALYZE DELETE FROM t",
        "SELECT * FROM postgres_query('store', 'DROP TABLE t')",
        "CALL postgres_execute('store', 'DROP TABLE t')",
        "SELECT nextval('s')",
        "SELECT 1; DROP TABLE t",
        "FROM force_checkpoint()",
    ],
)
def test_who_may_ask_may_not_change(guarded: TestClient, query: str) -> None:
    response = guarded.post("/api/sql", json={"query": query}, headers=bearer("runs"))
    assert response.status_code in (400, 403), response.text


@pytest.mark.parametrize("query", ["SELECT 1", "FROM range(3)", "VALUES (1)", "EXPLAIN SELECT 1", "FROM models"])
def test_who_may_ask_asks(guarded: TestClient, query: str) -> None:
    assert guarded.post("/api/sql", json={"query": query}, headers=bearer("runs")).status_code == 200


def test_a_reader_causes_no_model_call(guarded: TestClient, folder: Path) -> None:
    query = {"query": f"SELECT classify(image) FROM images('{folder}/dark.png')"}
    refused = guarded.post("/api/sql", json=query, headers=bearer("reads"))
    assert refused.status_code == 422 and "budget" in refused.json()["detail"]
    assert guarded.post("/api/sql", json=query, headers=bearer("runs")).status_code == 200
    assert guarded.post("/api/sql", json=query, headers=bearer("reads")).status_code == 200  # kept now


@pytest.mark.parametrize("token", ["runs", "rules"])
@pytest.mark.parametrize(
    "query",
    [
        "FROM read_csv('{outside}')",
        "FROM read_text('{outside}')",
        "FROM '{outside}'",
        "FROM texts('{outside}')",
        "FROM texts('{root}/../*.csv')",
        "FROM glob('{root}/../*')",
        "FROM read_csv('{root}/../secret.csv')",
    ],
)
def test_files_outside_the_roots_are_not_read(guarded: TestClient, folder: Path, query: str, token: str) -> None:
    query = query.format(outside=folder.parent / "secret.csv", root=folder)
    response = guarded.post("/api/sql", json={"query": query}, headers=bearer(token))
    assert "hidden" not in response.text
    assert response.status_code >= 400 or response.json()["result"]["rows"] == []


def test_a_link_out_of_the_roots_is_not_followed(client: TestClient, folder: Path) -> None:
    (folder / "link.csv").symlink_to(folder.parent / "secret.csv")
    for query in (f"FROM texts('{folder}/link.csv')", f"FROM read_csv('{folder}/link.csv')"):
        assert "hidden" not in client.post("/api/sql", json={"query": query}).text


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../evil.png", "evil.png"),
        ("..\\..\\evil.png", "evil.png"),
        ("/etc/cron.d/x.png", "x.png"),
        (".htaccess.png", "htaccess.png"),
        ("a b'; DROP TABLE t;--.png", "a_b_DROP_TABLE_t_--.png"),
        ("x" * 400 + ".png", "x" * 116 + ".png"),
    ],
)
def test_uploads_keep_no_path(client: TestClient, folder: Path, sent: str, kept: str) -> None:
    answer = client.post("/api/media", files={"file": (sent, png(), "image/png")})
    assert answer.status_code == 201, answer.text
    assert Path(answer.json()["path"]) == folder / "uploads" / kept
    again = client.post("/api/media", files={"file": (sent, png(), "image/png")}).json()
    assert Path(again["path"]).name != kept and Path(again["path"]).parent == folder / "uploads"


def test_an_upload_that_is_no_medium_is_not_kept(client: TestClient, folder: Path) -> None:
    answer = client.post("/api/media", files={"file": ("x.png", b"\x7fELF\x02\x01\x01" + bytes(64), "image/png")})
    assert answer.status_code == 422
    assert list((folder / "uploads").iterdir()) == []


def test_bodies_too_large_are_refused(settings: ServeSettings) -> None:
    small = replace(settings, body_bytes_max=1000, upload_bytes_max=2000)
    with TestClient(create_app(small), base_url="http://127.0.0.1") as client:
        assert client.post("/api/sql", json={"query": "SELECT " + "1" * 2000}).status_code == 413
        files = {"file": ("x.png", png() + bytes(3000), "image/png")}
        assert client.post("/api/media", files=files).status_code == 413

        def endless() -> object:
            for _ in range(50):
                yield b"x" * 100

        assert client.post("/api/sql", content=endless()).status_code == 413


def test_a_picture_that_claims_to_be_huge_is_refused(client: TestClient, folder: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    kept = client.post("/api/media", files={"file": ("bomb.png", io.BytesIO(bomb), "image/png")})
    with pytest.warns(UserWarning, match="pixels"):
        answer = client.post("/api/sql", json={"query": f"FROM images('{kept.json()['path']}')"})
    assert answer.json()["result"]["rows"] == []


def test_callers_too_quick_are_told_when_to_come_back(settings: ServeSettings) -> None:
    slow = replace(settings, requests_per_s=1.0, requests_burst=5)
    with TestClient(create_app(slow), base_url="http://127.0.0.1") as client:
        codes = [client.get("/api/health").status_code for _ in range(8)]
        assert codes[:5] == [200] * 5 and codes[-1] == 429
        assert int(client.get("/api/health").headers["retry-after"]) >= 1


def test_pages_of_other_sites_cannot_use_a_local_server(client: TestClient) -> None:
    sent = {"json": {"query": "SELECT 1"}}
    assert client.post("/api/sql", **sent, headers={"origin": "http://evil.example"}).status_code == 403
    assert client.post("/api/sql", **sent, headers={"host": "evil.example"}).status_code == 401
    assert client.get("/api/server", headers={"host": "evil.example"}).status_code == 401
    assert client.post("/api/sql", **sent, headers={"origin": "http://127.0.0.1"}).status_code == 200


def test_the_page_s_token_moves_into_a_cookie(guarded: TestClient) -> None:
    response = guarded.get("/", params={"token": "runs"}, follow_redirects=False)
    assert response.status_code == 303 and "HttpOnly" in response.headers["set-cookie"]
    assert guarded.get("/api/server").json()["role"] == "run"


def test_headers_that_keep_the_page_to_itself(client: TestClient) -> None:
    headers = client.get("/").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_what_is_this_machine() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "::1", "localhost", "127.9.9.9")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example")))


def test_a_full_queue_says_when(settings: ServeSettings) -> None:
    import threading

    go_on = threading.Event()
    with TestClient(create_app(replace(settings, lanes=1, queue_max=2)), base_url="http://127.0.0.1") as client:
        jobs = client.app.state.jobs
        for number in range(3):
            jobs.submit("wait", str(number), lambda job, lane: go_on.wait(20), owner="x")
            if number == 0:
                while jobs.waiting:
                    pass
        response = client.post("/api/sql", json={"query": "SELECT 1"})
        assert response.status_code == 429 and int(response.headers["retry-after"]) >= 1
        go_on.set()


def test_roles_are_ordered() -> None:
    assert Role.READ < Role.RUN < Role.ADMIN


def test_who_waits_holds_no_thread(settings: ServeSettings) -> None:
    """More callers wait for a slow statement, and watch it, than there are threads; others are answered all along."""
    app, go_on, waiters = create_app(replace(settings, lanes=1, queue_max=100)), threading.Event(), 120

    async def all_of_it() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
            first = app.state.jobs.submit("wait", "", lambda job, lane: go_on.wait(50), owner=_owner_of_nobody())
            waiting = [client.get(f"/api/jobs/{first.id}", params={"wait_s": 30}) for _ in range(waiters)]
            watching = [client.get(f"/api/jobs/{first.id}/events") for _ in range(waiters)]
            tasks = [asyncio.create_task(one) for one in (*waiting, *watching)]
            await asyncio.sleep(0.2)
            assert (await asyncio.wait_for(client.get("/api/files"), 20)).status_code == 200
            assert not any(task.done() for task in tasks)
            go_on.set()
            answers = await asyncio.gather(*tasks)
            assert [one.json()["state"] for one in answers[:waiters]] == ["done"] * waiters
            assert all("event: done" in one.text for one in answers[waiters:])

    asyncio.run(all_of_it())
    app.state.jobs.close()


def _owner_of_nobody() -> str:
    return hashlib.sha256(b"").hexdigest()[:16]


def test_thumbnails_are_made_once_and_bounded() -> None:
    kept, made = Thumbnails(bytes_max=10), []

    def make(name: str) -> bytes:
        made.append(name)
        return name.encode() * 4

    for name in ("a", "b", "a", "c", "a", "b"):  # c drops b, which was used longest ago; then b drops c
        assert kept.get(name, lambda name=name: make(name)) == name.encode() * 4
    assert made == ["a", "b", "c", "b"]


def test_a_thumbnail_many_ask_for_at_once_is_made_once() -> None:
    kept, made, begun, may_end = Thumbnails(), [], threading.Event(), threading.Event()

    def make() -> bytes:
        made.append(1)
        begun.set()
        assert may_end.wait(10)
        return b"jpeg"

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(kept.get, "a", make)
        assert begun.wait(10)
        others = [pool.submit(kept.get, "a", make) for _ in range(3)]
        assert kept.get("b", lambda: b"other") == b"other"  # who wants another picture does not wait
        may_end.set()
        assert [each.result(10) for each in (first, *others)] == [b"jpeg"] * 4
    assert made == [1]


def test_a_thumbnail_that_failed_is_tried_again() -> None:
    kept = Thumbnails()
    with pytest.raises(OSError, match="gone"):
        kept.get("a", lambda: _raise(OSError("gone")))
    assert kept.get("a", lambda: b"back") == b"back"


def _raise(error: Exception) -> bytes:
    raise error
