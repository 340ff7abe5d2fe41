"""A router for tests that maps ports, by PCP (RFC 6887) or NAT-PMP (RFC 6886): bytes in, bytes out, on any clock.

It reads and writes the octets by itself, so it is a second opinion on ``wire/port_maps.py``. ``CableLine`` brings them
to it in memory; ``tests/acceptance/routerd.py`` over UDP, with rules of nftables behind.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PCP, NAT_PMP = 2, 0
UNSUPPORTED_VERSION, NO_OPCODE = 1, {PCP: 4, NAT_PMP: 5}
OUTSIDE = "84.20.7.153"


@dataclass
class Map:
    """``nonce`` is that of PCP."""

    inside: tuple[str, int]
    until: float
    nonce: bytes = b""


class MappingRouter:
    """``maps``: by external port. ``taken`` are somebody else's; ``result``: what every map is refused with.

    ``changed(external, inside)``: a map was made, None = it ended.
    """

    def __init__(self, clock: Callable[[], float], speaks: int = PCP, *, outside: str = OUTSIDE) -> None:
        self.clock, self.speaks, self.outside = clock, speaks, outside
        self.maps: dict[int, Map] = {}
        self.taken: set[int] = set()
        self.result, self.deaf, self.lease_most = 0, 0, 7200
        self.asked: list[bytes] = []
        self.began = clock() - 1000
        self.changed: Callable[[int, tuple[str, int] | None], object] = lambda external, inside: None

    def forget(self) -> None:
        """It was switched off and on."""
        self.maps.clear()
        self.began = self.clock()

    def hear(self, data: bytes, source: str) -> bytes | None:
        """The answer to whoever asked from there."""
        self._expire()
        self.asked.append(data)
        if self.deaf:
            self.deaf -= 1
            return None
        if not data or len(data) < 2 or data[1] & 0x80:
            return None
        if data[0] != self.speaks:
            return self._wrong_version(data)
        return self._pcp(data, source) if self.speaks == PCP else self._nat_pmp(data, source)

    def _wrong_version(self, data: bytes) -> bytes:
        """Each in its own form."""
        epoch = self._epoch()
        if self.speaks == NAT_PMP:
            return bytes((0, data[1] | 0x80)) + UNSUPPORTED_VERSION.to_bytes(2, "big") + epoch
        return bytes((2, data[1] | 0x80, 0, UNSUPPORTED_VERSION)) + bytes(4) + epoch + bytes(12)

    def _epoch(self) -> bytes:
        return int(self.clock() - self.began).to_bytes(4, "big")

    def _expire(self) -> None:
        for external in [one for one, each in self.maps.items() if each.until <= self.clock()]:
            self._end(external)

    def _end(self, external: int) -> None:
        del self.maps[external]
        self.changed(external, None)

    def _nat_pmp(self, data: bytes, source: str) -> bytes | None:
        if data[1] == 0:
            if len(data) != 2:
                return None
            return bytes((0, 128, 0, 0)) + self._epoch() + socket.inet_aton(self.outside)
        if data[1] != 2 or len(data) != 12:
            return bytes((0, data[1] | 0x80)) + NO_OPCODE[NAT_PMP].to_bytes(2, "big") + self._epoch()
        port, wished = int.from_bytes(data[4:6], "big"), int.from_bytes(data[6:8], "big")
        result, external, lease = self._given(source, port, wished, int.from_bytes(data[8:12], "big"), b"")
        return (bytes((0, 130)) + result.to_bytes(2, "big") + self._epoch() + port.to_bytes(2, "big")
                + external.to_bytes(2, "big") + lease.to_bytes(4, "big"))

    def _pcp(self, data: bytes, source: str) -> bytes | None:
        if len(data) < 24 or len(data) > 1100 or len(data) % 4:
            return None
        head, opcode, lease = bytes((2, data[1] | 0x80, 0)), data[1], int.from_bytes(data[4:8], "big")
        if data[8:24] != bytes(10) + b"\xff\xff" + socket.inet_aton(source):
            return head + bytes((12,)) + bytes(4) + self._epoch() + bytes(12) + data[24:]
        if opcode == 0:
            return head + bytes(5) + self._epoch() + bytes(12)
        if opcode != 1 or len(data) < 60 or data[36] != 6:
            return head + bytes((NO_OPCODE[PCP],)) + bytes(4) + self._epoch() + bytes(12) + data[24:]
        nonce, port, wished = data[24:36], int.from_bytes(data[40:42], "big"), int.from_bytes(data[42:44], "big")
        result, external, lease = self._given(source, port, wished, lease, nonce)
        return (head + bytes((result,)) + lease.to_bytes(4, "big") + self._epoch() + bytes(12) + data[24:42]
                + external.to_bytes(2, "big") + bytes(10) + b"\xff\xff" + socket.inet_aton(self.outside))

    def _given(self, source: str, port: int, wished: int, lease: int, nonce: bytes) -> tuple[int, int, int]:
        """Result, external port, lease."""
        inside = (source, port)
        mine = next((one for one, each in self.maps.items() if each.inside == inside), 0)
        if self.result:
            return self.result, 0, 0
        if mine and self.maps[mine].nonce != nonce:
            return 2, 0, 0
        if not lease:
            if mine:
                self._end(mine)
            return 0, 0, 0
        external = mine or self._free(wished or port)
        lease = min(lease, self.lease_most)
        self.maps[external] = Map(inside, self.clock() + lease, nonce)
        if not mine:
            self.changed(external, inside)
        return 0, external, lease

    def _free(self, wished: int) -> int:
        while wished in self.maps or wished in self.taken:
            wished += 1
        return wished


class CableLine:
    """From one node to the router in memory; ``address`` is the router's. What is nobody's address is silent."""

    def __init__(self, clock: Any, router: MappingRouter, address: str, own: str) -> None:
        self._clock, self._router, self._address, self._own = clock, router, address, own
        self.open: list[_Plug] = []
        self.refuses = False
        self.between: Callable[[bytes], list[bytes]] = lambda answer: [answer]
        """What comes out of an answer on its way."""

    def __call__(self, router: str, heard: Callable[[bytes], object], refused: Callable[[], object]) -> _Plug:
        return _Plug(self, router, heard, refused)

    def bring(self, plug: _Plug, datagram: bytes) -> None:
        if self.refuses:
            self._clock.callLater(0.001, plug.refused)
        elif plug.router == self._address:
            answer = self._router.hear(datagram, self._own)
            for each in () if answer is None else self.between(answer):
                self._clock.callLater(0.001, plug.hears, each)

    @property
    def own(self) -> str:
        return self._own


class _Plug:
    def __init__(self, cable: CableLine, router: str, heard: Callable[[bytes], object],
                 refused: Callable[[], object]) -> None:
        self.cable, self.router, self._heard, self._refused, self.own = cable, router, heard, refused, cable.own
        cable.open.append(self)

    def send(self, datagram: bytes) -> None:
        self.cable.bring(self, datagram)

    def hears(self, datagram: bytes) -> None:
        if self in self.cable.open:
            self._heard(datagram)

    def refused(self) -> None:
        if self in self.cable.open:
            self._refused()

    def close(self) -> None:
        self.cable.open.remove(self)
