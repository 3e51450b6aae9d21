"""A replica: answers devices over gRPC and remembers nothing.

python -m suffice.federated.checkin.service STORE PORT [KEY CERTIFICATES]

The signing secret (16 bytes or more) is read from stdin; KEY and CERTIFICATES are PEM files and turn TLS on.
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
from suffice.federated.checkin.stores import RoundStatus, Store, StoredUpdate, TaskSettings, open_store
from suffice.federated.checkin.token import Token, TokenError, sign, verify
from suffice.federated.checkin.wire import weights_from_bytes

CHUNK_BYTES = 1 << 20
MESSAGE_BYTES_MAX = 2 << 20
_STATUS_S = 0.2
_NAME_MAX = 200


@dataclass(frozen=True)
class Limits:
    """What one device may take up: seconds for a whole upload, and calls being answered at once."""

    upload_s: float = 60.0
    calls: int = 2000


class RefusedError(Exception):
    """An upload that will not be used; the device is told why."""


class Federation:
    """The three calls of ``federation.proto``. `secret` signs tokens and must be the same on every replica."""

    def __init__(self, store: Store, secret: bytes, limits: Limits | None = None) -> None:
        if len(secret) < 16:
            raise SufficeError("the signing secret must have at least 16 bytes")
        self._store, self._secret, self._limits = store, secret, limits or Limits()
        self._writing = threading.Lock()
        self._known: dict[str, tuple[float, TaskSettings, RoundStatus]] = {}

    async def check_in(self, request: pb.CheckInRequest, context: Any) -> pb.CheckInReply:
        """Hand out a task, or say when to come back."""
        if not 0 < len(request.client) <= _NAME_MAX or len(request.task) > _NAME_MAX:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "client and task must be names of 1 to 200 letters")
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
                data = await _read(parts, 4 * settings.size)
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
        token = Token(request.client, request.task, status.version, now_s + settings.token_s)
        assignment = pb.Assignment(
            token=sign(token, self._secret),
            version=status.version,
            weights=settings.size,
            expires_in_s=settings.token_s,
            learning_rate=settings.learning_rate,
            batch_size=settings.batch_size,
            local_steps=settings.local_steps,
        )
        return pb.CheckInReply(assignment=assignment)

    def _is_wanted(self, request: pb.CheckInRequest, settings: TaskSettings, status: RoundStatus) -> bool:
        if status.reports is not None or status.received >= settings.target:
            return False
        return is_wanted(_pacing(settings), request.client, request.task, status.version, self._secret)

    def _keep(self, token: Token, settings: TaskSettings, header: pb.UploadHeader, data: bytes) -> pb.Receipt:
        try:
            update = checked_update(settings, header, data)
        except RefusedError as refusal:
            return self._refuse(token, str(refusal))
        with self._writing:
            outcome = self._store.add_upload(token.task, token.version, token.update_id, update)
        if outcome == "closed":
            return self._refuse(token, "the round is closed")
        return pb.Receipt(accepted=True, duplicate=outcome == "duplicate")

    def _refuse(self, token: Token, reason: str) -> pb.Receipt:
        with self._writing:
            self._store.count_rejection(token.task, token.version, reason)
        return pb.Receipt(accepted=False, reason=reason)

    def _look(self, task: str, age_max_s: float = _STATUS_S) -> tuple[TaskSettings, RoundStatus]:
        """Settings and status, at most `age_max_s` old."""
        at_s, settings, status = self._known.get(task, (-1.0, None, None))
        if settings is None or status is None or time.monotonic() - at_s >= age_max_s:
            settings, status = self._store.settings(task), self._store.status(task)
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


def checked_update(settings: TaskSettings, header: pb.UploadHeader, data: bytes) -> StoredUpdate:
    """The update in an upload; raises :class:`RefusedError` with the reason when it must not be used."""
    if header.layout_digest != settings.layout_digest:
        raise RefusedError("a model of another shape")
    if hashlib.sha256(data).digest() != header.sha256:
        raise RefusedError("the checksum does not match")
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


async def start(
    federation: Federation, address: str, *, tls: tuple[bytes, bytes] | None = None, limits: Limits | None = None
) -> tuple[Any, int]:
    """Serve on `address` (``host:port``; port 0 for a free one), with TLS when `tls` (key, certificate chain; PEM) is
    given; returns the server and the port."""
    options = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.so_reuseport", 1)]
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=(limits or Limits()).calls)
    server.add_generic_rpc_handlers((_handlers(federation),))
    if tls is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, grpc.ssl_server_credentials([tls]))
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
        "Upload": grpc.stream_unary_rpc_method_handler(
            federation.upload, pb.UploadPart.FromString, pb.Receipt.SerializeToString
        ),
    }
    return grpc.method_handlers_generic_handler("suffice.federated.Federation", calls)


async def serve(path: str | Path, address: str, secret: bytes, tls: tuple[bytes, bytes] | None = None) -> None:
    """Answer devices until the process ends; prints the port once it listens."""
    server, bound = await start(Federation(open_store(path), secret), address, tls=tls)
    print(bound, flush=True)
    await server.wait_for_termination()


def read_pair(key: str | Path, certificates: str | Path) -> tuple[bytes, bytes]:
    """The two PEM files that turn TLS on."""
    return Path(key).read_bytes(), Path(certificates).read_bytes()


def _main(path: str, port: str, *tls: str) -> None:
    pair = read_pair(tls[0], tls[1]) if tls else None
    asyncio.run(serve(path, f"127.0.0.1:{port}", sys.stdin.buffer.read(), pair))


if __name__ == "__main__":
    _main(*sys.argv[1:])
