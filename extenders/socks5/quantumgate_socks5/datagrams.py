"""Datagrams of a UDP association: their SOCKS header (RFC 1928, section 7), and a queue that drops the oldest.

Not for: sockets (``nearudp.py``, ``farudp.py``).
"""

from __future__ import annotations

from collections import deque

from .destination import BadAddress, Destination, parse


class BadDatagram(ValueError):
    """A datagram without a sound SOCKS header, or a fragment."""


def unwrap(data: bytes) -> tuple[Destination, bytes]:
    """What a program sent to us: where it shall go, and its payload. Fragments are refused, as RFC 1928 allows."""
    if len(data) < 4 or data[:2] != b"\0\0":
        raise BadDatagram("no SOCKS header")
    if data[2]:
        raise BadDatagram("a fragment")
    return split(data[3:])


def wrap(source: Destination, payload: bytes) -> bytes:
    """What a program gets from us."""
    return b"\0\0\0" + source.encode() + payload


def split(data: bytes) -> tuple[Destination, bytes]:
    """Address and payload, as they stand in SOCKS datagrams and in our DATAGRAM frames."""
    try:
        found = parse(data)
    except BadAddress as error:
        raise BadDatagram(str(error)) from None
    if found is None:
        raise BadDatagram("an address that is cut")
    return found[0], data[found[1] :]


WAITING_MOST = 4096
"""Datagrams in one queue, however small: each costs some fifty bytes beside its own."""


class DatagramQueue:
    """Datagrams that wait for room. Over ``most_bytes`` the oldest go: late datagrams are worth less than new ones."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._waiting: deque[bytes] = deque()
        self.held_bytes = self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, datagram: bytes) -> None:
        """One more; what it displaces is counted in ``dropped``."""
        self._waiting.append(datagram)
        self.held_bytes += len(datagram)
        while self._waiting and (self.held_bytes > self._most_bytes or len(self._waiting) > WAITING_MOST):
            self.take()
            self.dropped += 1

    def take(self) -> bytes:
        """The oldest. IndexError where there is none."""
        datagram = self._waiting.popleft()
        self.held_bytes -= len(datagram)
        return datagram
