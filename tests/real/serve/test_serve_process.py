"""The server as its users meet it: a process, a port, hostile bytes, and an OpenAPI document held to account."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from serving import serving

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def test_the_openapi_document_is_true(tmp_path: Path) -> None:
    """Schemathesis makes requests of the document and checks every answer against it; routes that paint or train do so
    for minutes when a request happens to be right, so they are left to tests of their own."""
    with serving("--db", ":memory:", folder=tmp_path) as address:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{address}/api/openapi.json"),
            *(
                "--exclude-path-regex",
                "events|animate|inpaint|regional|federate",
                "--checks",
                CHECKS,
                "--max-examples",
                "6",
                "--seed",
                "1",
            ),
            *("--phases", "examples,coverage,fuzzing", "--no-color", "--warnings", "off"),
        ]
        ran = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout[-4000:]


def test_one_who_never_finishes_a_request_keeps_nobody_waiting(tmp_path: Path) -> None:
    with serving("--db", ":memory:", folder=tmp_path) as address:
        place = urlsplit(address)
        slow = [socket.create_connection((place.hostname, place.port)) for _ in range(100)]
        for one in slow:
            one.sendall(b"GET /api/health HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ")
        assert httpx.get(f"{address}/api/health", timeout=10).status_code == 200
        for one in slow:
            one.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"x%d: y\r\n" % i for i in range(20_000)) + b"\r\n",
        b"POST /api/sql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"POST /api/sql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /api/sql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9999999999\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /studio/../app.py HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n",
        b"GET /studio/%2e%2e/app.py HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n",
        b"GET /studio/..%2f..%2fconnection.py HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n",
    ],
)
def test_bytes_that_are_no_honest_request(tmp_path: Path, sent: bytes) -> None:
    with serving("--db", ":memory:", folder=tmp_path) as address:
        place = urlsplit(address)
        with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
            answer = b""
            try:
                connection.sendall(sent)
                while chunk := connection.recv(65536):
                    answer += chunk
                    if b"\r\n\r\n" in answer:
                        break
            except ConnectionError:
                pass
        assert answer == b"" or int(answer.split()[1]) >= 400, answer[:200]
        assert httpx.get(f"{address}/api/health", timeout=10).status_code == 200


def test_beyond_this_machine_a_token_is_made_and_asked_for(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "suffice", "serve", "--host", "0.0.0.0", "--port", "0", "--db", ":memory:"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        token = process.stderr.readline().split()[1]
        port = process.stderr.readline().strip().rsplit(":", 1)[1]
        address = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{address}/api/server").status_code == 401
        answer = httpx.get(f"{address}/api/server", headers={"authorization": f"Bearer {token}"})
        assert answer.json()["role"] == "admin"
    finally:
        process.terminate()
        process.wait(15)


def test_a_killed_server_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    query = "CREATE TABLE kept AS SELECT 42 AS answer"
    command = [sys.executable, "-m", "suffice", "serve", "--port", "0"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    address = process.stderr.readline().rsplit(" ", 1)[1].strip()
    assert httpx.post(f"{address}/api/sql", json={"query": query}, timeout=20).json()["state"] == "done"
    os.kill(process.pid, 9)
    process.wait()
    with serving(folder=tmp_path) as address:
        answer = httpx.post(f"{address}/api/sql", json={"query": "FROM kept"}, timeout=20).json()
    assert answer["result"]["rows"] == [[42]]


def test_the_port_is_taken(tmp_path: Path) -> None:
    with serving("--db", ":memory:", folder=tmp_path) as address:
        port = str(urlsplit(address).port)
        command = [sys.executable, "-m", "suffice", "serve", "--port", port, "--db", ":memory:"]
        ran = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1 and f"127.0.0.1:{port}" in ran.stderr and "Traceback" not in ran.stderr


@pytest.mark.server
def test_two_tabs_racing_write_once_each(tmp_path: Path) -> None:
    """Many callers at once: every statement runs, none is lost, none runs twice."""
    from concurrent.futures import ThreadPoolExecutor

    with serving(folder=tmp_path) as address, httpx.Client(base_url=address, timeout=60) as client:
        client.post("/api/sql", json={"query": "CREATE TABLE log (n INTEGER)"})

        def add(number: int) -> None:
            body = {"query": f"INSERT INTO log VALUES ({number})", "wait_s": 30}
            for _ in range(2):  # the second is the same click again
                answer = client.post("/api/sql", json=body, headers={"idempotency-key": f"k{number}"})
                while answer.status_code == 429:
                    time.sleep(float(answer.headers["retry-after"]))
                    answer = client.post("/api/sql", json=body, headers={"idempotency-key": f"k{number}"})
                assert answer.status_code == 200, answer.text

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(add, range(60)))
        rows = client.post("/api/sql", json={"query": "SELECT n FROM log ORDER BY n"}).json()["result"]["rows"]
    assert json.dumps(rows) == json.dumps([[n] for n in range(60)])
