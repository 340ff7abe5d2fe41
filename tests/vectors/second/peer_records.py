"""Signed peer records, and targets of LINK_CREATE that hold one (peer-records.md; relays.md section 2).

Not for how records travel, or what a relay makes of a target: no page here asks a receiver that has only octets.
"""
from __future__ import annotations

import ipaddress
import string
from dataclasses import dataclass, field
from itertools import pairwise

from .crypto import sha512
from .identity import RECORDS, check_bundle, check_delegation, uuid_of, verify
from .octets import Reader, Refused, require, u

MALFORMED, WRONG_NETWORK, WRONG_LIFE, WRONG_TIME = "malformed", "network", "life", "time"
EXACT = {0x01: 32, 0x04: 8, 0x05: 8, 0x06: 2, 0x09: 32}
DELEGATION = 0x03
ALWAYS = {0x01, 0x02, 0x04, 0x05, 0x06}
SOMETIMES = {DELEGATION, 0x07, 0x08, 0x09, 0x0A, 0x0B}
SLACK_SECONDS, LIFE_SECONDS, RELAY_LIFE_SECONDS = 600, 86_400, 21_600
NAME_LETTERS = frozenset(string.ascii_letters + string.digits + "-_.")
Place = tuple[str, int]


@dataclass(frozen=True)
class Via:
    """One anchor."""

    uuid: bytes
    fingerprint: bytes
    voucher: bytes


@dataclass(frozen=True)
class Record:
    """What a record says, and under what."""

    network: bytes
    bundle: bytes
    seq_ms: int
    not_after_s: int
    capabilities: int
    body: bytes
    signature: bytes
    endpoints: tuple[Place, ...] = ()
    via: tuple[Via, ...] = ()
    rendezvous: bytes = b""
    family: str = ""
    extenders: tuple[bytes, ...] = ()
    delegation: bytes = b""

    @property
    def relays(self) -> bool:
        """Bit 0 of CAPABILITIES."""
        return self.capabilities & 1 != 0


@dataclass(frozen=True)
class Target:
    """Of LINK_CREATE: one of the three is there."""

    uuid: bytes
    endpoints: tuple[Place, ...] = ()
    record: bytes = b""
    proof: bytes = field(default=b"", repr=False)


def network_of(network_id: bytes) -> bytes:
    """The value of NETWORK."""
    return sha512(b"QuantumGate/1 net" + u(4, len(network_id)) + network_id)[:32]


def read_record(octets: bytes) -> Record:
    """Section 2: one spelling, or refused."""
    require(0 < len(octets) <= 16_384, MALFORMED, "size")
    require(octets[0] == 1, MALFORMED, "format")
    reader, values, last, body, signature = Reader(octets, MALFORMED), dict[int, bytes](), 0, b"", b""
    reader.u(1)
    while reader.left:
        start = reader.at
        kind = reader.u(1)
        value = reader.take(reader.u(3))
        require(kind > last, MALFORMED, f"type {kind:#x} out of order or twice")
        require(kind >= 0x80 or kind in ALWAYS | SOMETIMES, MALFORMED, f"type {kind:#x} unknown")
        require(EXACT.get(kind, len(value)) == len(value), MALFORMED, f"type {kind:#x}: length")
        require(value != b"" or 0x80 <= kind < 0xFF, MALFORMED, f"type {kind:#x} empty")
        last = kind
        if kind == 0xFF:
            body, signature = octets[:start], value
        values[kind] = value
    require(bool(signature), MALFORMED, "no signature")
    require(set(values) >= ALWAYS, MALFORMED, "a part is missing")
    return _record(values, body, signature)


def _record(values: dict[int, bytes], body: bytes, signature: bytes) -> Record:
    return Record(
        values[0x01], values[0x02], int.from_bytes(values[0x04], "big"), int.from_bytes(values[0x05], "big"),
        int.from_bytes(values[0x06], "big"), body, signature, _endpoints(values.get(0x07, b"")),
        _anchors(values.get(0x08, b"")), values.get(0x09, b""), _family(values.get(0x0A, b"")),
        _hashes(values.get(0x0B, b"")), values.get(DELEGATION, b""),
    )


def judge(octets: bytes, network: bytes, now_ms: int) -> Record:
    """Section 4: the record, or refused at one of its steps."""
    record = read_record(octets)
    kind = check_bundle(record.bundle)
    most = 2048 if kind in (1, 3) else 16_384 if record.delegation else 8192
    require(len(octets) <= most, MALFORMED, "too large for its kind")
    require(record.network == network, WRONG_NETWORK)
    life_ms = record.not_after_s * 1000 - record.seq_ms
    most_s = RELAY_LIFE_SECONDS if record.relays else LIFE_SECONDS
    require(0 < life_ms <= most_s * 1000, WRONG_LIFE)
    require(record.seq_ms <= now_ms + SLACK_SECONDS * 1000, WRONG_TIME, "from the future")
    require(record.not_after_s * 1000 + SLACK_SECONDS * 1000 >= now_ms, WRONG_TIME, "over")
    signer = record.bundle
    if record.delegation:
        found = check_delegation(record.delegation, record.bundle, RECORDS, now_ms)
        require(record.not_after_s <= found.not_after, WRONG_LIFE, "outlives its delegation")
        signer = found.online
    verify(signer, "peer record", sha512(record.body), record.signature, "signature")
    return record


def runs(record: Record, extender: bytes) -> bool:
    """Section 1: whether one of its hashes is of this extender, 16 octets."""
    names = u(4, len(record.network)) + record.network + uuid_of(record.bundle) + extender
    return sha512(b"QuantumGate/1 extender" + names)[:16] in record.extenders


def _endpoints(value: bytes) -> tuple[Place, ...]:
    reader = Reader(value, MALFORMED)
    found: list[Place] = []
    while reader.left:
        as_name = value[reader.at] == 1
        place = read_place(reader)
        require(not (as_name and is_address(place[0])), MALFORMED, "an address spelt as a name")
        require(place[1] != 0, MALFORMED, "port 0")
        require(place not in found, MALFORMED, "an endpoint twice")
        found.append(place)
    require(len(found) <= 8, MALFORMED, "too many endpoints")
    return tuple(found)


def read_place(reader: Reader) -> Place:
    """One endpoint."""
    kind = reader.u(1)
    if kind == 4:
        host = str(ipaddress.IPv4Address(reader.take(4)))
    elif kind == 6:
        host = str(ipaddress.IPv6Address(reader.take(16)))
    elif kind == 1:
        length = reader.u(1)
        require(1 <= length <= 253, MALFORMED, "length of a name")
        host = reader.take(length).decode("latin-1")
        require(NAME_LETTERS.issuperset(host), MALFORMED, "letters of a name")
    else:
        raise Refused(MALFORMED, f"an endpoint of kind {kind}")
    return host, reader.u(2)


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _anchors(value: bytes) -> tuple[Via, ...]:
    reader = Reader(value, MALFORMED)
    found: list[Via] = []
    while reader.left:
        via = Via(reader.take(16), reader.take(32), reader.take(reader.u(2)))
        _require_peer(via.uuid)
        require(all(via.uuid != one.uuid for one in found), MALFORMED, "an anchor twice")
        found.append(via)
    require(len(found) <= 3, MALFORMED, "too many anchors")
    return tuple(found)


def _require_peer(uuid: bytes) -> None:
    require(uuid[6] >> 4 == 8 and uuid[8] >> 6 == 2, MALFORMED, "not a peer's UUID")


def _family(value: bytes) -> str:
    require(len(value) <= 64, MALFORMED, "family: length")
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise Refused(MALFORMED, "family: not UTF-8") from error
    require(text.isprintable(), MALFORMED, "family: not printable")
    return text


def _hashes(value: bytes) -> tuple[bytes, ...]:
    require(len(value) % 16 == 0 and len(value) <= 16 * 16, MALFORMED, "extenders: length")
    found = tuple(value[at:at + 16] for at in range(0, len(value), 16))
    require(all(one < other for one, other in pairwise(found)), MALFORMED, "extenders: order")
    return found


# relays.md 7 ------------------------------------------------------------------------------------


def check_voucher(voucher: bytes, anchor_bundle: bytes, peer: bytes) -> int:
    """When the reservation of a peer at an anchor ends, unix seconds; refused where the anchor has not signed it."""
    reader = Reader(voucher, "voucher")
    first = reader.take(28)
    content = uuid_of(anchor_bundle) + peer + first
    verify(anchor_bundle, "voucher", sha512(content), reader.rest(), "voucher")
    return int.from_bytes(first[:8], "big")


# relays.md 2 ------------------------------------------------------------------------------------


def read_target(octets: bytes) -> Target:
    """The payload of LINK_CREATE."""
    reader = Reader(octets, MALFORMED)
    form, uuid = reader.u(1), reader.take(16)
    _require_peer(uuid)
    if form == 2:
        require(1 <= reader.left <= 16_384, MALFORMED, "a record's size")
        return Target(uuid, record=reader.rest())
    if form == 3:
        require(reader.left == 64, MALFORMED, "a proof's size")
        return Target(uuid, proof=reader.rest())
    require(form == 1, MALFORMED, f"form {form}")
    places: list[Place] = []
    while reader.left:
        places.append(read_place(reader))
    require(1 <= len(places) <= 8, MALFORMED, "endpoints")
    return Target(uuid, endpoints=tuple(places))


def check_target(target: Target, network: bytes, now_ms: int) -> Record:
    """Section 5: the record of a target of form 2, which has to be that peer's."""
    record = judge(target.record, network, now_ms)
    require(uuid_of(record.bundle) == target.uuid, "another peer")
    return record
