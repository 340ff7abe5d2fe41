"""Spelling integers, length-prefixed strings and TLVs.

Not for: checking what a peer sent (``reader.py``). Too large a value is our own mistake and raises OverflowError.
Spec: docs/spec/handshake.md section 1 (conventions).
"""

from __future__ import annotations

from collections.abc import Iterable


def u8(value: int) -> bytes:
    """One octet."""
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Two octets, big-endian."""
    return value.to_bytes(2, "big")


def u24(value: int) -> bytes:
    """Three octets, big-endian."""
    return value.to_bytes(3, "big")


def u32(value: int) -> bytes:
    """Four octets, big-endian."""
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    """Eight octets, big-endian."""
    return value.to_bytes(8, "big")


def u16_list(values: Iterable[int]) -> bytes:
    """Each value in two octets, nothing between and no count in front."""
    return b"".join([value.to_bytes(2, "big") for value in values])


def lp(data: bytes) -> bytes:
    """u32 length, then the bytes: what hashes and key derivation take, so that two fields never run together."""
    return len(data).to_bytes(4, "big") + data


def tlv(kind: int, value: bytes) -> bytes:
    """u8 type, u24 length, value."""
    return b"%c%b%b" % (kind, len(value).to_bytes(3, "big"), value)
