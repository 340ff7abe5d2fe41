"""REKEY_REQ and REKEY_RSP: how their payloads are spelled. Spec: docs/spec/rekey.md, section 2.

REKEY_REQ = ``u64 epoch, u16 primary, u16 secondary, lp(share), lp(key)`` then ``lp(signature)``;
REKEY_RSP = ``u64 epoch, lp(share), lp(ciphertext)`` then ``lp(signature)``. The signature covers what stands before it.
Not for: when they are legal and what they do (``core/rekey.py``).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from quantumgate.errors import MalformedError
from quantumgate.wire.writer import lp

_HEAD = struct.Struct(">QHH")
_EPOCH = struct.Struct(">Q")
_LENGTH = struct.Struct(">I")


def _take(data: bytes, at: int) -> tuple[bytes, int]:
    if at + _LENGTH.size > len(data):
        raise MalformedError("a re-key message ends too early")
    start = at + _LENGTH.size
    end = start + int(_LENGTH.unpack_from(data, at)[0])
    if end > len(data):
        raise MalformedError("a re-key message ends inside a field")
    return data[start:end], end


@dataclass(frozen=True, slots=True)
class RekeyRequest:
    """The requester's epoch, groups and two ephemeral public keys."""

    epoch: int
    primary: int
    secondary: int
    share: bytes
    key: bytes
    signature: bytes = b""

    def signed_part(self) -> bytes:
        """What the signature covers."""
        return _HEAD.pack(self.epoch, self.primary, self.secondary) + lp(self.share) + lp(self.key)

    def encode(self) -> bytes:
        """The whole payload."""
        return self.signed_part() + lp(self.signature)

    @classmethod
    def decode(cls, data: bytes) -> RekeyRequest:
        """Raises MalformedError, also for bytes after the end."""
        if len(data) < _HEAD.size:
            raise MalformedError(f"REKEY_REQ of {len(data)} bytes")
        epoch, primary, secondary = _HEAD.unpack_from(data)
        share, at = _take(data, _HEAD.size)
        key, at = _take(data, at)
        signature, at = _take(data, at)
        if at != len(data):
            raise MalformedError("REKEY_REQ is longer than its fields")
        return cls(epoch, primary, secondary, share, key, signature)


@dataclass(frozen=True, slots=True)
class RekeyResponse:
    """The responder's share and the ciphertext to the requester's key."""

    epoch: int
    share: bytes
    ciphertext: bytes
    signature: bytes = b""

    def signed_part(self) -> bytes:
        """What the signature covers, beside the request's hash."""
        return _EPOCH.pack(self.epoch) + lp(self.share) + lp(self.ciphertext)

    def encode(self) -> bytes:
        """The whole payload."""
        return self.signed_part() + lp(self.signature)

    @classmethod
    def decode(cls, data: bytes) -> RekeyResponse:
        """Raises MalformedError, also for bytes after the end."""
        if len(data) < _EPOCH.size:
            raise MalformedError(f"REKEY_RSP of {len(data)} bytes")
        share, at = _take(data, _EPOCH.size)
        ciphertext, at = _take(data, at)
        signature, at = _take(data, at)
        if at != len(data):
            raise MalformedError("REKEY_RSP is longer than its fields")
        return cls(_EPOCH.unpack_from(data)[0], share, ciphertext, signature)


def signed_content(
    rekey_id: bytes,
    sid: bytes,
    epoch: int,
    requester: bytes,
    responder: bytes,
    payload: bytes,
    request_hash: bytes = b"",
) -> bytes:
    """Content of the signatures ``rekey request`` and ``rekey response`` (the latter with ``request_hash``)."""
    parts = (lp(rekey_id), lp(sid), _EPOCH.pack(epoch), lp(requester), lp(responder), lp(payload))
    return b"".join(parts) + (lp(request_hash) if request_hash else b"")
