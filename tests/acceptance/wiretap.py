"""What went over an interface, as dumpcap saw it: the bytes of each TCP connection's two directions, in order.

``with_random_payload`` is the control: the same packets with payloads of the system's random bytes.

Reads the classic pcap format of an Ethernet-like interface with IPv4, which is what dumpcap -P writes; a
file with gaps or anything else in it is refused, not guessed at. Not for: judging the bytes (``uniformity.py``).
"""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

ETHERNET = 1
_FILE, _PACKET = struct.Struct("<IHHiIII"), struct.Struct("<IIII")
_MICROSECONDS = 0xA1B2C3D4
_SYN, _ACK = 0x02, 0x10


class Wiretap:
    """dumpcap on one interface, into ``path``. ``close`` waits until it has written all it saw.

    ``wanted`` is a filter, as tcpdump has them; ``before`` stands in front of the command.
    """

    def __init__(self, path: Path, wanted: str, interface: str = "lo", before: tuple[str, ...] = ()) -> None:
        words = [*before, "dumpcap", "-i", interface, "-P", "-q", "-B", "64", "-f", wanted, "-w", str(path)]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.path, self.said = path, ""
        end = time.monotonic() + 10
        while not path.exists() or path.stat().st_size < _FILE.size:
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"dumpcap does not capture on {interface}: {self.close()}")
            time.sleep(0.05)

    def close(self) -> str:
        """What dumpcap said, with its count of lost packets."""
        if self.process.poll() is None:
            time.sleep(1)  # what is still in the kernel's buffer
            self.process.terminate()
        self.said = self.process.communicate(timeout=20)[1].strip()
        return self.said


@dataclass
class Direction:
    """The first bytes that one side sent, and the size of its first segment, which holds its first flight."""

    data: bytearray = field(default_factory=bytearray)
    first_bytes: int = 0
    next: int = 0

    def add(self, segment: Segment, keep_bytes: int) -> None:
        """In order, once: a repeated segment is left out, a gap is an error where the bytes are still wanted."""
        if len(self.data) >= keep_bytes:
            return
        if segment.number != self.next:
            if (segment.number - self.next & 0xFFFFFFFF) < 1 << 31:
                raise Broken("a gap in the capture")
            return
        self.first_bytes = self.first_bytes or len(segment.data)
        self.data += segment.data[: keep_bytes - len(self.data)]
        self.next = self.next + len(segment.data) & 0xFFFFFFFF


@dataclass
class Flow:
    """One connection; ``port`` is the dialler's, which the system may use again, ``hosts`` dialler's and listener's."""

    port: int = 0
    hosts: tuple[str, str] = ("", "")
    dialler: Direction = field(default_factory=Direction)
    listener: Direction = field(default_factory=Direction)

    def direction(self, outward: bool) -> Direction:
        return self.dialler if outward else self.listener


class Broken(Exception):
    """The capture is not whole, or not what this module reads."""


def flows(path: Path, port: int, keep_bytes: int) -> list[Flow]:
    """The connections to ``port`` in the file, each with the first ``keep_bytes`` of its directions. Raises Broken."""
    every: list[Flow] = []
    open_now: dict[tuple[int, tuple[str, str]], Flow] = {}
    for segment in _segments(path):
        outward = segment.to == port
        key = (segment.port, segment.hosts) if outward else (segment.to, segment.hosts[::-1])
        if segment.flags & _SYN:
            if outward and not segment.flags & _ACK:
                every.append(Flow(*key))
                open_now[key] = every[-1]
            open_now[key].direction(outward).next = segment.number + 1 & 0xFFFFFFFF
        elif segment.data:
            open_now[key].direction(outward).add(segment, keep_bytes)
    return every


@dataclass(frozen=True)
class Segment:
    """TCP from ``port`` to ``to``; ``number`` is the sequence number, ``hosts`` the two addresses."""

    hosts: tuple[str, str]
    port: int
    to: int
    number: int
    flags: int
    data: bytes


def with_random_payload(path: Path, other: Path) -> None:
    """Write a copy in which each TCP payload is as many random bytes: the same lengths, times and ports."""
    with path.open("rb") as source, other.open("wb") as copy:
        copy.write(source.read(_FILE.size))
        while head := source.read(_PACKET.size):
            packet = source.read(_PACKET.unpack(head)[2])
            size = len(_segment(packet).data)
            start = len(packet) - size  # a payload is never so short that Ethernet would pad it, except an empty one
            copy.write(head + packet[:start] + os.urandom(size))


def _segments(path: Path) -> Iterator[Segment]:
    with path.open("rb") as file:
        magic, _, _, _, _, _, link = _FILE.unpack(file.read(_FILE.size))
        if magic != _MICROSECONDS or link != ETHERNET:
            raise Broken(f"a capture file of another kind: {magic:#x}, link type {link}")
        while head := file.read(_PACKET.size):
            _, _, kept, whole = _PACKET.unpack(head)
            packet = file.read(kept)
            if kept != whole or len(packet) != kept:
                raise Broken("a packet that was cut")
            yield _segment(packet)


def _segment(packet: bytes) -> Segment:
    if packet[12:14] != b"\x08\x00" or packet[23] != 6:
        raise Broken("a packet that is not TCP over IPv4")
    total = int.from_bytes(packet[16:18], "big")
    start = 14 + (packet[14] & 15) * 4
    port, to, number = struct.unpack_from(">HHI", packet, start)
    data = packet[start + (packet[start + 12] >> 4) * 4 : 14 + total if total else len(packet)]
    hosts = str(IPv4Address(packet[26:30])), str(IPv4Address(packet[30:34]))
    return Segment(hosts, port, to, number, packet[start + 13], data)
