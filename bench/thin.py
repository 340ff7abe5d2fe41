"""The bare pump: sealed records, one channel of messages, credit and `offer` on a Twisted socket, and nothing else.

It tells what is left of raw TCP when only that much of QG/1 is done in pure Python (spec: docs/spec/records.md), so
that the distance of the whole node to it is the price of everything else. Fixed keys, no handshake: never a transport.
Called like every peer script (bench/peers/README.md): ``thin.py --metric a|b|c``.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

sys.path.insert(0, os.environ.get("BENCH_PEERS", str(Path(__file__).resolve().parent / "peers")))

import common as c
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HEADER_BYTES, OVERHEAD_BYTES, FRAME_BYTES = 20, 36, 8
RECORD_BYTES = 262_144
WINDOW_BYTES = QUEUE_BYTES = 4 << 20
MAX_FRAMES = 4096
MSG, WINDOW = 0x13, 0x14
FIRST, LAST = 1, 2
FRAME = struct.Struct(">II")
SHARED = memoryview(bytearray(RECORD_BYTES))
"""Where every connection reads while it is between records: one idle connection keeps no buffer."""


class Sealer:
    """One direction's key: seals a record in place. Nonce = counter (fixed iv of zeros)."""

    def __init__(self, key: bytes) -> None:
        self.aead, self.n = AESGCM(key), 0

    def seal(self, record: memoryview, length: int) -> memoryview:
        """``record[20:20+length]`` is the body; returns the wire bytes."""
        n = self.n
        head, end = record[:HEADER_BYTES], OVERHEAD_BYTES + length
        self.aead.encrypt_into(n.to_bytes(12, "big"), (length << 8).to_bytes(4, "big"), None, head)
        body = record[HEADER_BYTES : HEADER_BYTES + length]
        self.aead.encrypt_into((n + 1).to_bytes(12, "big"), body, head, record[HEADER_BYTES:end])
        self.n = n + 2
        return record[:end]


class Opener:
    """The other direction: header first, then the body in place."""

    def __init__(self, key: bytes) -> None:
        self.aead, self.n = AESGCM(key), 0

    def length(self, head: memoryview) -> int:
        return int.from_bytes(self.aead.decrypt(self.n.to_bytes(12, "big"), head, None)[:3], "big")

    def open(self, head: memoryview, sealed: memoryview) -> memoryview:
        body = sealed[:-16]
        self.aead.decrypt_into((self.n + 1).to_bytes(12, "big"), sealed, head, body)
        self.n += 2
        return body


class Outgoing:
    """The queue of messages and their record: ``offer`` on one side, ``record`` on the other."""

    def __init__(self, key: bytes) -> None:
        self.sealer = Sealer(key)
        self.buffer = memoryview(bytearray(RECORD_BYTES))
        self.queue: deque[bytes] = deque()
        self.queued = self.offset = self.sent = self.grant = 0
        self.limit = WINDOW_BYTES

    def record(self) -> memoryview | None:
        """As many frames as fit, sealed; None where nothing may go."""
        at = self.window_frame() if self.grant else HEADER_BYTES
        for _ in range(MAX_FRAMES):
            after = self.message_frame(at) if self.queue else at
            if after == at:
                break
            at = after
        return self.sealer.seal(self.buffer, at - HEADER_BYTES) if at > HEADER_BYTES else None

    def window_frame(self) -> int:
        at = HEADER_BYTES
        FRAME.pack_into(self.buffer, at, WINDOW << 24 | 1, 8)
        self.buffer[at + 8 : at + 16] = self.grant.to_bytes(8, "big")
        self.grant = 0
        return at + 16

    def message_frame(self, at: int) -> int:
        """One MSG frame of the first message in the queue; the same ``at`` when neither room nor credit is left."""
        message, start = self.queue[0], self.offset
        total, extra = len(message), 0 if start else 4
        count = min(total - start, RECORD_BYTES - 16 - at - FRAME_BYTES - extra, self.limit - self.sent)
        if count <= 0:
            return at
        flags = (0 if start else FIRST) | (LAST if start + count == total else 0)
        FRAME.pack_into(self.buffer, at, MSG << 24 | 1, flags << 24 | count + extra)
        at += FRAME_BYTES
        if extra:
            self.buffer[at : at + 4] = total.to_bytes(4, "big")
        at += extra
        self.buffer[at : at + count] = message if count == total else memoryview(message)[start : start + count]
        self.sent += count
        self.taken(start + count, total)
        return at + count

    def taken(self, end: int, total: int) -> None:
        self.offset = end
        if end == total:
            self.queue.popleft()
            self.queued -= total
            self.offset = 0


class Pump:
    """Between one Twisted transport and the bench's application: reads into and writes from our own memory."""

    def __init__(self, transport: Any, key_out: bytes, key_in: bytes, on_message: Any, on_room: Any) -> None:
        self.out, self.opener = Outgoing(key_out), Opener(key_in)
        self.on_message, self.on_room = on_message, on_room
        self.transport, self.socket = transport, transport.socket
        self.own: memoryview | None = None
        self.spare = memoryview(b"")
        self.have = self.need = self.taken = 0
        self.length: int | None = None
        self.granted = WINDOW_BYTES
        self.writing = self.full = False
        self.unsent: memoryview | None = None
        self.part = bytearray()
        transport.doRead, transport.doWrite = self.do_read, self.do_write

    def offer(self, message: bytes) -> bool:
        if self.out.queued >= QUEUE_BYTES:
            self.full = True
            return False
        self.out.queue.append(message)
        self.out.queued += len(message)
        self.wake()
        return True

    def wake(self) -> None:
        if not self.writing:
            self.writing = True
            self.transport.startWriting()

    def do_write(self) -> None:
        wire = self.unsent or self.out.record()
        if wire is None:
            self.writing = False
            self.transport.stopWriting()
        else:
            try:
                count = self.socket.send(wire)
            except BlockingIOError:
                count = 0
            self.unsent = wire[count:] if count < len(wire) else None
        if self.full and self.out.queued < QUEUE_BYTES // 2:
            self.full = False
            self.on_room()

    def do_read(self) -> Exception | None:
        target = SHARED if self.own is None else self.own[self.have :]
        try:
            count = self.socket.recv_into(target)
        except BlockingIOError:
            return None
        if not count:
            from twisted.internet import main

            return main.CONNECTION_DONE
        self.have += count
        if self.own is None or self.have >= self.need:
            self.records(SHARED if self.own is None else self.own, self.have)
        if self.granted - self.taken < WINDOW_BYTES // 2:
            self.granted = self.out.grant = self.taken + WINDOW_BYTES
            self.wake()
        return None

    def records(self, data: memoryview, have: int) -> None:
        """Open what is whole, in place; keep the rest of the last record."""
        at = 0
        while have - at >= HEADER_BYTES:
            head = data[at : at + HEADER_BYTES]
            if self.length is None:
                self.length = self.opener.length(head)
            end = at + OVERHEAD_BYTES + self.length
            if have < end:
                break
            self.frames(self.opener.open(head, data[at + HEADER_BYTES : end]))
            self.length, at = None, end
        self.keep(bytes(data[at:have]))

    def keep(self, rest: bytes) -> None:
        """Read on behind ``rest``, as far as the next header. A buffer made anew for each record costs page faults."""
        self.have, self.own = len(rest), None
        if not rest:
            self.spare = memoryview(b"")
            return
        self.need = HEADER_BYTES if self.length is None else OVERHEAD_BYTES + self.length
        if len(self.spare) < self.need + HEADER_BYTES:
            self.spare = memoryview(bytearray(self.need + HEADER_BYTES))
        self.own = self.spare[: self.need + HEADER_BYTES]
        self.own[: len(rest)] = rest

    def frames(self, body: memoryview) -> None:
        at, end = 0, len(body)
        while at < end:
            kind, flags = FRAME.unpack_from(body, at)
            start = at + FRAME_BYTES
            at = start + (flags & 0xFFFFFF)
            if kind >> 24 == MSG:
                self.message(flags >> 24, body[start:at])
            else:
                self.out.limit = int.from_bytes(body[start:at], "big")
                self.wake()

    def message(self, flags: int, data: memoryview) -> None:
        if flags & FIRST:
            data = data[4:]
        self.taken += len(data)
        if flags == FIRST | LAST:
            self.on_message(bytes(data))
            return
        self.part += data
        if flags & LAST:
            whole, self.part = bytes(self.part), bytearray()
            self.on_message(whole)


KEYS = (b"1" * 32, b"2" * 32)


def server(a: Any) -> None:
    from twisted.internet import protocol, reactor

    class Sink(protocol.Protocol):
        total = 0

        def connectionMade(self) -> None:
            self.transport.setTcpNoDelay(True)
            self.pump = Pump(self.transport, KEYS[1], KEYS[0], self.message, lambda: None)
            self.pump.offer(b"R")

        def message(self, message: bytes) -> None:
            if a.metric == "b":
                self.pump.offer(message)
            elif len(message) == 3:
                self.pump.offer(b"%d" % self.total)
            else:
                self.total += len(message)

    port = reactor.listenTCP(0, protocol.Factory.forProtocol(Sink), interface="127.0.0.1")
    c.say(port=port.getHost().port)
    reactor.run()


def client(a: Any) -> None:
    from twisted.internet import protocol, reactor

    size = {"a": c.MSG, "b": c.ECHO, "c": c.SMALL}[a.metric]

    def report(result: dict[str, Any]) -> None:
        c.say(result=result)
        reactor.stop()

    class Source(protocol.Protocol):
        sent, filling = 0, False

        def connectionMade(self) -> None:
            self.transport.setTcpNoDelay(True)
            self.data, self.times = os.urandom(size), []
            self.pump = Pump(self.transport, KEYS[0], KEYS[1], self.ready, self.fill)

        def ready(self, _message: bytes) -> None:
            if a.metric == "b":
                self.pump.on_message = self.echoed
                self.ping()
                return
            self.pump.on_message, self.filling = self.counted, True
            self.meter = c.Meter(client=os.getpid(), server=a.server_pid)
            self.end = time.perf_counter() + a.max_seconds
            self.fill()

        def fill(self) -> None:
            offer, data = self.pump.offer, self.data
            while self.filling:
                if self.sent >= a.bytes or time.perf_counter() > self.end:
                    self.filling = False
                    self.pump.out.queue.append(b"END")
                    self.pump.out.queued += 3
                elif not offer(data):
                    return
                else:
                    self.sent += size

        def counted(self, message: bytes) -> None:
            result = self.meter.stop(int(message))
            if int(message) != self.sent:
                raise ValueError(f"sent {self.sent} bytes, {int(message)} arrived")
            if a.metric == "c":
                result = c.per_message(result, int(message), size)
            report(result)

        def ping(self) -> None:
            self.at = time.perf_counter()
            self.pump.offer(self.data)

        def echoed(self, _message: bytes) -> None:
            self.times.append(time.perf_counter() - self.at)
            if len(self.times) == a.count + 200:
                report(c.latency(self.times[200:]))
            else:
                self.ping()

    reactor.connectTCP("127.0.0.1", a.port, protocol.ClientFactory.forProtocol(Source))
    reactor.run()


def run(a: Any) -> dict[str, Any]:
    count = {"a": 2048 * c.MB, "c": 50 * c.MB}.get(a.metric, 0)
    return c.pair(__file__, a, nbytes=count, count=10_000 if a.metric == "b" else 0)


if __name__ == "__main__":
    c.main(run, {"server": server, "client": client})
