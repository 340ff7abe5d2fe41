"""RESERVE and RESERVED: a node that cannot be dialled asks to be reached through another. Spec: docs/spec/relays.md, 7.

Not for: what the key proves or who may reserve (``core/relay/reservations.py``).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from quantumgate.errors import MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import RENDEZVOUS_KEY_BYTES
from quantumgate.wire.link_frames import RelayTerms

_HEAD = struct.Struct(">QQQI")
SIGNATURE_BYTES_MAX = 4741
"""The longest signature of any kind of identity."""


def decode_reserve(data: bytes) -> bytes:
    """The rendezvous key in RESERVE. Raises MalformedError."""
    if len(data) != RENDEZVOUS_KEY_BYTES:
        raise MalformedError(f"RESERVE of {len(data)} bytes")
    return bytes(data)


@dataclass(frozen=True, slots=True)
class Grant:
    """The data of RESERVED. ``expiry_seconds``: unix time, 0 = refused, and then nothing else counts."""

    expiry_seconds: int
    terms: RelayTerms = field(default_factory=RelayTerms)
    signature: bytes = b""

    def encode(self) -> bytes:
        """Expiry, limits, the voucher's signature."""
        return self.signed_part() + self.signature

    def signed_part(self) -> bytes:
        """Expiry and limits."""
        return self.expiry_seconds.to_bytes(8, "big") + self.terms.encode()

    @classmethod
    def decode(cls, data: bytes) -> Grant:
        """Raises MalformedError."""
        if not _HEAD.size <= len(data) <= _HEAD.size + SIGNATURE_BYTES_MAX:
            raise MalformedError(f"RESERVED of {len(data)} bytes")
        expiry, rate, volume, seconds = _HEAD.unpack_from(data)
        grant = cls(expiry, RelayTerms(rate, volume, seconds), bytes(data[_HEAD.size :]))
        if bool(grant.expiry_seconds) != bool(grant.signature) or (not expiry and (rate or volume or seconds)):
            raise MalformedError("RESERVED that neither grants nor refuses")
        return grant


def voucher_content(anchor: PeerUUID, client: PeerUUID, grant: Grant) -> bytes:
    """What an anchor signs as ``voucher``: both names, expiry and limits."""
    return anchor.bytes + client.bytes + grant.signed_part()
