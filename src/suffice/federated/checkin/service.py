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

from suffice.errors import SufficeError, UsageError
from suffice.federated.checkin import federation_pb2 as pb
from suffice.federated.checkin.looks import Look, Looks
from suffice.federated.checkin.pacing import come_back_in_s, is_wanted
from suffice.federated.checkin.refused import RefusedError, RoundOverError
from suffice.federated.checkin.secure_round import STEPS, masked_bytes, put_masked, take_step
from suffice.federated.checkin.stores import Store, StoredUpdate, TaskSettings, open_store
from suffice.federated.checkin.token import Token, TokenError, sign, verify
from suffice.federated.checkin.wire import weights_from_bytes

CHUNK_BYTES = 1 << 20
MESSAGE_BYTES_MAX = 2 << 20
_SECURE_ASK_AGAIN_MAX_S = 0.5
_NAME_MAX = 200


@dataclass(frozen=True)
class Limits:
    """What devices may take up.

    Attributes:
        upload_s, header_s: seconds for a whole upload, and for its first message, which says whose it is.
        uploads: being received at once, each with at most a model in memory; calls: of any kind, being answered.
        handshake_s, idle_s: how long a connection that says nothing is kept, before its first word and after its last.
    """

    upload_s: float = 60.0
    header_s: float = 10.0
    uploads: int = 200
    calls: int = 2000
    handshake_s: float = 10.0
    idle_s: float = 120.0


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
        self._looks, self._uploading = Looks(store), 0

    async def check_in(self, request: pb.CheckInRequest, context: Any) -> pb.CheckInReply:
        """Hand out a task, or say when to come back."""
        if not 0 < len(request.client) <= _NAME_MAX or len(request.task) > _NAME_MAX:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "client and task must be names of 1 to 200 letters")
        if self._names_checked and request.client.encode() not in context.auth_context().get("x509_common_name", []):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "the certificate is for another name")
        try:
            look = await self._looks.at(request.task)
            if request.layout_digest != look.settings.layout_digest:
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the device has a model of another shape")
            if not self._is_wanted(request, look):
                return self._later(request, look)
            # Work is given out by the state as it is: a device sent off on a version that has just closed would train
            # for nothing, and would be missing from the next.
            look = await self._looks.at(request.task, age_max_s=0.0)
        except SufficeError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        return self._work(request, look) if self._is_wanted(request, look) else self._later(request, look)

    async def download(self, request: pb.DownloadRequest, context: Any) -> AsyncIterator[pb.Chunk]:
        """The model the token is for, in chunks."""
        token = await self._token(request.token, context)
        try:
            data = await asyncio.to_thread(self._store.weights_bytes, token.task, token.version)
        except SufficeError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        for first in range(0, len(data), CHUNK_BYTES):
            yield pb.Chunk(data=data[first : first + CHUNK_BYTES])

    async def upload(self, parts: AsyncIterator[pb.UploadPart], context: Any) -> pb.Receipt:
        """Take in an update, once."""
        if self._uploading >= self._limits.uploads:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many uploads at once: send it again later")
        self._uploading += 1
        try:
            return await self._take_in(parts, context)
        finally:
            self._uploading -= 1

    async def _take_in(self, parts: AsyncIterator[pb.UploadPart], context: Any) -> pb.Receipt:
        limits = self._limits
        try:
            async with asyncio.timeout(limits.upload_s):
                header = await self._header(parts, context)
                token = await self._token(header.token, context)
                settings = (await self._looks.at(token.task)).settings
                data = await _read(parts, masked_bytes(settings) if settings.secure_threshold else 4 * settings.size)
        except TimeoutError:
            within = f"{limits.upload_s:g} s, and its header {limits.header_s:g} s"
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"an upload may take {within}")
        except RefusedError as refusal:
            return await asyncio.to_thread(self._refuse, token, str(refusal))
        return await asyncio.to_thread(self._keep, token, settings, header, data)

    async def _header(self, parts: AsyncIterator[pb.UploadPart], context: Any) -> pb.UploadHeader:
        """What an upload begins with; until it is here nobody knows who sends."""
        async with asyncio.timeout(self._limits.header_s):
            first = await anext(aiter(parts), None)
        if first is None or first.WhichOneof("part") != "header":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "an upload begins with a header")
        return first.header  # type: ignore[union-attr]

    def _later(self, request: pb.CheckInRequest, look: Look) -> pb.CheckInReply:
        status = look.status
        remaining_s = status.opened_s + look.settings.round_s - time.time() if status.reports is None else 0.0
        drawn = (request.client, request.task, status.version, self._secret)
        return pb.CheckInReply(come_back_in_s=come_back_in_s(look.pacing, remaining_s, *drawn))

    def _work(self, request: pb.CheckInRequest, look: Look) -> pb.CheckInReply:
        settings, version = look.settings, look.status.version
        lasts_s = settings.token_s + (len(STEPS) * settings.secure_step_s if settings.secure_threshold else 0.0)
        token = Token(request.client, request.task, version, time.time() + lasts_s)
        assignment = pb.Assignment(
            token=sign(token, self._secret),
            version=version,
            weights=settings.size,
            expires_in_s=lasts_s,
            learning_rate=settings.learning_rate,
            batch_size=settings.batch_size,
            local_steps=settings.local_steps,
            secure_threshold=settings.secure_threshold,
        )
        return pb.CheckInReply(assignment=assignment)

    def _is_wanted(self, request: pb.CheckInRequest, look: Look) -> bool:
        status = look.status
        if status.reports is not None or status.received >= look.settings.target:
            return False
        return is_wanted(look.pacing, request.client, request.task, status.version, self._secret)

    async def secure(self, request: pb.SecureStep, context: Any) -> pb.SecureOutcome:
        """One device's part in a step of secure aggregation, and what came of the step."""
        token = await self._token(request.token, context)
        settings = (await self._looks.at(token.task)).settings
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

    async def _token(self, signed: bytes, context: Any) -> Token:
        try:
            return verify(signed, self._secret, time.time())
        except TokenError as error:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
            raise


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
    """Serve on `address` (``host:port``; port 0 for a free one); returns the server and the port.

    Raises:
        UsageError: `address` is none. SufficeError: somebody else has it, or it is not of this machine.
    """
    host, _, port_wanted = address.rpartition(":")
    if not host or not port_wanted.isdecimal() or int(port_wanted) > 65535:
        raise UsageError(f"{address!r} is no HOST:PORT to listen on")
    limits = limits or Limits()
    options = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.so_reuseport", 1),
        ("grpc.server_handshake_timeout_ms", round(1000 * limits.handshake_s)),
        ("grpc.max_connection_idle_ms", round(1000 * limits.idle_s)),
    ]
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=limits.calls)
    server.add_generic_rpc_handlers((_handlers(federation),))
    try:
        port = _listen(server, address, tls)
    except RuntimeError:
        raise SufficeError(f"cannot listen on {address}: it is taken, or not an address of this machine") from None
    await server.start()
    return server, port


def _listen(server: Any, address: str, tls: Tls | None) -> int:
    if tls is None:
        return int(server.add_insecure_port(address))
    known, pair = tls.client_authority, (tls.key, tls.certificates)
    credentials = grpc.ssl_server_credentials([pair], known, require_client_auth=known is not None)
    return int(server.add_secure_port(address, credentials))


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


def serve(path: str | Path, address: str, secret: bytes, tls: Tls | None = None, limits: Limits | None = None) -> None:
    """Answer devices until the process ends; prints the port once it listens."""
    _allow_many_connections()
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(path, address, secret, tls, limits))


async def _serve(path: str | Path, address: str, secret: bytes, tls: Tls | None, limits: Limits | None) -> None:
    names_checked = tls is not None and tls.client_authority is not None
    federation = Federation(open_store(path), secret, limits, names_checked=names_checked)
    server, bound = await start(federation, address, tls=tls, limits=limits)
    print(bound, flush=True)
    await server.wait_for_termination()


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed: a tenth less work a check-in."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _allow_many_connections() -> None:
    """A connection takes an open file, of which a process may by default have few."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _main(path: str, port: str, *pem: str) -> None:
    tls = Tls(*(Path(file).read_bytes() for file in pem)) if pem else None
    serve(path, f"127.0.0.1:{port}", sys.stdin.buffer.read(), tls)


if __name__ == "__main__":
    _main(*sys.argv[1:])
