"""A load generator for check-ins: gRPC's frames written by hand, so that the devices cost little of the cores they
share with the replicas. Every check-in is a request of its own, by a client of its own, and every reply is parsed.

python checkin_load.py SECONDS CONNECTIONS IN_FLIGHT RATE PORT...

IN_FLIGHT requests are under way on each connection, as fast as they are answered; with RATE above 0 as many a second
are sent off altogether, whether or not earlier ones were answered, and latency counts from when one was due. Prints
JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import struct
import sys
import time

import numpy as np

from suffice.federated.checkin import federation_pb2 as pb

_PATH = b"/suffice.federated.Federation/CheckIn"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_WINDOW_BYTES = 32_768
_WAITING_MAX = 400


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


_BLOCK = b"\x83\x86" + b"".join(
    _literal(name, value)
    for name, value in (
        (b":path", _PATH),
        (b":authority", b"localhost"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    )
)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload) << 8 | kind) + struct.pack(">BI", flags, stream) + payload


class Connection(asyncio.Protocol):
    """One HTTP/2 connection; `done` holds the seconds each answered check-in took, `refused` counts the
    others."""

    names = itertools.count()

    def __init__(self, in_flight: int) -> None:
        self._refills, self._in_flight = True, in_flight
        self._buffer, self._unacknowledged = bytearray(), 0
        self._due_s: dict[int, float] = {}
        self._replied: set[int] = set()
        self._stream = 1
        self.done: list[float] = []
        self.refused = 0
        self.problem = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(_PREFACE)
        self.send([time.perf_counter()] * self._in_flight)

    def connection_lost(self, error: Exception | None) -> None:
        self.problem = self.problem or ("the connection was lost" if self._due_s and self._refills else "")

    def send(self, due_s: list[float]) -> None:
        """Send a check-in for each moment in `due_s`."""
        out = []
        for moment in due_s:
            request = pb.CheckInRequest(client=f"phone-{next(self.names)}", task="t", layout_digest="d")
            body = request.SerializeToString()
            out.append(_frame(_HEADERS, _END_HEADERS, self._stream, _BLOCK))
            out.append(_frame(_DATA, _END_STREAM, self._stream, b"\0" + struct.pack(">I", len(body)) + body))
            self._due_s[self._stream] = moment
            self._stream += 2
        self._transport.write(b"".join(out))

    def offer(self, due_s: float) -> None:
        """Send one, or give it up when hundreds are waiting already (HTTP/2 lets nobody send without end)."""
        if self.waiting < _WAITING_MAX:
            self.send([due_s])
        else:
            self.refused += 1

    def stop(self) -> None:
        """Send no more."""
        self._refills = False

    @property
    def waiting(self) -> int:
        """Requests not answered yet."""
        return len(self._due_s)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        before, place = len(self._due_s), 0
        while len(self._buffer) - place >= 9:
            size = int.from_bytes(self._buffer[place : place + 3])
            end = place + 9 + size
            if len(self._buffer) < end:
                break
            kind, flags, stream = self._buffer[place + 3], self._buffer[place + 4], self._buffer[place + 5 : place + 9]
            self._take(kind, flags, int.from_bytes(stream), bytes(self._buffer[place + 9 : end]))
            place = end
        del self._buffer[:place]
        if self._in_flight and self._refills:
            self.send([time.perf_counter()] * (before - len(self._due_s)))

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _DATA:
            self._reply(stream, payload)
        elif kind == _HEADERS and flags & _END_STREAM:
            self._end(stream)
        elif kind in (_SETTINGS, _PING) and not flags & _ACK:
            self._transport.write(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind == _GOAWAY:
            self.problem = f"the server hung up: {payload[8:].decode(errors='replace')}"

    def _reply(self, stream: int, payload: bytes) -> None:
        if pb.CheckInReply.FromString(payload[5:]).WhichOneof("answer"):
            self._replied.add(stream)
        self._unacknowledged += len(payload)
        if self._unacknowledged > _WINDOW_BYTES:
            self._transport.write(_frame(_WINDOW, 0, 0, struct.pack(">I", self._unacknowledged)))
            self._unacknowledged = 0

    def _end(self, stream: int) -> None:
        took_s = time.perf_counter() - self._due_s.pop(stream)
        if stream in self._replied:
            self._replied.discard(stream)
            self.done.append(took_s)
        else:
            self.refused += 1


async def load(seconds: float, connections: int, in_flight: int, rate: float, ports: list[str]) -> dict[str, object]:
    """Throughput and latencies; raises RuntimeError when a connection broke or a check-in got no answer at all."""
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda: Connection(0 if rate else in_flight), "127.0.0.1", int(port)))[1]
        for port, _ in zip(itertools.cycle(ports), range(connections), strict=False)
    ]
    began_s = time.perf_counter()
    await (_offer(opened, rate, began_s + seconds) if rate else asyncio.sleep(seconds))
    took_s, answered = time.perf_counter() - began_s, sum(len(one.done) for one in opened)
    for one in opened:
        one.stop()
    for _ in range(200):
        if not any(one.waiting for one in opened):
            break
        await asyncio.sleep(0.05)
    if problems := [one.problem or "not answered" for one in opened if one.problem or one.waiting]:
        raise RuntimeError(problems[0])
    p50, p99 = np.percentile(np.concatenate([one.done for one in opened]), [50, 99]) * 1000
    return {
        "answered": answered,
        "refused": sum(one.refused for one in opened),
        "checkins_per_s": answered / took_s,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
    }


async def _offer(opened: list[Connection], rate: float, end_s: float) -> None:
    due_s, turn = time.perf_counter(), itertools.cycle(opened)
    while due_s < end_s:
        await asyncio.sleep(0.001)
        while due_s <= time.perf_counter():
            next(turn).offer(due_s)
            due_s += 1.0 / rate


if __name__ == "__main__":
    seconds, connections, in_flight, rate, *ports = sys.argv[1:]
    print(json.dumps(asyncio.run(load(float(seconds), int(connections), int(in_flight), float(rate), ports))))
