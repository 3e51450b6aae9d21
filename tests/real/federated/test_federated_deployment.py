"""Replicas, root and folding processes as they run in earnest, and killed in earnest."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import masked_device
from deployed import (
    SECRET,
    SIZE,
    contribute,
    delta_of,
    mean_of,
    new_task,
    process,
    replica,
    root,
    seconds_to_start,
    wait_for,
)

from suffice.errors import SufficeError
from suffice.federated.checkin import federation_pb2 as pb
from suffice.federated.checkin.client import FederationClient
from suffice.federated.checkin.partials import folded, get_partial, put_partial
from suffice.federated.checkin.root import advance, fold_in_processes
from suffice.federated.checkin.stores import Store, StoredUpdate, TaskSettings, open_store
from suffice.federated.checkin.token import Token, sign
from suffice.federated.checkin.tree import Node
from suffice.federated.checkin.wire import weights_from_bytes, weights_to_bytes

MASKED_DEVICE = "masked_device"


def test_two_replicas_one_root_killed_and_restarted_no_update_lost_or_counted_twice(tmp_path):
    store, path = new_task(tmp_path / "s"), tmp_path / "s"
    start_s = seconds_to_start()
    rounds, clients = 4, range(9)
    with replica(path) as one, replica(path) as two:
        stop = threading.Event()

        def keep_killing_the_root():
            chance = random.Random(1)
            while not stop.is_set():
                with root(path) as running:
                    stop.wait(start_s * chance.uniform(1.0, 2.5))
                    running.send_signal(signal.SIGKILL)

        killer = threading.Thread(target=keep_killing_the_root)
        killer.start()
        try:
            for version in range(rounds):
                devices = [
                    threading.Thread(target=contribute, args=((one, two)[c % 2], c, version), kwargs={"again": c == 4})
                    for c in clients
                ]
                for device in devices:
                    device.start()
                for device in devices:
                    device.join()
                wait_for(lambda version=version: store.status("t").version > version)
        finally:
            stop.set()
            killer.join()
    assert weights_from_bytes(store.weights_bytes("t", rounds), SIZE) == pytest.approx(
        rounds * mean_of(clients), abs=1e-5
    )


def test_a_folding_process_killed_at_any_moment_changes_nothing(tmp_path):
    store = new_task(tmp_path / "s", target=40, fan_in=7)
    for client in range(40):
        update = StoredUpdate(client + 1, 0.5, delta_of(client))
        assert store.add_upload("t", 0, Token(str(client), "t", 0, 0).update_id, update) == "accepted"
    store.close_round("t", 0)
    fold = ("suffice.federated.checkin.leaf", tmp_path / "s", "t", 0, 40, 0)
    chance, killed, most_s = random.Random(0), 0, 2.0
    for place in [*range(6)] * 4:
        with process(*fold, place) as leaf:
            try:
                leaf.wait(chance.uniform(0.0, most_s))
                most_s *= 0.6  # it had ended: the next has less time
            except subprocess.TimeoutExpired:
                killed, most_s = killed + 1, 1.4 * most_s
    assert 2 <= killed < 24
    assert advance(store, "t", fold_in_processes(tmp_path / "s", "t", 2), time.time())
    assert weights_from_bytes(store.weights_bytes("t", 1), SIZE) == pytest.approx(mean_of(range(40)), abs=1e-6)
    assert not folded(store, "t", 0), "the round is over and its partials are gone"
    put_partial(store, "t", 1, Node(0, 0), store_partial := fold_of(store))
    put_partial(store, "t", 1, Node(0, 0), fold_of(store))
    assert (get_partial(store, "t", 1, Node(0, 0)).delta_sum == store_partial.delta_sum).all()


def fold_of(store: Store):
    from suffice.federated.aggregate import Partial

    return Partial(np.arange(SIZE) * 1.0, 1.0, 1, 1)


def test_tokens_forged_expired_or_from_another_server_are_refused(tmp_path):
    new_task(tmp_path / "s")
    with replica(tmp_path / "s") as address:
        device = FederationClient(address, "phone", "t")
        late = sign(Token("phone", "t", 0, time.time() - 5), SECRET)
        forged = sign(Token("phone", "t", 0, time.time() + 99), b"a secret of somebody else")
        for token, message in ((late, "expired"), (forged, "not one of ours"), (b"", "not one of ours")):
            with pytest.raises(grpc.RpcError, match=message):
                device.upload(token, "d", delta_of(0), 1, 0.5)
            with pytest.raises(grpc.RpcError, match=message):
                device.download(pb.Assignment(token=token, weights=SIZE))
        with pytest.raises(grpc.RpcError, match="another shape"):
            device.check_in("e")
        with pytest.raises(grpc.RpcError, match="no task 'x'"):
            FederationClient(address, "phone", "x").check_in("d")
        device.close()


def test_broken_uploads_are_counted_and_the_rest_goes_on(tmp_path):
    store = new_task(tmp_path / "s")
    with replica(tmp_path / "s") as address:
        device = FederationClient(address, "phone", "t")
        token = device.check_in("d").assignment.token
        bad = delta_of(0)
        bad[3] = np.inf
        reasons = [
            device.upload(token, "d", bad, 1, 0.5).reason,
            device.upload(token, "d", delta_of(0)[:-1], 1, 0.5).reason,
            device.upload(token, "d", np.zeros(SIZE + 1, np.float32), 1, 0.5).reason,
            device.upload(token, "e", delta_of(0), 1, 0.5).reason,
        ]
        assert reasons == [
            "not finite",
            "the wrong number of bytes",
            "more bytes than the model has",
            "a model of another shape",
        ]
        assert device.upload(token, "d", delta_of(0), 1, 0.5).accepted
        store.close_round("t", 0)
        late = sign(Token("other", "t", 0, time.time() + 99), SECRET)
        assert device.upload(late, "d", delta_of(1), 1, 0.5).reason == "the round is closed"
        device.close()
    assert store.status("t").received == 1 and sum(store.rejections("t").values()) == 5


SLOW_REPLICA = """
import asyncio, sys
from suffice.federated.checkin.service import Federation, Limits, start
from suffice.federated.checkin.stores import open_store
async def main():
    limits = Limits(upload_s=0.6)
    federation = Federation(open_store(sys.argv[1]), b"a secret all replicas share", limits)
    server, port = await start(federation, "127.0.0.1:0")
    print(port, flush=True)
    await server.wait_for_termination()
asyncio.run(main())
"""


def test_a_device_that_sends_a_byte_now_and_then_is_cut_off_and_holds_up_nobody(tmp_path):
    store = new_task(tmp_path / "s")
    script = tmp_path / "replica.py"
    script.write_text(SLOW_REPLICA)
    running = subprocess.Popen([sys.executable, str(script), str(tmp_path / "s")], stdout=subprocess.PIPE)
    try:
        address = f"127.0.0.1:{int(running.stdout.readline())}"
        token = sign(Token("slow", "t", 0, time.time() + 99), SECRET)
        done = threading.Event()

        def drip():
            yield pb.UploadPart(header=pb.UploadHeader(token=token, layout_digest="d", samples=1))
            while not done.wait(0.1):
                yield pb.UploadPart(data=b"x")

        def slow_device(outcome: list):
            channel = grpc.insecure_channel(address)
            upload = channel.stream_unary(
                "/suffice.federated.Federation/Upload", pb.UploadPart.SerializeToString, pb.Receipt.FromString
            )
            try:
                upload(drip(), timeout=30.0)
            except grpc.RpcError as error:
                outcome.append(error.code())
            channel.close()

        outcome: list = []
        devices = [threading.Thread(target=slow_device, args=(outcome,)) for _ in range(20)]
        for device in devices:
            device.start()
        contribute(address, 3, 0)
        for device in devices:
            device.join()
        done.set()
        assert outcome == [grpc.StatusCode.DEADLINE_EXCEEDED] * 20
        assert store.status("t").received == 1
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def test_under_masks_the_sum_is_right_although_members_are_killed_in_the_middle(tmp_path):
    step_s = max(5.0, 5 * seconds_to_start())
    store, path = new_task(tmp_path / "s", target=6, secure_threshold=4, secure_step_s=step_s), tmp_path / "s"
    with replica(path) as one, replica(path) as two, root(path):
        killed = [
            process(MASKED_DEVICE, one, 4, "joined", SIZE, stdin=b""),
            process(MASKED_DEVICE, two, 5, "sent", SIZE, stdin=b""),
        ]
        with killed[0] as gone_early, killed[1] as gone_late:
            others = [
                threading.Thread(target=masked_device.take_part, args=((one, two)[c % 2], c, "end", SIZE))
                for c in range(4)
            ]
            for device in others:
                device.start()
            for device, word in ((gone_early, b"joined\n"), (gone_late, b"sent\n")):
                assert device.stdout.readline() == word
                device.send_signal(signal.SIGKILL)
        for device in others:
            device.join()
        wait_for(lambda: store.status("t").version > 0)
    weights = weights_from_bytes(store.weights_bytes("t", 1), SIZE)
    assert weights == pytest.approx(mean_of([0, 1, 2, 3, 5]), abs=1e-6)
    assert not store.rejections("t")


def test_under_masks_the_server_refuses_what_would_spoil_or_uncover_a_round(tmp_path):
    store = new_task(tmp_path / "s", target=3, secure_threshold=2, secure_step_s=0.5)
    with replica(tmp_path / "s") as address:
        device = FederationClient(address, "phone", "t")
        assignment = device.check_in("d").assignment
        plain = device.upload(assignment.token, "d", delta_of(0), 1, 0.5)
        assert plain.reason == "this task takes updates under masks only, or none under masks"
        step = device._secure
        for name, body, message in (
            ("keys", b"short", "not what the step keys"),
            ("shares", b"", "step keys is not over"),
            ("reveal", b"", "step keys is not over"),
            ("odd", b"", "no step 'odd'"),
        ):
            with pytest.raises(grpc.RpcError, match=message):
                step(pb.SecureStep(token=assignment.token, step=name, body=body))
        assert not step(pb.SecureStep(token=assignment.token, step="keys", body=b"k" * 64)).ready
        with pytest.raises(grpc.RpcError, match="not one of ours"):
            step(pb.SecureStep(token=b"x" * 60, step="keys", body=b"k" * 64))
        device.close()
    assert store.status("t").version == 0
    fold = fold_in_processes(tmp_path / "s", "t", 1)
    assert not advance(store, "t", fold, time.time() + 60), "one member is too few to go on with"
    assert store.status("t").version == 0


def test_a_round_that_lost_too_many_members_is_given_up_and_the_next_one_works(tmp_path):
    step_s = max(4.0, 5 * seconds_to_start())
    store, path = new_task(tmp_path / "s", target=3, secure_threshold=3, secure_step_s=step_s), tmp_path / "s"
    with replica(path) as address, root(path):
        with process(MASKED_DEVICE, address, 2, "joined", SIZE, stdin=b"") as gone:
            others = [
                threading.Thread(target=masked_device.take_part, args=(address, c, "end", SIZE)) for c in range(2)
            ]
            for device in others:
                device.start()
            assert gone.stdout.readline() == b"joined\n"
        for device in others:
            device.join()
        wait_for(lambda: store.status("t").version == 1)
        assert not weights_from_bytes(store.weights_bytes("t", 1), SIZE).any(), "the model is as it was"
        again = [threading.Thread(target=masked_device.take_part, args=(address, c, "end", SIZE)) for c in range(3)]
        for device in again:
            device.start()
        for device in again:
            device.join()
        wait_for(lambda: store.status("t").version == 2)
    weights = weights_from_bytes(store.weights_bytes("t", 2), SIZE)
    assert weights == pytest.approx(mean_of(range(3)), abs=1e-6)


def certificate_for(name: str, authority: tuple[bytes, bytes] | None = None) -> tuple[bytes, bytes]:
    """Key and certificate (PEM) for `name`, signed by `authority`, or by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer, issuer = key, subject
    if authority is not None:
        loaded = serialization.load_pem_private_key(authority[0], None)
        signer, issuer = loaded, x509.load_pem_x509_certificate(authority[1]).subject
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, certificate.public_bytes(pem)


def pem_files(folder, *contents: bytes) -> list:
    files = [folder / f"{index}.pem" for index in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    return files


def test_tls(tmp_path):
    new_task(tmp_path / "s")
    key, certificate = certificate_for("localhost")
    with replica(tmp_path / "s", *pem_files(tmp_path, key, certificate)) as address:
        trusted = FederationClient(address, "phone", "t", root_certificates=certificate)
        stranger = FederationClient(address, "phone", "t", root_certificates=certificate_for("localhost")[1])
        assert trusted.check_in("d").assignment.weights == SIZE
        with pytest.raises(grpc.RpcError):
            stranger.check_in("d")
        trusted.close()
        stranger.close()


def test_a_device_is_who_its_certificate_says(tmp_path):
    new_task(tmp_path / "s")
    authority, other = certificate_for("the makers of phones"), certificate_for("somebody")
    key, certificate = certificate_for("localhost")
    phone = certificate_for("phone", authority)
    with replica(tmp_path / "s", *pem_files(tmp_path, key, certificate, authority[1])) as address:

        def check_in(name: str, own: tuple[bytes, bytes] | None):
            device = FederationClient(address, name, "t", root_certificates=certificate, own=own)
            try:
                return device.check_in("d")
            finally:
                device.close()

        assert check_in("phone", phone).assignment.weights == SIZE
        with pytest.raises(grpc.RpcError, match="for another name"):
            check_in("tablet", phone)
        for own in (None, certificate_for("phone", other)):
            with pytest.raises(grpc.RpcError):
                check_in("phone", own)


def test_real_devices_learn_the_digits_together(tmp_path):
    from suffice.federated.cohort import evaluate
    from suffice.federated.devices import TorchTrainer
    from suffice.federated.layout import Layout
    from suffice.federated.tasks import DigitsTask

    task = DigitsTask(6, gamma=1.0, style=False, model="logistic")
    module = task.model(0)
    layout = Layout.of(module)
    store = open_store(tmp_path / "s")
    chosen = TaskSettings(layout.size, layout.digest, 6, learning_rate=0.3, local_steps=40, fan_in=6)
    store.create_task("t", chosen, layout.flatten(module.state_dict()), time.time())
    with replica(tmp_path / "s") as address, root(tmp_path / "s"):
        for version in range(3):
            for client in range(6):
                data = task.gather(np.array([client]))
                device = FederationClient(address, f"phone-{client}", "t")
                trainer = TorchTrainer(task.model(0), data.x, data.y)
                while (turn := device.take_turn(trainer, layout.digest)).receipt is None:
                    time.sleep(0.05)
                assert turn.receipt.accepted
                device.close()
            wait_for(lambda version=version: store.status("t").version > version)
    module.load_state_dict(layout.unflatten(weights_from_bytes(store.weights_bytes("t", 3), layout.size).astype(float)))
    assert evaluate(module, "cross_entropy", task.test())[2][0] > 0.7
    with pytest.raises(SufficeError, match="unavailable"):
        FederationClient(address, "phone", "t").take_turn(trainer, layout.digest)


def test_a_mixed_federation_of_four_runtimes_learns(tmp_path):
    for package in ("ai_edge_litert", "MNN", "executorch"):
        pytest.importorskip(package, reason=f"the runtime {package} is not installed")
    from suffice.assets import asset_path
    from suffice.federated.cohort import evaluate
    from suffice.federated.devices import ExecuTorchTrainer, LiteRtTrainer, MlpShape, MnnTrainer, TorchTrainer
    from suffice.federated.layout import Layout
    from suffice.federated.tasks import DigitsTask

    task = DigitsTask(8, gamma=0.5, style=False)
    module = task.model(0)
    layout = Layout.of(module)
    litert, executorch = asset_path("mlp_64_64_10.tflite"), asset_path("mlp_64_64_10.pte").read_bytes()
    make = (
        lambda x, y: TorchTrainer(task.model(0), x, y),
        lambda x, y: LiteRtTrainer(litert, MlpShape(), x, y),
        lambda x, y: MnnTrainer(MlpShape(), x, y),
        lambda x, y: ExecuTorchTrainer(executorch, layout, x, y),
    )
    data = [task.gather(np.array([client])) for client in range(8)]
    trainers = [make[client % 4](own.x, own.y) for client, own in enumerate(data)]
    start = layout.flatten(module.state_dict())
    store = open_store(tmp_path / "s")
    chosen = TaskSettings(layout.size, layout.digest, 8, learning_rate=0.3, local_steps=60, fan_in=4)
    store.create_task("t", chosen, start, time.time())
    rounds, expected = 5, start.copy()
    with replica(tmp_path / "s") as address, root(tmp_path / "s"):
        for version in range(rounds):
            sent = weights_from_bytes(store.weights_bytes("t", version), layout.size)
            assert sent == pytest.approx(expected, abs=1e-6)
            for client, trainer in enumerate(trainers):
                take_turns_until_sent(address, f"phone-{client}", trainer, layout.digest)
            wait_for(lambda version=version: store.status("t").version > version)
            expected = sent + mean_in_torch(task, sent, data, chosen)
    module.load_state_dict(
        layout.unflatten(weights_from_bytes(store.weights_bytes("t", rounds), layout.size).astype(float))
    )
    assert evaluate(module, "cross_entropy", task.test())[2][0] > 0.85


def take_turns_until_sent(address: str, name: str, trainer, digest: str) -> None:
    device = FederationClient(address, name, "t")
    while (turn := device.take_turn(trainer, digest)).receipt is None:
        time.sleep(0.05)
    assert turn.receipt.accepted and not turn.receipt.duplicate
    device.close()


def mean_in_torch(task, sent: np.ndarray, data, chosen: TaskSettings) -> np.ndarray:
    """The update of the whole round, had every device been one of PyTorch."""
    from suffice.federated.devices import TorchTrainer

    moved, weights = [], []
    for own in data:
        trainer = TorchTrainer(task.model(0), own.x, own.y)
        trainer.set_weights(sent)
        trainer.train_steps(chosen.local_steps, chosen.batch_size, chosen.learning_rate)
        moved.append(trainer.get_weights().astype(float) - sent)
        weights.append(trainer.samples)
    return np.array(weights) @ np.stack(moved) / sum(weights)


def test_weights_are_sent_in_chunks(tmp_path):
    store = open_store(tmp_path / "s")
    size = 1_300_000
    weights = np.random.default_rng(0).standard_normal(size)
    store.create_task("t", TaskSettings(size, "d", 2), weights, time.time())
    with replica(tmp_path / "s") as address:
        device = FederationClient(address, "phone", "t")
        assignment = device.check_in("d").assignment
        got = device.download(assignment)
        assert weights_to_bytes(got) == weights_to_bytes(weights)
        assert device.upload(assignment.token, "d", got, 1, 0.5).accepted
        device.close()


DIGITS = """
data_set: digits
clients: 6
model: logistic
num_participants: 2
overcommitment: 3.0
learning_rate: 0.3
local_steps: 20
secure_threshold: 2
"""


def test_a_federation_from_the_shell_under_masks(tmp_path):
    (tmp_path / "c.yaml").write_text(DIGITS)
    names = {**os.environ, "SUFFICE_FEDERATION_SECRET": SECRET.decode()}

    def shell(*arguments, **options):
        command = [sys.executable, "-m", "suffice", "federate", *map(str, arguments)]
        return subprocess.Popen(command, cwd=tmp_path, env=names, stdout=subprocess.PIPE, text=True, **options)

    assert "650 weights; 2 reports close a round" in shell("create", "store", "t", "c.yaml").communicate()[0]
    listening = shell("replica", "store")
    try:
        address = f"127.0.0.1:{int(listening.stdout.readline())}"
        publishing = shell("root", "store", "t", "--until", 1, "--json")
        paces = ((), ("--pace",))
        devices = [shell("join", address, "t", "c.yaml", "--client", c, *pace) for c, pace in enumerate(paces)]
        assert [device.communicate()[0] for device in devices] == [f"device {c}: 1 updates taken\n" for c in range(2)]
        assert json.loads(publishing.communicate()[0]) == {"version": 1, "rejections": {}}
    finally:
        listening.kill()
        listening.communicate()
    del names["SUFFICE_FEDERATION_SECRET"]
    refused = shell("replica", "store", stderr=subprocess.PIPE)
    assert "set SUFFICE_FEDERATION_SECRET" in refused.communicate()[1] and refused.returncode == 1


def test_a_device_that_is_not_wanted_says_when_it_tries_again(tmp_path):
    (tmp_path / "c.yaml").write_text("data_set: linear\nclients: 2\nnum_participants: 1\novercommitment: 2.0\n")
    suffice = [sys.executable, "-m", "suffice", "federate"]
    subprocess.run([*suffice, "create", "s", "t", "c.yaml"], cwd=tmp_path, check=True)
    with replica(tmp_path / "s") as address:
        join = [*suffice, "join", address, "t", "c.yaml", "--client"]
        subprocess.run([*join, "0"], cwd=tmp_path, check=True)  # the round is full, and nobody closes it
        with subprocess.Popen([*join, "1"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as waiting:
            said = waiting.stderr.readline()
            time.sleep(3.0)
            waiting.kill()
            more = waiting.stderr.read()
    assert re.match(r"device 1: not wanted in this round; next try at \d\d:\d\d:\d\d, then every 2 s \(.*\)$", said)
    assert more == "", "one line, however often it asks"
