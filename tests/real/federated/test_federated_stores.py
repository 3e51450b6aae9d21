"""One promise, four stores: a file, a database server, an object server, and objects in memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import object_server
import postgres_server
from deployed import SIZE, delta_of, mean_of, new_task

from suffice.errors import SufficeError
from suffice.federated.checkin.partials import folded
from suffice.federated.checkin.root import advance, fold_here, fold_in_processes
from suffice.federated.checkin.stores import Store, StoredUpdate, open_store
from suffice.federated.checkin.token import Token
from suffice.federated.checkin.wire import weights_from_bytes


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    if postgres_server.missing():
        pytest.skip(postgres_server.missing())
    with postgres_server.postgres_server() as dsn:
        yield dsn


@pytest.fixture(scope="module")
def objects() -> Iterator[dict[str, str]]:
    if object_server.missing():
        pytest.skip(object_server.missing())
    with object_server.object_server() as environment:
        yield environment


@pytest.fixture(
    params=[
        "sqlite",
        "memory",
        pytest.param("postgres", marks=pytest.mark.server),
        pytest.param("s3", marks=pytest.mark.server),
    ]
)
def where(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "postgres":
        return postgres_schema(request.getfixturevalue("postgres"), tmp_path.name)
    if request.param == "s3":
        return bucket(request.getfixturevalue("objects"), tmp_path.name, monkeypatch)
    return str(tmp_path / "s") if request.param == "sqlite" else f"memory://{tmp_path.name}"


def postgres_schema(dsn: str, name: str) -> str:
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{name}"')
    return f"{dsn}&options=-c%20search_path%3D%22{name}%22"


def bucket(environment: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    import s3fs

    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    s3fs.S3FileSystem.clear_instance_cache()
    found = name.replace("_", "-").lower().strip("-")[:60]
    s3fs.S3FileSystem().mkdir(found)
    return f"s3://{found}/federation"


def put(store: Store, client: int, version: int = 0) -> str:
    update = StoredUpdate(client + 1, 0.5, delta_of(client))
    return store.add_upload("a task", version, Token(str(client), "a task", version, 0).update_id, update)


def test_an_update_counts_once_and_a_closed_round_takes_no_more(where):
    store, other = new_task(where, "a task", target=7), open_store(where)
    assert [put(store, 1), put(other, 1), put(other, 2)] == ["accepted", "duplicate", "accepted"]
    assert store.status("a task").received == 2 and store.status("a task").reports is None
    other.close_round("a task", 0)
    store.close_round("a task", 0)
    assert [put(store, 3), put(store, 2)] == ["closed", "duplicate"]
    assert store.status("a task").reports == 2 == len(store.uploads("a task", 0, range(0, 9), SIZE))
    assert put(store, 1, version=5) == "closed", "a version that is not there"
    for client in (1, 3):
        store.count_rejection("a task", 0, "closed" if client == 3 else "odd")
        other.count_rejection("a task", 0, "odd")
    assert store.rejections("a task") == {"closed": 1, "odd": 3}
    with pytest.raises(SufficeError, match="no task 'another'"):
        store.status("another")


@pytest.mark.parametrize("optimiser", ["fedavg", "fedyogi"])
def test_rounds_publish_what_a_flat_sum_would(where, optimiser):
    from suffice.federated.aggregate.optimisers import make_optimiser

    store = new_task(where, "a task", target=7, optimiser=optimiser)
    expected, flat = make_optimiser(optimiser, 1.0), np.zeros(SIZE)
    for version in range(3):
        for client in range(7):
            assert not advance(store, "a task", fold_here(store, "a task"), time.time())
            put(store, client, version)
        assert advance(store, "a task", fold_here(store, "a task"), time.time())
        flat = expected.step(flat, mean_of(list(range(7))), np.ones(SIZE, bool))
        assert put(store, 30, version) == "closed"
    weights = weights_from_bytes(store.weights_bytes("a task", 3), SIZE)
    assert weights == pytest.approx(flat, rel=1e-5, abs=1e-6)
    assert store.status("a task")[:1] + store.status("a task")[2:] == (3, 0, None, 0)
    assert not folded(store, "a task", 2) and "weights" in store.memory("a task", 3)


def test_what_is_accepted_while_the_round_closes_is_counted_and_nothing_else(where):
    store = new_task(where, "a task", target=1000)
    start, outcomes = threading.Barrier(6), {}

    def device(first: int) -> None:
        own = open_store(where)
        start.wait()
        for client in range(first, first + 6):
            outcomes[client] = put(own, client)
        own.close()

    devices = [threading.Thread(target=device, args=(10 * index,)) for index in range(5)]
    for one in devices:
        one.start()
    start.wait()
    time.sleep(0.02)
    store.close_round("a task", 0)
    for one in devices:
        one.join()
    assert len(outcomes) == 30 and set(outcomes.values()) <= {"accepted", "closed"}
    accepted = sorted(client for client, outcome in outcomes.items() if outcome == "accepted")
    counted = sorted(update.samples - 1 for update in store.uploads("a task", 0, range(0, 99), SIZE))
    assert counted == accepted and store.status("a task").reports == len(accepted)


def test_the_first_note_stays_and_goes_with_the_round(where):
    store, other = new_task(where, "a task", target=7), open_store(where)
    assert store.put_note("a task", 0, "kind", "1", b"one") and not other.put_note("a task", 0, "kind", "1", b"two")
    assert other.note("a task", 0, "kind", "1") == b"one" and other.note("a task", 0, "kind", "2") is None
    assert other.note_names("a task", 0, "kind") == {"1"} and not other.note_names("a task", 0, "none")
    store.add_model("a task", 1, np.ones(SIZE), {}, 5.0)
    other.add_model("a task", 1, np.zeros(SIZE), {}, 9.0)
    assert not store.note_names("a task", 0, "kind")
    assert store.status("a task").opened_s == 5.0
    assert weights_from_bytes(other.weights_bytes("a task", 1), SIZE).tolist() == [1.0] * SIZE
    store.extend_round("a task", 1, 7.5)
    assert other.status("a task").opened_s == 7.5


def test_folding_processes_find_the_store_by_its_name(where):
    if where.startswith("memory://"):
        pytest.skip("memory is not shared by processes")
    store = new_task(where, "a task", target=4, fan_in=2)
    for client in range(4):
        put(store, client)
    command = [sys.executable, "-m", "suffice.federated.checkin.root", where, "a task", "1"]
    root = subprocess.Popen(command)
    try:
        end = time.monotonic() + 120
        while store.status("a task").version == 0:
            assert root.poll() is None and time.monotonic() < end
            time.sleep(0.1)
    finally:
        root.kill()
        root.wait()
    assert weights_from_bytes(store.weights_bytes("a task", 1), SIZE) == pytest.approx(mean_of([0, 1, 2, 3]), abs=1e-5)


def test_a_store_that_cannot_be_is_refused_in_a_line(tmp_path):
    with pytest.raises(SufficeError, match="plain folder"):
        open_store("file:///tmp/x")
    with pytest.raises(SufficeError, match="cannot open the store"):
        open_store("nosuch://x/y")
    with pytest.raises(SufficeError, match="cannot open the store"):
        open_store("postgresql:///x?host=/nowhere")
    (tmp_path / "odd").write_text("no database, and long enough to be looked at as one")
    for path in (tmp_path / "odd", tmp_path / "nowhere" / "s"):
        with pytest.raises(SufficeError, match="cannot open the store"):
            open_store(path)


@pytest.mark.server
def test_a_database_that_was_restarted_is_found_again(postgres, tmp_path):
    import psycopg

    store = new_task(postgres_schema(postgres, tmp_path.name), "a task")
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(psycopg.OperationalError):
        store.status("a task")
    assert store.status("a task").received == 0


def test_a_slow_root_leaves_a_round_that_another_has_finished(where):
    store = new_task(where, "a task", target=4, fan_in=2)
    for client in range(4):
        put(store, client)

    def overtaken(nodes, version, updates):
        advance(open_store(where), "a task", fold_here(open_store(where), "a task"), time.time())

    assert advance(store, "a task", overtaken, time.time())
    assert store.status("a task").version == 1
    assert advance(store, "a task", fold_in_processes(where, "a task", 1), time.time()) is False
