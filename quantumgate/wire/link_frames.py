"""Frames of links: the pieces of a relayed path. Spec: docs/spec/relays.md, sections 2 and 3.

LINK_CREATE names the target, LINK_STATUS answers, LINK_DATA carries, LINK_WINDOW gives credit, LINK_CLOSE ends;
LINK_INCOMING brings a link to its target. Not for: what a relay allows (``core/relay``).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from uuid import UUID

from quantumgate.errors import MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import LINK_ENDPOINTS_MAX, LINK_NAME_BYTES, PEER_RECORD_DELEGATED_BYTES

LINK_CREATE = 0x40
LINK_STATUS = 0x41
LINK_DATA = 0x42
LINK_WINDOW = 0x43
LINK_CLOSE = 0x44
LINK_INCOMING = 0x47
LINK_TYPES = frozenset({LINK_CREATE, LINK_STATUS, LINK_DATA, LINK_WINDOW, LINK_CLOSE, LINK_INCOMING})

BY_ENDPOINTS = 1
"""Form of a target: UUID and where to dial it."""

BY_RECORD = 2
"""Form of a target: UUID, and the signed record of that peer, which says where to dial it."""

BY_RESERVATION = 3
"""Form of a target: UUID, and the proof that one may reach it through the node that is asked."""

PROOF_BYTES = 64

PEER_UUID_VERSION = 8
_IPV4, _IPV6, _NAME = 4, 6, 1
_NAME_LETTERS = frozenset(b"-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_PORT = struct.Struct(">H")
_LIMITS = struct.Struct(">QQI")


@dataclass(frozen=True, slots=True)
class LinkEndpoint:
    """One place to dial: an IP address in its usual text, or a host name of ASCII letters, and a port."""

    host: str
    port: int

    def encode(self) -> bytes:
        """Kind, address, port. Raises ValueError for a name that cannot be sent."""
        port = _PORT.pack(self.port)
        try:
            address = ip_address(self.host)
        except ValueError:
            name = self.host.encode("ascii")
            if not 0 < len(name) <= LINK_NAME_BYTES or not _NAME_LETTERS.issuperset(name):
                raise ValueError(f"no host name that can be sent: {self.host!r}") from None
            return bytes((_NAME, len(name))) + name + port
        return bytes((_IPV4 if address.version == 4 else _IPV6,)) + address.packed + port

    @property
    def is_name(self) -> bool:
        """Whether the relay has to look it up."""
        try:
            ip_address(self.host)
        except ValueError:
            return True
        return False


@dataclass(frozen=True, slots=True)
class LinkTarget:
    """The data of LINK_CREATE: whom the link is to reach, and where; with a ``proof``, that it has reserved.

    ``record`` is a peer's signed record as it travels: neither read nor verified here (``core/peer_records.py``).
    """

    uuid: PeerUUID
    endpoints: tuple[LinkEndpoint, ...] = ()
    proof: bytes = field(default=b"", repr=False)
    record: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """Form, UUID, then endpoints, the record or the proof."""
        if self.proof:
            return bytes((BY_RESERVATION,)) + self.uuid.bytes + self.proof
        if self.record:
            return bytes((BY_RECORD,)) + self.uuid.bytes + self.record
        return bytes((BY_ENDPOINTS,)) + self.uuid.bytes + b"".join(one.encode() for one in self.endpoints)

    @classmethod
    def decode(cls, data: bytes) -> LinkTarget:
        """Raises MalformedError."""
        if len(data) < 17 or data[0] not in (BY_ENDPOINTS, BY_RECORD, BY_RESERVATION):
            raise MalformedError(f"LINK_CREATE of {len(data)} bytes, form {data[:1].hex()}")
        uuid = UUID(bytes=data[1:17])
        if uuid.version != PEER_UUID_VERSION:
            raise MalformedError("LINK_CREATE for what is no peer's UUID")
        if data[0] == BY_RESERVATION:
            if len(data) != 17 + PROOF_BYTES:
                raise MalformedError(f"LINK_CREATE with a proof of {len(data) - 17} bytes")
            return cls(PeerUUID(uuid), proof=data[17:])
        if data[0] == BY_RECORD:
            if not 17 < len(data) <= 17 + PEER_RECORD_DELEGATED_BYTES:
                raise MalformedError(f"LINK_CREATE with a record of {len(data) - 17} bytes")
            return cls(PeerUUID(uuid), record=data[17:])
        return cls(PeerUUID(uuid), cls._endpoints(data))

    @staticmethod
    def _endpoints(data: bytes) -> tuple[LinkEndpoint, ...]:
        endpoints: list[LinkEndpoint] = []
        at = 17
        while at < len(data):
            if len(endpoints) == LINK_ENDPOINTS_MAX:
                raise MalformedError("too many endpoints in LINK_CREATE")
            endpoint, at = read_endpoint(data, at)
            endpoints.append(endpoint)
        if not endpoints:
            raise MalformedError("LINK_CREATE without an endpoint")
        return tuple(endpoints)


def read_endpoint(data: bytes, at: int) -> tuple[LinkEndpoint, int]:
    """The endpoint that begins at ``at`` and where it ends. Raises MalformedError."""
    kind = data[at]
    start = at + 1
    if kind == _NAME:
        if start >= len(data):
            raise MalformedError("a torn endpoint")
        size, start = data[start], start + 1
        if not 0 < size <= LINK_NAME_BYTES:
            raise MalformedError(f"a host name of {size} bytes")
    elif kind in (_IPV4, _IPV6):
        size = 4 if kind == _IPV4 else 16
    else:
        raise MalformedError(f"an endpoint of kind {kind}")
    end = start + size
    if end + _PORT.size > len(data):
        raise MalformedError("a torn endpoint")
    return LinkEndpoint(_host(kind, data[start:end]), _PORT.unpack_from(data, end)[0]), end + _PORT.size


def _host(kind: int, raw: bytes) -> str:
    if kind == _IPV4:
        return str(IPv4Address(raw))
    if kind == _IPV6:
        return str(IPv6Address(raw))
    if not _NAME_LETTERS.issuperset(raw):
        raise MalformedError("a host name with other characters than letters, digits, '-', '_' and '.'")
    return raw.decode("ascii")


@dataclass(frozen=True, slots=True)
class RelayTerms:
    """What LINK_STATUS 1 tells of a relay's limits. 0 = a fair share, no cap, no end."""

    rate_bytes_per_second: int = 0
    volume_bytes: int = 0
    lifetime_seconds: int = 0

    def encode(self) -> bytes:
        return _LIMITS.pack(self.rate_bytes_per_second, self.volume_bytes, self.lifetime_seconds)


def encode_status(code: int, terms: RelayTerms | None = None) -> bytes:
    """The data of LINK_STATUS; the terms go with code 1 only."""
    return bytes((code,)) + (terms or RelayTerms()).encode() if code == 1 else bytes((code,))


def decode_status(data: bytes) -> tuple[int, RelayTerms | None]:
    """Raises MalformedError."""
    if data[:1] == b"\x01" and len(data) == 1 + _LIMITS.size:
        return 1, RelayTerms(*_LIMITS.unpack_from(data, 1))
    if len(data) != 1 or data == b"\x01":
        raise MalformedError(f"LINK_STATUS of {len(data)} bytes")
    return data[0], None


def decode_close(data: bytes) -> int:
    """The code of LINK_CLOSE. Raises MalformedError."""
    if len(data) != 1:
        raise MalformedError(f"LINK_CLOSE of {len(data)} bytes")
    return data[0]
