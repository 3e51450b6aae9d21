"""The device's side: check in, fetch, train, send."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

import grpc
import numpy as np

from suffice.errors import SufficeError
from suffice.federated.aggregate.secure.fixed_point import Words
from suffice.federated.arrays import Floats32
from suffice.federated.checkin import federation_pb2 as pb
from suffice.federated.checkin.refused import RefusedError
from suffice.federated.checkin.secure_device import SecureDevice
from suffice.federated.checkin.secure_round import words_of
from suffice.federated.checkin.service import CHUNK_BYTES
from suffice.federated.checkin.wire import weights_from_bytes, weights_to_bytes
from suffice.federated.devices.protocol import Trainer

_Message = TypeVar("_Message")
_ROUND_LOST = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED, grpc.StatusCode.UNAUTHENTICATED)
"""The round went on without this device, is over, or took so long that its token is too old."""
_NOT_NOW = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_SEND_AGAIN_S = (0.5, 2.0, 8.0)
_PATH = "/suffice.federated.Federation/"


class Turn(NamedTuple):
    """What came of a check-in: `receipt` is None when the device was not wanted and should ask again in
    `come_back_in_s`."""

    receipt: pb.Receipt | None
    come_back_in_s: float


class FederationClient:
    """Talks to any replica at `address`. `root_certificates` (PEM) turns TLS on; `own` (key, certificate chain; PEM) is
    what the device shows to a replica that asks who it is: its certificate must be for the name `client`."""

    def __init__(
        self,
        address: str,
        client: str,
        task: str,
        *,
        root_certificates: bytes | None = None,
        own: tuple[bytes, bytes] | None = None,
    ) -> None:
        self._client, self._task = client, task
        if root_certificates is None:
            self._channel = grpc.insecure_channel(address)
        else:
            credentials = grpc.ssl_channel_credentials(root_certificates, *(own or ()))
            self._channel = grpc.secure_channel(address, credentials)
        call = self._channel
        self._check_in = call.unary_unary(
            _PATH + "CheckIn", pb.CheckInRequest.SerializeToString, pb.CheckInReply.FromString
        )
        self._download = call.unary_stream(
            _PATH + "Download", pb.DownloadRequest.SerializeToString, pb.Chunk.FromString
        )
        self._secure = call.unary_unary(_PATH + "Secure", pb.SecureStep.SerializeToString, pb.SecureOutcome.FromString)
        self._upload = call.stream_unary(_PATH + "Upload", pb.UploadPart.SerializeToString, pb.Receipt.FromString)

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def take_turn(self, trainer: Trainer, layout_digest: str) -> Turn:
        """Check in and, when wanted, train and send; raises :class:`SufficeError` when the server cannot be used."""
        try:
            reply = self.check_in(layout_digest)
            if reply.WhichOneof("answer") == "come_back_in_s":
                return Turn(None, reply.come_back_in_s)
            work = self._work_under_masks if reply.assignment.secure_threshold else self._work
            return Turn(work(reply.assignment, trainer, layout_digest), 0.0)
        except grpc.RpcError as error:
            raise SufficeError(f"{self._task}: {error.details()} ({error.code().name.lower()})") from None

    def check_in(self, layout_digest: str) -> pb.CheckInReply:
        """Ask for work."""
        request = pb.CheckInRequest(client=self._client, task=self._task, layout_digest=layout_digest)
        return _typed(self._check_in(request, timeout=30.0), pb.CheckInReply)

    def download(self, assignment: pb.Assignment) -> Floats32:
        """The model to train ``[P]``."""
        chunks = self._download(pb.DownloadRequest(token=assignment.token), timeout=600.0)
        return weights_from_bytes(b"".join(chunk.data for chunk in chunks), assignment.weights)

    def upload(self, token: bytes, layout_digest: str, delta: Floats32, samples: int, loss: float) -> pb.Receipt:
        """Send an update; sending it again is harmless."""
        data = weights_to_bytes(np.asarray(delta))
        header = pb.UploadHeader(token=token, layout_digest=layout_digest, samples=samples, loss_mean=loss)
        return self._send(header, data)

    def join_secure(self, assignment: pb.Assignment) -> SecureDevice:
        """Become a member of a round whose updates are summed under masks; returns once the members are settled."""

        def ask(step: str, body: bytes) -> pb.SecureOutcome:
            request = pb.SecureStep(token=assignment.token, step=step, body=body)
            return _typed(self._secure(request, timeout=30.0), pb.SecureOutcome)

        device = SecureDevice(assignment.secure_threshold, ask)
        device.join()
        return device

    def upload_masked(self, token: bytes, layout_digest: str, words: Words) -> pb.Receipt:
        """Send an update under its masks; sending it again is harmless."""
        header = pb.UploadHeader(token=token, layout_digest=layout_digest, masked=True)
        return self._send(header, words.astype("<u8").tobytes())

    def _work(self, assignment: pb.Assignment, trainer: Trainer, layout_digest: str) -> pb.Receipt:
        delta, loss = self._trained(assignment, trainer)
        return self.upload(assignment.token, layout_digest, delta, trainer.samples, loss)

    def _work_under_masks(self, assignment: pb.Assignment, trainer: Trainer, layout_digest: str) -> pb.Receipt:
        receipt = pb.Receipt()
        try:
            device = self.join_secure(assignment)
            delta, loss = self._trained(assignment, trainer)
            words = device.masked(words_of(delta, trainer.samples, loss))
            receipt = self.upload_masked(assignment.token, layout_digest, words)
            if receipt.accepted:
                device.finish()
        except RefusedError as refusal:
            return pb.Receipt(accepted=False, reason=str(refusal))
        except grpc.RpcError as error:
            if error.code() not in _ROUND_LOST:
                raise
            if error.code() is not grpc.StatusCode.ABORTED or not receipt.accepted:
                return pb.Receipt(accepted=False, reason=error.details())
        return receipt

    def _trained(self, assignment: pb.Assignment, trainer: Trainer) -> tuple[Floats32, float]:
        """The update ``[P]``, and the loss of the model received."""
        weights = self.download(assignment)
        trainer.set_weights(weights)
        loss = trainer.evaluate()
        trainer.train_steps(assignment.local_steps, assignment.batch_size, assignment.learning_rate)
        return trainer.get_weights() - weights, loss

    def _send(self, header: pb.UploadHeader, data: bytes) -> pb.Receipt:
        """Sending again is harmless, and training again is not free: a replica that is busy or gone gets some time."""
        header.sha256 = hashlib.sha256(data).digest()
        for wait_s in _SEND_AGAIN_S:
            try:
                return _typed(self._upload(_parts(header, data), timeout=600.0), pb.Receipt)
            except grpc.RpcError as error:
                if error.code() not in _NOT_NOW:
                    raise
            time.sleep(wait_s)
        return _typed(self._upload(_parts(header, data), timeout=600.0), pb.Receipt)


def _parts(header: pb.UploadHeader, data: bytes) -> Iterator[pb.UploadPart]:
    yield pb.UploadPart(header=header)
    for first in range(0, len(data), CHUNK_BYTES):
        yield pb.UploadPart(data=data[first : first + CHUNK_BYTES])


def _typed(message: Any, kind: type[_Message]) -> _Message:
    assert isinstance(message, kind)
    return message
