"""What is said to a router for a port that leads here: PCP (RFC 6887, MAP and ANNOUNCE) and NAT-PMP (RFC 6886).

TCP over IPv4 alone. An answer is whatever a neighbour on the cable can forge, so it is read here and nowhere else, and
means nothing by itself. Not for: whom to ask, how often, or what is believed (``net/pcp.py``, ``node/mapping.py``).
Spec: docs/spec/discovery.md section 7.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from quantumgate.errors import MalformedError
from quantumgate.wire.limits import MAP_ANSWER_BYTES

ROUTER_PORT = 5351
NONCE_BYTES = 12
NAT_PMP, PCP = 0, 2
"""Their versions: the first octet of every datagram."""

DONE, WRONG_VERSION, WRONG_OPCODE = 0, 1, 4
"""Results that both have, but for the last: 5 in NAT-PMP."""

_ANNOUNCE, _MAP = 0, 1
_ADDRESS, _MAP_TCP = 0, 2
_ANSWER = 0x80
_TCP = 6
_PCP_ASK = struct.Struct(">BBxxI16s")
_PCP_ANSWER = struct.Struct(">BBxBII12x")
_PCP_MAP = struct.Struct(">12sB3xHH16s")
_PMP_MAP_ASK = struct.Struct(">BBxxHHI")
_PMP_HEAD = struct.Struct(">BBHI")
_PMP_MAP = struct.Struct(">HHI")
_ANY = IPv6Address("::ffff:0:0").packed


@dataclass(frozen=True, slots=True)
class MapAsk:
    """Lead ``external`` of the router (0 = any) to ``port`` here, for so long; 0 seconds = not any more."""

    port: int
    external: int
    lease_seconds: int

    def nat_pmp(self) -> bytes:
        """12 octets."""
        return _PMP_MAP_ASK.pack(NAT_PMP, _MAP_TCP, self.port, self.external, self.lease_seconds)

    def pcp(self, own: str, nonce: bytes) -> bytes:
        """60 octets. ``own``: the IPv4 address that the datagram leaves from; ``nonce``: 12 octets of this map."""
        head = _PCP_ASK.pack(PCP, _MAP, self.lease_seconds, _mapped(own))
        return head + _PCP_MAP.pack(nonce, _TCP, self.port, self.external, _ANY)


@dataclass(frozen=True, slots=True)
class RouterAnswer:
    """``result`` 0 = done. ``epoch_seconds``: for how long the router remembers what it gave. ``address``: its own
    outside, as it says, "" where it says none. The rest is that of a map; ``nonce`` is empty in NAT-PMP."""

    result: int
    epoch_seconds: int
    port: int = 0
    external: int = 0
    lease_seconds: int = 0
    address: str = ""
    nonce: bytes = b""


def pcp_announce(own: str) -> bytes:
    """Are you there, and since when? 24 octets."""
    return _PCP_ASK.pack(PCP, _ANNOUNCE, 0, _mapped(own))


def nat_pmp_address() -> bytes:
    """The same in NAT-PMP, and which address do you have outside? 2 octets."""
    return bytes((NAT_PMP, _ADDRESS))


def read_pcp_announce(data: bytes) -> RouterAnswer:
    """Raises MalformedError. A router that does not know this question says so in an answer of the same form."""
    result, epoch_seconds, _ = _pcp_head(data, _ANNOUNCE)
    return RouterAnswer(result, epoch_seconds)


def read_pcp_map(data: bytes) -> RouterAnswer:
    """Raises MalformedError. Options, which nobody asked for, are not read."""
    result, epoch_seconds, lease_seconds = _pcp_head(data, _MAP)
    if len(data) < _PCP_ANSWER.size + _PCP_MAP.size:
        raise MalformedError(f"an answer about a map of {len(data)} bytes")
    nonce, protocol, port, external, outside = _PCP_MAP.unpack_from(data, _PCP_ANSWER.size)
    address = IPv6Address(outside).ipv4_mapped
    if protocol != _TCP:
        raise MalformedError(f"an answer about protocol {protocol}")
    if result:
        return RouterAnswer(result, epoch_seconds, port=port, nonce=nonce)
    if address is None or (lease_seconds and not external):
        raise MalformedError("a map to nowhere")
    return RouterAnswer(result, epoch_seconds, port, external, lease_seconds, _address(address), nonce)


def _pcp_head(data: bytes, opcode: int) -> tuple[int, int, int]:
    """Result, epoch, lease."""
    if not _PCP_ANSWER.size <= len(data) <= MAP_ANSWER_BYTES or len(data) % 4:
        raise MalformedError(f"an answer of {len(data)} bytes")
    version, kind, result, lease_seconds, epoch_seconds = _PCP_ANSWER.unpack_from(data)
    if version != PCP or kind != opcode | _ANSWER:
        raise MalformedError(f"an answer of version {version}, kind {kind}")
    return result, epoch_seconds, lease_seconds


def says_nat_pmp(data: bytes) -> bool:
    """Whether this is how a router that knows nothing newer than NAT-PMP answers PCP."""
    if not _PMP_HEAD.size <= len(data) <= _PMP_HEAD.size + _PMP_MAP.size:
        return False
    version, kind, result, _ = _PMP_HEAD.unpack_from(data)
    return version == NAT_PMP and bool(kind & _ANSWER) and result == WRONG_VERSION


def read_nat_pmp_address(data: bytes) -> RouterAnswer:
    """Raises MalformedError."""
    result, epoch_seconds = _pmp_head(data, _ADDRESS, 4)
    if result:
        return RouterAnswer(result, epoch_seconds)
    return RouterAnswer(result, epoch_seconds, address=_address(IPv4Address(data[_PMP_HEAD.size :])))


def read_nat_pmp_map(data: bytes) -> RouterAnswer:
    """Raises MalformedError."""
    result, epoch_seconds = _pmp_head(data, _MAP_TCP, _PMP_MAP.size)
    if result:
        return RouterAnswer(result, epoch_seconds)
    port, external, lease_seconds = _PMP_MAP.unpack_from(data, _PMP_HEAD.size)
    if lease_seconds and not external:
        raise MalformedError("a map to nowhere")
    return RouterAnswer(result, epoch_seconds, port, external, lease_seconds)


def _pmp_head(data: bytes, opcode: int, more: int) -> tuple[int, int]:
    """Result and epoch; ``more`` octets follow. One that refuses may leave them away."""
    whole = _PMP_HEAD.size + more
    if not _PMP_HEAD.size <= len(data) <= whole:
        raise MalformedError(f"an answer of {len(data)} bytes")
    version, kind, result, epoch_seconds = _PMP_HEAD.unpack_from(data)
    if version != NAT_PMP or kind != opcode | _ANSWER or (len(data) != whole and not result):
        raise MalformedError(f"an answer of version {version}, kind {kind}, {len(data)} bytes")
    return result, epoch_seconds


def _mapped(address: str) -> bytes:
    return IPv6Address(f"::ffff:{IPv4Address(address)}").packed


def _address(address: IPv4Address) -> str:
    return "" if address.is_unspecified else str(address)
