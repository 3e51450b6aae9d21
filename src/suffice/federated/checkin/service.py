"""A replica: answers devices over gRPC and remembers nothing.

python -m suffice.federated.checkin.service STORE PORT [KEY CERTIFICATES [CLIENT_AUTHORITY]]

The signing secret (16 bytes or more) is read from stdin; the others are PEM files, as in :class:`Tls`.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from suffice.errors import SufficeError
from suffice.federated.checkin import federation_pb2 as pb
from suffice.federated.checkin.pacing import Pacing, come_back_in_s, is_wanted
from suffice.federated.checkin.refused import RefusedError, RoundOverError
from suffice.federated.checkin.secure_round import STEPS, is_full, masked_bytes, put_masked, take_step
from suffice.federated.checkin.stores import RoundStatus, Store, StoredUpdate, TaskSettings, open_store
from suffice.federated.checkin.token import Token, TokenError, sign, verify
from suffice.federated.checkin.wire import weights_from_bytes

CHUNK_BYTES = 1 << 20
MESSAGE_BYTES_MAX = 2 << 20
_STATUS_S = 0.2
_SECURE_ASK_AGAIN_MAX_S = 0.5
_NAME_MAX = 200


@dataclass(frozen=True)
class Limits:
    """What one device may take up: seconds for a whole upload, and calls being answered at once."""

    upload_s: float = 60.0
    calls: int = 2000


class Federation:
    """The calls of ``federation.proto``. `secret` signs tokens and must be the same on every replica; with
    `names_checked` a device may only use the name its certificate is for."""

    def __init__(
        self, store: Store, secret: bytes, limits: Limits | None = None, *, names_checked: bool = False
    ) -> None:
        if len(secret) < 16:
            raise SufficeError("the signing secret must have at least 16 bytes")
        self._store, self._secret, self._limits = store, secret, limits or Limits()
        self._names_checked = names_checked
        self._writing = threading.Lock()
        self._known: dict[str, tuple[float, TaskSettings, RoundStatus]] = {}

    async def check_in(self, request: pb.CheckInRequest, context: Any) -> pb.CheckInReply:
        """Hand out a task, or say when to come back."""
        if not 0 < len(request.client) <= _NAME_MAX or len(request.task) > _NAME_MAX:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "client and task must be names of 1 to 200 letters")
        if self._names_checked and request.client.encode() not in context.auth_context().get("x509_common_name", []):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "the certificate is for another name")
        try:
            settings, status = self._look(request.task)
        except SufficeError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        if request.layout_digest != settings.layout_digest:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the device has a model of another shape")
        if self._is_wanted(request, settings, status):
            # Work is given out by the state as it is: a device sent off on a version that has just closed would train
            # for nothing, and would be missing from the next.
            settings, status = self._look(request.task, age_max_s=0.0)
        return self._answer(request, settings, status)

    async def download(self, request: pb.DownloadRequest, context: Any) -> AsyncIterator[pb.Chunk]:
        """The model the token is for, in chunks."""
        token = await self._token(request.token, context)
        data = await asyncio.to_thread(self._store.weights_bytes, token.task, token.version)
        for first in range(0, len(data), CHUNK_BYTES):
            yield pb.Chunk(data=data[first : first + CHUNK_BYTES])

    async def upload(self, parts: AsyncIterator[pb.UploadPart], context: Any) -> pb.Receipt:
        """Take in an update, once."""
        try:
            async with asyncio.timeout(self._limits.upload_s):
                first = await anext(aiter(parts), None)
                if first is None or first.WhichOneof("part") != "header":
                    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "an upload begins with a header")
                header = first.header  # type: ignore[union-attr]
                token = await self._token(header.token, context)
                settings = self._look(token.task)[0]
                data = await _read(parts, masked_bytes(settings) if settings.secure_threshold else 4 * settings.size)
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"an upload may take {self._limits.upload_s:g} s")
        except RefusedError as refusal:
            return await asyncio.to_thread(self._refuse, token, str(refusal))
        return await asyncio.to_thread(self._keep, token, settings, header, data)

    def _answer(self, request: pb.CheckInRequest, settings: TaskSettings, status: RoundStatus) -> pb.CheckInReply:
        now_s = time.time()
        if not self._is_wanted(request, settings, status):
            remaining_s = status.opened_s + settings.round_s - now_s if status.reports is None else 0.0
            drawn = (request.client, request.task, status.version, self._secret)
            return pb.CheckInReply(come_back_in_s=come_back_in_s(_pacing(settings), remaining_s, *drawn))
        lasts_s = settings.token_s + (len(STEPS) * settings.secure_step_s if settings.secure_threshold else 0.0)
        token = Token(request.client, request.task, status.version, now_s + lasts_s)
        assignment = pb.Assignment(
            token=sign(token, self._secret),
            version=status.version,
            weights=settings.size,
            expires_in_s=lasts_s,
            learning_rate=settings.learning_rate,
            batch_size=settings.batch_size,
            local_steps=settings.local_steps,
            secure_threshold=settings.secure_threshold,
        )
        return pb.CheckInReply(assignment=assignment)

    def _is_wanted(self, request: pb.CheckInRequest, settings: TaskSettings, status: RoundStatus) -> bool:
        if status.reports is not None or status.received >= settings.target:
            return False
        return is_wanted(_pacing(settings), request.client, request.task, status.version, self._secret)

    async def secure(self, request: pb.SecureStep, context: Any) -> pb.SecureOutcome:
        """One device's part in a step of secure aggregation, and what came of the step."""
        token = await self._token(request.token, context)
        settings = self._look(token.task)[0]
        try:
            told = await asyncio.to_thread(self._take_step, token, settings, request)
        except RoundOverError as refusal:
            await context.abort(grpc.StatusCode.ABORTED, str(refusal))
        except RefusedError as refusal:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(refusal))
        if told is None:
            return pb.SecureOutcome(ask_again_in_s=min(_SECURE_ASK_AGAIN_MAX_S, settings.secure_step_s / 20))
        return pb.SecureOutcome(ready=True, body=told)

    def _take_step(self, token: Token, settings: TaskSettings, request: pb.SecureStep) -> bytes | None:
        if not settings.secure_threshold:
            raise RefusedError("this task sums its updates without masks")
        with self._writing:
            return take_step(self._store, settings, token, request.step, request.body, time.time())

    def _keep(self, token: Token, settings: TaskSettings, header: pb.UploadHeader, data: bytes) -> pb.Receipt:
        try:
            duplicate = self._add(token, settings, header, data)
        except RefusedError as refusal:
            return self._refuse(token, str(refusal))
        return pb.Receipt(accepted=True, duplicate=duplicate)

    def _add(self, token: Token, settings: TaskSettings, header: pb.UploadHeader, data: bytes) -> bool:
        """Store what arrived; True when it was there already."""
        if header.masked != (settings.secure_threshold > 0):
            raise RefusedError("this task takes updates under masks only, or none under masks")
        if header.masked:
            check_transfer(settings, header, data)
            with self._writing:
                return not put_masked(self._store, settings, token, data)
        update = checked_update(settings, header, data)
        with self._writing:
            outcome = self._store.add_upload(token.task, token.version, token.update_id, update)
        if outcome == "closed":
            raise RefusedError("the round is closed")
        return outcome == "duplicate"

    def _refuse(self, token: Token, reason: str) -> pb.Receipt:
        with self._writing:
            self._store.count_rejection(token.task, token.version, reason)
        return pb.Receipt(accepted=False, reason=reason)

    def _look(self, task: str, age_max_s: float = _STATUS_S) -> tuple[TaskSettings, RoundStatus]:
        """Settings and status, at most `age_max_s` old."""
        at_s, settings, status = self._known.get(task, (-1.0, None, None))
        if settings is None or status is None or time.monotonic() - at_s >= age_max_s:
            settings, status = self._store.settings(task), self._store.status(task)
            if settings.secure_threshold and is_full(self._store, task, status.version):
                status = status._replace(received=settings.target)
            self._known[task] = (time.monotonic(), settings, status)
        return settings, status

    async def _token(self, signed: bytes, context: Any) -> Token:
        try:
            return verify(signed, self._secret, time.time())
        except TokenError as error:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
            raise


def _pacing(settings: TaskSettings) -> Pacing:
    return Pacing(settings.target, settings.population, settings.overcommitment, settings.round_s)


async def _read(parts: AsyncIterator[pb.UploadPart], size_bytes: int) -> bytes:
    data = bytearray()
    async for part in parts:
        data += part.data
        if len(data) > size_bytes:
            raise RefusedError("more bytes than the model has")
    return bytes(data)


def check_transfer(settings: TaskSettings, header: pb.UploadHeader, data: bytes) -> None:
    """Raises :class:`RefusedError` when an upload is of another model, or was damaged on the way."""
    if header.layout_digest != settings.layout_digest:
        raise RefusedError("a model of another shape")
    if hashlib.sha256(data).digest() != header.sha256:
        raise RefusedError("the checksum does not match")


def checked_update(settings: TaskSettings, header: pb.UploadHeader, data: bytes) -> StoredUpdate:
    """The update in an upload; raises :class:`RefusedError` with the reason when it must not be used."""
    check_transfer(settings, header, data)
    if header.samples < 1 or not np.isfinite(header.loss_mean):
        raise RefusedError("no samples, or a loss that is not finite")
    if header.samples > settings.samples_max:
        raise RefusedError("more samples than a device may have")
    try:
        delta = weights_from_bytes(data, settings.size)
    except SufficeError as error:
        raise RefusedError("not finite" if "finite" in str(error) else "the wrong number of bytes") from None
    if np.linalg.norm(delta.astype(np.float64)) > settings.update_norm_max:
        raise RefusedError("longer than any sound update")
    return StoredUpdate(header.samples, header.loss_mean, delta)


@dataclass(frozen=True)
class Tls:
    """PEM: the replica's own `key` and `certificates`; with `client_authority`, devices must show a certificate that it
    signed, for the name they check in under."""

    key: bytes
    certificates: bytes
    client_authority: bytes | None = None


async def start(
    federation: Federation, address: str, *, tls: Tls | None = None, limits: Limits | None = None
) -> tuple[Any, int]:
    """Serve on `address` (``host:port``; port 0 for a free one); returns the server and the port."""
    options = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.so_reuseport", 1)]
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=(limits or Limits()).calls)
    server.add_generic_rpc_handlers((_handlers(federation),))
    if tls is None:
        port = server.add_insecure_port(address)
    else:
        known = tls.client_authority
        pair = (tls.key, tls.certificates)
        credentials = grpc.ssl_server_credentials([pair], known, require_client_auth=known is not None)
        port = server.add_secure_port(address, credentials)
    await server.start()
    return server, port


def _handlers(federation: Federation) -> Any:
    calls = {
        "CheckIn": grpc.unary_unary_rpc_method_handler(
            federation.check_in, pb.CheckInRequest.FromString, pb.CheckInReply.SerializeToString
        ),
        "Download": grpc.unary_stream_rpc_method_handler(
            federation.download, pb.DownloadRequest.FromString, pb.Chunk.SerializeToString
        ),
        "Secure": grpc.unary_unary_rpc_method_handler(
            federation.secure, pb.SecureStep.FromString, pb.SecureOutcome.SerializeToString
        ),
        "Upload": grpc.stream_unary_rpc_method_handler(
            federation.upload, pb.UploadPart.FromString, pb.Receipt.SerializeToString
        ),
    }
    return grpc.method_handlers_generic_handler("suffice.federated.Federation", calls)


async def serve(path: str | Path, address: str, secret: bytes, tls: Tls | None = None) -> None:
    """Answer devices until the process ends; prints the port once it listens."""
    names_checked = tls is not None and tls.client_authority is not None
    server, bound = await start(Federation(open_store(path), secret, names_checked=names_checked), address, tls=tls)
    print(bound, flush=True)
    await server.wait_for_termination()


def _main(path: str, port: str, *pem: str) -> None:
    tls = Tls(*(Path(file).read_bytes() for file in pem)) if pem else None
    asyncio.run(serve(path, f"127.0.0.1:{port}", sys.stdin.buffer.read(), tls))


if __name__ == "__main__":
    _main(*sys.argv[1:])
