"""Successions: an identity says which identity takes its place; both roots sign it, and people decide on it.

It travels as text or file, from hand to hand: no session carries one, and nothing is pinned anew without somebody who
wants it. Not for: what is done with one (``node/heirs.py``). Spec: docs/spec/identity.md, section 8.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, replace

from quantumgate.crypto import labels
from quantumgate.crypto.identity import Identity, PeerIdentity
from quantumgate.crypto.signatures import KINDS, verify
from quantumgate.errors import BugError, MalformedError, ViolationError
from quantumgate.wire import limits
from quantumgate.wire.one_word import data_of, letters_for, word_of

FORMAT = 1
SCHEME = "qgs:"
_TIMES = struct.Struct(">QQ")
_BYTES_MAX = 1 + 2 * max(one.bundle_bytes + one.signature_bytes for one in KINDS.values()) + _TIMES.size
TEXT_LETTERS_MAX = letters_for(SCHEME, _BYTES_MAX)


@dataclass(frozen=True, slots=True)
class Succession:
    """``old`` says that ``new`` takes its place, and ``new`` says that it does. Unix seconds."""

    old: PeerIdentity
    new: PeerIdentity
    not_before_seconds: int
    not_after_seconds: int
    old_signature: bytes = b""
    new_signature: bytes = b""

    def signed_part(self) -> bytes:
        """What both sign."""
        times = _TIMES.pack(self.not_before_seconds, self.not_after_seconds)
        return bytes((FORMAT,)) + self.old.bundle + self.new.bundle + times

    def encode(self) -> bytes:
        """The record."""
        return self.signed_part() + self.old_signature + self.new_signature

    @property
    def text(self) -> str:
        """One word, for a line of a chat or a file."""
        return word_of(SCHEME, self.encode())


def succeed(old: Identity, new: Identity, *, now_seconds: int) -> Succession:
    """Signed by both, good for 90 days from now. Raises BugError for a key that is none of a root, or its own heir."""
    if old.delegation or new.delegation or old.own == new.own:
        raise BugError("roots sign a succession, and it is between two of them")
    plain = Succession(old.own, new.own, now_seconds, now_seconds + limits.SUCCESSION_SECONDS)
    digest = hashlib.sha512(plain.signed_part()).digest()
    return replace(plain, old_signature=old.sign(labels.SIGN_SUCCESSION, digest),
                   new_signature=new.sign(labels.SIGN_SUCCESSION, digest))


def judge(text: str, *, now_ms: int) -> Succession:
    """The succession in a text, verified, at unix time ``now_ms``.

    Raises MalformedError, BadKeyError (a bundle), ViolationError (its times, or one key for both) or
    AuthenticationError (either signature).
    """
    found = _decode(data_of(text.strip(), SCHEME, TEXT_LETTERS_MAX, "a succession"))
    if found.old == found.new:
        raise ViolationError("a succession of one key to itself")
    life, slack = found.not_after_seconds - found.not_before_seconds, limits.VALIDITY_SLACK_SECONDS
    if not 0 < life <= limits.SUCCESSION_SECONDS:
        raise ViolationError(f"a succession with a life of {life} s")
    if now_ms < (found.not_before_seconds - slack) * 1000:
        raise ViolationError(f"a succession from {found.not_before_seconds - now_ms // 1000} s ahead")
    if now_ms > (found.not_after_seconds + slack) * 1000:
        raise ViolationError(f"a succession that ended {now_ms // 1000 - found.not_after_seconds} s ago")
    digest = hashlib.sha512(found.signed_part()).digest()
    verify(found.old.bundle, labels.SIGN_SUCCESSION, digest, found.old_signature)
    verify(found.new.bundle, labels.SIGN_SUCCESSION, digest, found.new_signature)
    return found


def _decode(data: bytes) -> Succession:
    """Lengths follow from the kinds; nothing is verified."""
    if not data or data[0] != FORMAT:
        raise MalformedError("a succession of no known format")
    old_end = 1 + _bundle_bytes(data, 1)
    new_end = old_end + _bundle_bytes(data, old_end)
    times_end = new_end + _TIMES.size
    if len(data) < times_end:
        raise MalformedError("a succession that was cut")
    old, new = PeerIdentity.from_bundle(data[1:old_end]), PeerIdentity.from_bundle(data[old_end:new_end])
    signature_end = times_end + KINDS[old.kind].signature_bytes
    if len(data) != signature_end + KINDS[new.kind].signature_bytes:
        raise MalformedError(f"a succession of {len(data)} bytes")
    begin, end = _TIMES.unpack(data[new_end:times_end])
    return Succession(old, new, begin, end, data[times_end:signature_end], data[signature_end:])


def _bundle_bytes(data: bytes, at: int) -> int:
    kind = KINDS.get(data[at]) if at < len(data) else None
    if kind is None:
        raise MalformedError("a succession that was cut, or a bundle of no known kind in it")
    return kind.bundle_bytes

