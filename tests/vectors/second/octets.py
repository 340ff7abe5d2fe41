"""Reading and writing octets: numbers, length-prefixed values, TLVs and id lists (handshake.md section 3.3).

Not for anything that needs a key.
"""
from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

PAD = 0x80
FIRST_OPTIONAL = 0x81


class Refused(Exception):
    """Octets that the specification does not allow; `step` names the check that said no."""

    def __init__(self, step: str, why: str = "") -> None:
        super().__init__(f"{step}: {why}" if why else step)
        self.step = step


def require(holds: bool, step: str, why: str = "") -> None:
    """Refuse at `step` unless it holds."""
    if not holds:
        raise Refused(step, why)


def u(width: int, number: int) -> bytes:
    """A big-endian unsigned number of `width` octets."""
    return number.to_bytes(width, "big")


def lp(value: bytes) -> bytes:
    """The value behind its length as u32."""
    return u(4, len(value)) + value


def tlv(kind: int, value: bytes) -> bytes:
    """One TLV: u8 type, u24 length, value."""
    return u(1, kind) + u(3, len(value)) + value


class Reader:
    """Takes values off the front of some octets; too few left is a refusal at `step`."""

    def __init__(self, data: bytes, step: str) -> None:
        self.data = data
        self.at = 0
        self.step = step

    @property
    def left(self) -> int:
        """How many octets were not taken yet."""
        return len(self.data) - self.at

    def take(self, length: int) -> bytes:
        """The next `length` octets."""
        require(length <= self.left, self.step, f"{length} octets wanted, {self.left} left")
        self.at += length
        return self.data[self.at - length:self.at]

    def u(self, width: int) -> int:
        """The next number of `width` octets."""
        return int.from_bytes(self.take(width), "big")

    def lp(self) -> bytes:
        """The next length-prefixed value."""
        return self.take(self.u(4))

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)

    def end(self) -> None:
        """Refuse octets left over."""
        require(self.left == 0, self.step, f"{self.left} octets left over")


@dataclass
class Fields:
    """The TLVs of one body: values by type, the optional ones whole and in their order, PAD if there was one."""

    values: dict[int, bytes] = field(default_factory=dict)
    optional: bytes = b""
    pad: bytes | None = None

    def __getitem__(self, kind: int) -> bytes:
        return self.values[kind]

    def __contains__(self, kind: int) -> bool:
        return kind in self.values


def read_tlvs(body: bytes, step: str, *allowed: Collection[int]) -> Fields:
    """The TLVs of a handshake body that must have exactly the types below 0x80 of one of the sets."""
    reader, fields, last = Reader(body, step), Fields(), -1
    while reader.left:
        require(fields.pad is None, step, "something stands behind PAD")
        kind = reader.u(1)
        value = reader.take(reader.u(3))
        if kind == PAD:
            fields.pad = value
        elif kind >= FIRST_OPTIONAL:
            require(kind >= last, step, "optional types descend")
            fields.optional += tlv(kind, value)
            last = kind
        else:
            require(kind > last, step, f"type {kind:#x} twice or out of order")
            fields.values[kind] = value
            last = kind
    require(any(set(fields.values) == set(types) for types in allowed), step, f"types {sorted(fields.values)}")
    return fields


def read_ids(value: bytes, step: str, *, width: int = 2, most: int = 32) -> list[int]:
    """A list of ids of `width` octets, 1 to `most`, none twice."""
    require(len(value) % width == 0 and width <= len(value) <= width * most, step, f"a list of {len(value)} octets")
    ids = [int.from_bytes(value[at:at + width], "big") for at in range(0, len(value), width)]
    require(len(set(ids)) == len(ids), step, "an id twice")
    return ids
