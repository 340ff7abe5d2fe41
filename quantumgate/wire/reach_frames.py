"""REACH_ASK, REACH_ANSWER and PLACES: where others see this node, and where it can be dialled.

Spec: docs/spec/discovery.md section 7. Not for: what is believed (``core/discovery/reach.py``), or dialling back
(``node/reach.py``).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from quantumgate.errors import MalformedError
from quantumgate.wire.limits import PLACES_MAX
from quantumgate.wire.link_frames import LinkEndpoint, read_endpoint

REACH_ASK = 0x58
REACH_ANSWER = 0x59
PLACES = 0x5A

SEEN, REACHED, NOT_REACHED, REFUSED = range(4)
"""What an answer says besides where its sender sees us: nothing more was asked; whether a dial back came through."""

_ASK = struct.Struct(">H")
_ANSWER = struct.Struct(">BH")


def encode_ask(port: int) -> bytes:
    """Tell me where you see me; and, unless ``port`` is 0, dial me there at this port."""
    return _ASK.pack(port)


def decode_ask(data: bytes) -> int:
    """Raises MalformedError."""
    if len(data) != _ASK.size:
        raise MalformedError(f"REACH_ASK of {len(data)} bytes")
    return int.from_bytes(data, "big")


@dataclass(frozen=True, slots=True)
class ReachAnswer:
    """``port`` as it was asked for; ``seen``: the IP address and port that the asker's own packets come from."""

    code: int
    port: int
    seen: LinkEndpoint

    def encode(self) -> bytes:
        """Code, port, where the asker is seen."""
        return _ANSWER.pack(self.code, self.port) + self.seen.encode()

    @classmethod
    def decode(cls, data: bytes) -> ReachAnswer:
        """Raises MalformedError."""
        if len(data) <= _ANSWER.size or data[0] > REFUSED:
            raise MalformedError(f"REACH_ANSWER of {len(data)} bytes, code {data[:1].hex()}")
        code, port = _ANSWER.unpack_from(data)
        (seen,) = _places(data[_ANSWER.size :], 1)
        return cls(code, port, seen)


def encode_places(places: tuple[LinkEndpoint, ...]) -> bytes:
    """The data of PLACES: at most eight; none = the sender cannot be dialled."""
    return b"".join(place.encode() for place in places)


def decode_places(data: bytes) -> tuple[LinkEndpoint, ...]:
    """Raises MalformedError."""
    return _places(data, PLACES_MAX)


def _places(data: bytes, most: int) -> tuple[LinkEndpoint, ...]:
    """IP addresses only: nobody is made to look up a name."""
    found: list[LinkEndpoint] = []
    at = 0
    while at < len(data):
        place, at = read_endpoint(data, at)
        if len(found) == most or place.is_name:
            raise MalformedError("a list of places that is too long, or has a name in it")
        found.append(place)
    return tuple(found)
