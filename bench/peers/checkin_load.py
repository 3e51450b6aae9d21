"""A load generator for check-ins: gRPC's frames laid out beforehand, so that the devices cost little of the cores they
share with the replicas. Every check-in is a request of its own, by a client of its own, and every reply is parsed.

python checkin_load.py SECONDS CONNECTIONS IN_FLIGHT RATE PORT...

IN_FLIGHT requests are under way on each connection, as fast as they are answered; with RATE above 0 as many a second
are sent off altogether, whether or not earlier ones were answered, and latency counts from when one was due. The
connections stand for what a load balancer in front of the replicas would hold open. Prints JSON.
"""

from __future__ import annotations

import itertools
import json
import select
import socket
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
_LAID_OUT = 2048
_DIGITS = 9
_HEAD = struct.Struct(">HBBBI")


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


def _request(name: str) -> bytes:
    """The frames of one check-in on stream 0."""
    body = pb.CheckInRequest(client=name, task="t", layout_digest="d").SerializeToString()
    headers = _frame(_HEADERS, _END_HEADERS, 0, _BLOCK)
    return headers + _frame(_DATA, _END_STREAM, 0, b"\0" + struct.pack(">I", len(body)) + body)


_TEMPLATE = np.frombuffer(_request("phone-" + "#" * _DIGITS), dtype=np.uint8)
_NAME_AT = _TEMPLATE.tobytes().index(b"#")
_STREAM_AT = (5, 9 + len(_BLOCK) + 5)


def laid_out(streams: np.ndarray, names: np.ndarray) -> memoryview:
    """The bytes of one check-in after the other: on these `streams`, by clients of these numbers."""
    frames = np.tile(_TEMPLATE, (len(streams), 1))
    digits = names[:, None] // 10 ** np.arange(_DIGITS - 1, -1, -1) % 10
    frames[:, _NAME_AT : _NAME_AT + _DIGITS] = digits + ord("0")
    for place in _STREAM_AT:
        frames[:, place : place + 4] = streams.astype(">u4")[:, None].view(np.uint8)
    return memoryview(frames.tobytes())


class Connection:
    """One HTTP/2 connection; `done` holds the seconds each answered check-in took, `refused` counts the others."""

    names = itertools.count(0, _LAID_OUT)

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(_PREFACE)
        self.socket.setblocking(False)
        self._out, self._in = bytearray(), bytearray()
        self._ready, self._sent, self._unacknowledged = memoryview(b""), 0, 0
        self._due_s: dict[int, float] = {}
        self._replied: set[int] = set()
        self.done: list[float] = []
        self.refused = 0

    @property
    def waiting(self) -> int:
        """Requests not answered yet."""
        return len(self._due_s)

    def send(self, due_s: list[float]) -> None:
        """Send a check-in for each moment in `due_s`; those that come when hundreds are waiting already are given up
        (HTTP/2 lets nobody send without end)."""
        due_s, given_up = due_s[: _WAITING_MAX - self.waiting], due_s[_WAITING_MAX - self.waiting :]
        self.refused += len(given_up)
        for moment in due_s:
            self._due_s[2 * self._sent + 1] = moment
            self._sent += 1
            self._out += self._next()
        self.flush()

    def flush(self) -> None:
        """Hand the kernel what it takes."""
        while self._out:
            try:
                del self._out[: self.socket.send(self._out)]
            except BlockingIOError:
                return

    def receive(self) -> int:
        """Take in what has arrived; returns how many check-ins are over. Raises ConnectionError when the replica has
        hung up."""
        if not (data := self.socket.recv(1 << 18)):
            raise ConnectionError("the connection was lost")
        self._in += data
        before, place, there = self.waiting, 0, len(self._in)
        while there - place >= 9:
            high, low, kind, flags, stream = _HEAD.unpack_from(self._in, place)
            end = place + 9 + (high << 8 | low)
            if end > there:
                break
            self._take(kind, flags, stream, place + 9, end)
            place = end
        del self._in[:place]
        self.flush()
        return before - self.waiting

    def _next(self) -> memoryview:
        place = (self._sent - 1) % _LAID_OUT
        if place == 0:
            number = np.arange(_LAID_OUT)
            self._ready = laid_out(2 * (self._sent - 1 + number) + 1, next(self.names) + number)
        return self._ready[place * len(_TEMPLATE) : (place + 1) * len(_TEMPLATE)]

    def _take(self, kind: int, flags: int, stream: int, first: int, end: int) -> None:
        if kind == _DATA:
            self._reply(stream, bytes(self._in[first + 5 : end]))
        elif kind == _HEADERS:
            if flags & _END_STREAM:
                self._end(stream)
        elif kind == _GOAWAY:
            raise ConnectionError(f"the replica hung up: {self._in[first + 8 : end].decode(errors='replace')}")
        elif kind in (_SETTINGS, _PING) and not flags & _ACK:
            self._out += _frame(kind, _ACK, 0, bytes(self._in[first:end]) if kind == _PING else b"")

    def _reply(self, stream: int, message: bytes) -> None:
        if pb.CheckInReply.FromString(message).WhichOneof("answer"):
            self._replied.add(stream)
        self._unacknowledged += len(message) + 5
        if self._unacknowledged > _WINDOW_BYTES:
            self._out += _frame(_WINDOW, 0, 0, struct.pack(">I", self._unacknowledged))
            self._unacknowledged = 0

    def _end(self, stream: int) -> None:
        took_s = time.perf_counter() - self._due_s.pop(stream)
        if stream in self._replied:
            self._replied.discard(stream)
            self.done.append(took_s)
        else:
            self.refused += 1


class Load:
    """Connections, and what is to be sent on them."""

    def __init__(self, ports: list[int], connections: int) -> None:
        self.opened = [Connection(port) for port, _ in zip(itertools.cycle(ports), range(connections), strict=False)]
        self._by_number = {one.socket.fileno(): one for one in self.opened}
        self._ready = select.epoll()
        for number in self._by_number:
            self._ready.register(number, select.EPOLLIN)

    def flat_out(self, in_flight: int, end_s: float) -> None:
        """Keep `in_flight` under way on each connection until `end_s`."""
        for one in self.opened:
            one.send([time.perf_counter()] * in_flight)
        while (now_s := time.perf_counter()) < end_s:
            for one, over in self._receive(end_s - now_s):
                one.send([time.perf_counter()] * over)

    def offered(self, rate: float, end_s: float) -> None:
        """Send `rate` a second until `end_s`, whatever comes back."""
        turn, due_s, now_s = itertools.cycle(self.opened), time.perf_counter(), time.perf_counter()
        while now_s < end_s:
            count = max(0, int((now_s - due_s) * rate) + 1)
            if count:
                next(turn).send([due_s + k / rate for k in range(count)])
                due_s += count / rate
            for _ in self._receive(max(0.0, due_s - time.perf_counter())):
                pass
            now_s = time.perf_counter()

    def settle(self, seconds_max: float) -> None:
        """Wait for what is under way; raises RuntimeError when a check-in gets no answer at all."""
        end_s = time.perf_counter() + seconds_max
        while any(one.waiting for one in self.opened):
            if time.perf_counter() > end_s:
                raise RuntimeError("a check-in was not answered")
            for _ in self._receive(0.1):
                pass

    def _receive(self, seconds: float) -> list[tuple[Connection, int]]:
        ready = [self._by_number[number] for number, _ in self._ready.poll(seconds)]
        return [(one, one.receive()) for one in ready]


def load(seconds: float, connections: int, in_flight: int, rate: float, ports: list[int]) -> dict[str, float]:
    """Throughput and latencies."""
    one = Load(ports, connections)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    if rate:
        one.offered(rate, began_s + seconds)
    else:
        one.flat_out(in_flight, began_s + seconds)
    took_s, answered = time.perf_counter() - began_s, sum(len(some.done) for some in one.opened)
    cpu_s = time.process_time() - began_cpu_s
    one.settle(10.0)
    p50, p99 = np.percentile(np.concatenate([some.done for some in one.opened]), [50, 99]) * 1000
    return {
        "answered": answered,
        "refused": sum(some.refused for some in one.opened),
        "checkins_per_s": answered / took_s,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "load_cpu_us_a_checkin": 1e6 * cpu_s / max(1, answered),
    }


if __name__ == "__main__":
    seconds, connections, in_flight, rate, *ports = sys.argv[1:]
    figures = load(float(seconds), int(connections), int(in_flight), float(rate), [int(port) for port in ports])
    print(json.dumps(figures))
