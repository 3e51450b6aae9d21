"""Devices that mean no good, or break off, against replicas and folding processes as they run in earnest."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

from deployed import SECRET, SIZE, contribute, delta_of, mean_of, new_task, replica, root, wait_for

from suffice.cli.federate import app
from suffice.errors import SufficeError
from suffice.federated.checkin import federation_pb2 as pb
from suffice.federated.checkin.client import FederationClient
from suffice.federated.checkin.root import advance, fold_in_processes
from suffice.federated.checkin.service import MESSAGE_BYTES_MAX
from suffice.federated.checkin.stores import StoredUpdate
from suffice.federated.checkin.token import Token, sign
from suffice.federated.checkin.wire import weights_from_bytes, weights_to_bytes

PATH = "/suffice.federated.Federation/"
IMPATIENT_REPLICA = """
import sys
from suffice.federated.checkin.service import Limits, serve
limits = Limits(upload_s=2.0, header_s=0.5, uploads=4, handshake_s=1.0)
serve(sys.argv[1], "127.0.0.1:0", b"a secret all replicas share", limits=limits)
"""
HALF_AN_UPLOAD = """
import sys, time, grpc
from suffice.federated.checkin import federation_pb2 as pb
def parts():
    yield pb.UploadPart(header=pb.UploadHeader(token=bytes.fromhex(sys.argv[2]), layout_digest="d", samples=3))
    yield pb.UploadPart(data=b"x" * 1000)
    print("half", flush=True)
    time.sleep(600)
upload = grpc.insecure_channel(sys.argv[1]).stream_unary(
    "/suffice.federated.Federation/Upload", pb.UploadPart.SerializeToString, pb.Receipt.FromString)
upload(parts())
"""


def token_of(client: str, version: int = 0) -> bytes:
    return sign(Token(client, "t", version, time.time() + 99), SECRET)


def test_a_device_killed_in_the_middle_of_its_upload_leaves_nothing_and_may_come_again(tmp_path):
    store = new_task(tmp_path / "s", target=2)
    with replica(tmp_path / "s") as address, root(tmp_path / "s"):
        sending = subprocess.Popen(
            [sys.executable, "-c", HALF_AN_UPLOAD, address, token_of("phone-2").hex()], stdout=subprocess.PIPE
        )
        assert sending.stdout.readline() == b"half\n"
        sending.kill()
        sending.wait()
        sending.stdout.close()
        contribute(address, 1, 0)
        assert store.status("t").received == 1
        contribute(address, 2, 0)
        wait_for(lambda: store.status("t").version == 1)
    assert weights_from_bytes(store.weights_bytes("t", 1), SIZE) == pytest.approx(mean_of([1, 2]), abs=1e-6)


def test_an_update_survives_the_restart_of_the_replica_it_is_sent_to(tmp_path):
    store = new_task(tmp_path / "s")
    with replica(tmp_path / "s") as address:
        device = FederationClient(address, "phone-1", "t")
        token = device.check_in("d").assignment.token
    receipts: list[pb.Receipt] = []
    sending = threading.Thread(target=lambda: receipts.append(device.upload(token, "d", delta_of(1), 2, 0.5)))
    sending.start()
    with replica(tmp_path / "s", port=int(address.rpartition(":")[2])):
        sending.join()
    device.close()
    assert receipts[0].accepted and store.status("t").received == 1


def test_one_update_sent_to_two_replicas_at_once_counts_once(tmp_path):
    store = new_task(tmp_path / "s", target=100)
    with replica(tmp_path / "s") as one, replica(tmp_path / "s") as two:
        devices = [FederationClient(address, "phone-1", "t") for address in (one, two) * 3]
        receipts: list[pb.Receipt] = []
        start = threading.Barrier(len(devices))

        def send(device: FederationClient) -> None:
            start.wait()
            receipts.append(device.upload(token_of("phone-1"), "d", delta_of(1), 2, 0.5))

        senders = [threading.Thread(target=send, args=(device,)) for device in devices]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        for device in devices:
            device.close()
    assert all(receipt.accepted for receipt in receipts)
    assert sorted(receipt.duplicate for receipt in receipts) == [False, *[True] * 5]
    assert store.status("t").received == 1


def test_bytes_that_are_no_message_and_messages_too_large_are_refused_and_nothing_falls_over(tmp_path):
    store = new_task(tmp_path / "s")
    with replica(tmp_path / "s") as address, grpc.insecure_channel(address) as channel:
        for name in ("CheckIn", "Secure", "Download"):
            with pytest.raises(grpc.RpcError):
                list(channel.unary_stream(PATH + name)(b"\xff" * 40, timeout=10.0))
        upload = channel.stream_unary(PATH + "Upload")
        for sent in ([b"\xff" * 40], [], [pb.UploadPart(data=b"x").SerializeToString()]):
            with pytest.raises(grpc.RpcError):
                upload(iter(sent), timeout=10.0)
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(PATH + "CheckIn")(b"\x0a" + b"x" * MESSAGE_BYTES_MAX, timeout=10.0)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for client, task in (("", "t"), ("x" * 201, "t"), ("phone", "x" * 201)):
            with pytest.raises(grpc.RpcError, match="names of 1 to 200 letters"):
                FederationClient(address, client, task).check_in("d")
        wrong_sum = pb.UploadHeader(token=token_of("phone"), layout_digest="d", samples=1, sha256=b"0" * 32)
        parts = [pb.UploadPart(header=wrong_sum), pb.UploadPart(data=weights_to_bytes(delta_of(0)))]
        receipt = pb.Receipt.FromString(upload(iter(part.SerializeToString() for part in parts), timeout=10.0))
        assert receipt.reason == "the checksum does not match"
        newer = FederationClient(address, "phone", "t").upload(token_of("phone", 7), "d", delta_of(0), 1, 0.5)
        assert newer.reason == "the round is closed", "there is no version 7 yet"
        with pytest.raises(grpc.RpcError, match="no version 7"):
            FederationClient(address, "phone", "t").download(pb.Assignment(token=token_of("phone", 7), weights=SIZE))
        contribute(address, 3, 0)
    assert store.status("t").received == 1


def test_silent_connections_and_a_crowd_that_drips_hold_up_nobody(tmp_path):
    store = new_task(tmp_path / "s")
    script = tmp_path / "replica.py"
    script.write_text(IMPATIENT_REPLICA)
    running = subprocess.Popen([sys.executable, str(script), str(tmp_path / "s")], stdout=subprocess.PIPE)
    silent: list[socket.socket] = []
    done = threading.Event()
    try:
        port = int(running.stdout.readline())
        silent += [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
        outcomes: list[grpc.StatusCode] = []

        def drip(named: bool):
            if named:
                yield pb.UploadPart(header=pb.UploadHeader(token=token_of("slow"), layout_digest="d", samples=1))
            while not done.wait(0.1):
                yield pb.UploadPart(data=b"x") if named else pb.UploadPart()

        def hang(named: bool) -> None:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                upload = channel.stream_unary(PATH + "Upload", pb.UploadPart.SerializeToString, pb.Receipt.FromString)
                try:
                    upload(drip(named), timeout=30.0)
                except grpc.RpcError as error:
                    outcomes.append(error.code())

        crowd = [threading.Thread(target=hang, args=(bool(number % 2),)) for number in range(24)]
        for one in crowd:
            one.start()
        began_s = time.monotonic()
        device = FederationClient(f"127.0.0.1:{port}", "phone-3", "t")
        for _ in range(20):
            assert device.check_in("d").assignment.weights == SIZE
        assert time.monotonic() - began_s < 20
        device.close()
        for one in crowd:
            one.join()
        contribute(f"127.0.0.1:{port}", 3, 0)
        wait_for(lambda: hung_up(silent))
    finally:
        done.set()
        for one in silent:
            one.close()
        running.kill()
        running.wait()
        running.stdout.close()
    assert {grpc.StatusCode.RESOURCE_EXHAUSTED} < set(outcomes), "four at a time, and the others are told so"
    assert set(outcomes) <= {
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
    assert store.status("t").received == 1


def hung_up(connections: list[socket.socket]) -> bool:
    """Whether the other side has ended all of them."""
    for one in connections:
        one.setblocking(False)
        try:
            while one.recv(1 << 16):
                pass
        except BlockingIOError:
            return False
        except OSError:
            continue
    return True


def test_a_folding_process_that_hangs_is_killed_and_the_fold_goes_on(tmp_path):
    store = new_task(tmp_path / "s", target=6)
    for client in range(6):
        update = StoredUpdate(client + 1, 0.5, delta_of(client))
        assert store.add_upload("t", 0, Token(str(client), "t", 0, 0).update_id, update) == "accepted"
    store.close_round("t", 0)
    # Whoever wants to write waits for this one, half a minute and more.
    holding = sqlite3.connect(tmp_path / "s", isolation_level=None, check_same_thread=False)
    holding.execute("BEGIN IMMEDIATE")
    threading.Timer(3.0, holding.execute, ["COMMIT"]).start()
    assert advance(store, "t", fold_in_processes(tmp_path / "s", "t", 2, seconds_max=2.0), time.time())
    holding.close()
    assert weights_from_bytes(store.weights_bytes("t", 1), SIZE) == pytest.approx(mean_of(range(6)), abs=1e-6)


@pytest.mark.parametrize(
    "arguments,message",
    [
        (("replica", "store", "--address", "nowhere"), "'nowhere' is no HOST:PORT to listen on"),
        (("replica", "store", "--address", "127.0.0.1:99999"), "is no HOST:PORT"),
        (("replica", "store", "--address", "192.0.2.1:9"), "cannot listen on 192.0.2.1:9"),
        (("replica", "store", "--key", "no.pem", "--certificates", "no.pem"), "cannot read 'no.pem'"),
        (("create", "store", "t", "d.yaml"), "a task 't' in this store already, with other settings"),
        (("join", "127.0.0.1:1", "t", "c.yaml", "--client", 10), "client 10: there are 10, counted from 0"),
        (("root", "store", "u"), "no task 'u' in this store"),
    ],
)
def test_a_wrong_command_is_told_in_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUFFICE_FEDERATION_SECRET", SECRET.decode())
    for name, reports in (("c", 4), ("d", 5)):
        Path(f"{name}.yaml").write_text(f"data_set: linear\nclients: 10\nnum_participants: {reports}\n")
    assert CliRunner().invoke(app, ["create", "store", "t", "c.yaml"]).exit_code == 0
    with ThreadPoolExecutor(1) as pool:  # a browser test of this process may have left a loop running in its thread
        refused = pool.submit(CliRunner().invoke, app, list(map(str, arguments))).result(60)
    assert isinstance(refused.exception, SufficeError) and message in str(refused.exception)
