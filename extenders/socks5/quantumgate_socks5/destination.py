"""A host and a port, and how SOCKS 5 and our own wire spell them (RFC 1928, section 5).

Not for: looking names up, or deciding where one may go (``policy.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

IPV4, NAME, IPV6 = 1, 3, 4
NAME_BYTES = 255
ENCODED_BYTES = (5, 4 + NAME_BYTES)
"""The shortest and the longest spelling: a name of one byte, one of 255."""

_NAME = re.compile(rb"[\x21-\x7e]{1,255}")
Address = IPv4Address | IPv6Address


class BadAddress(ValueError):
    """Bytes that spell no destination. ``unknown_type``: the first byte names no known kind of address."""

    def __init__(self, why: str, unknown_type: bool = False) -> None:
        super().__init__(why)
        self.unknown_type = unknown_type


@dataclass(frozen=True, slots=True)
class Destination:
    """``host`` is an address, or a name as the program wrote it; ``port`` 0 to 65535."""

    host: Address | str
    port: int

    def encode(self) -> bytes:
        """Kind, address, port."""
        host, port = self.host, self.port.to_bytes(2)
        if isinstance(host, str):
            name = host.encode("ascii")
            return bytes((NAME, len(name))) + name + port
        return bytes((IPV4 if host.version == 4 else IPV6,)) + host.packed + port


NOWHERE = Destination(IPv4Address(0), 0)


def name_of(raw: bytes) -> str:
    """A host name: 1 to 255 printable ASCII characters without spaces. Raises BadAddress."""
    if not _NAME.fullmatch(raw):
        raise BadAddress("a name has 1 to 255 printable ASCII characters")
    return raw.decode("ascii")


def parse(data: bytes | bytearray, at: int = 0) -> tuple[Destination, int] | None:
    """The destination that begins at ``at``, and where it ends; None while bytes are missing. Raises BadAddress."""
    if len(data) <= at:
        return None
    kind = data[at]
    if kind == NAME:
        return _parse_name(data, at + 1)
    size = {IPV4: 4, IPV6: 16}.get(kind)
    if size is None:
        raise BadAddress(f"address type {kind}", unknown_type=True)
    end = at + 1 + size
    if len(data) < end + 2:
        return None
    packed = bytes(data[at + 1 : end])
    host = IPv4Address(packed) if kind == IPV4 else IPv6Address(packed)
    return Destination(host, int.from_bytes(data[end : end + 2])), end + 2


def _parse_name(data: bytes | bytearray, at: int) -> tuple[Destination, int] | None:
    if len(data) <= at:
        return None
    end = at + 1 + data[at]
    if end == at + 1:
        raise BadAddress("an empty name")
    if len(data) < end + 2:
        return None
    name = name_of(bytes(data[at + 1 : end]))
    return Destination(name, int.from_bytes(data[end : end + 2])), end + 2


def parse_whole(data: bytes, at: int = 0) -> Destination:
    """As ``parse`` of bytes that hold the destination and nothing after it. Raises BadAddress."""
    found = parse(data, at)
    if found is None or found[1] != len(data):
        raise BadAddress("an address that is cut, or followed by more")
    return found[0]
