"""Delegations: a root key, which may lie in a safe, lets an online key act for it, for a while and for named uses.

The online key signs handshakes, records and vouchers; the UUID and what is pinned stay the root's. Everything that
makes a delegation worthless raises before anything it says is believed. Not for: which serials were seen
(``node/pins.py``) or files (``online_key.py``). Spec: docs/spec/identity.md, section 7. [A16]
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, replace
from functools import lru_cache

from quantumgate.crypto import labels
from quantumgate.crypto.identity import FINGERPRINT_BYTES, Identity, PeerIdentity
from quantumgate.crypto.signatures import BUNDLES_REMEMBERED, KINDS, check_bundle, verify
from quantumgate.errors import BugError, MalformedError, RemoteProtocolError, ReplacedError, ViolationError
from quantumgate.wire import limits

FOR_HANDSHAKE, FOR_RECORD, FOR_VOUCHER = 1, 2, 4
"""Bits of ``usages``. A re-key is part of its handshake. Other bits are 0 and ignored."""
FOR_ALL = FOR_HANDSHAKE | FOR_RECORD | FOR_VOUCHER

_TERMS = struct.Struct(">QQQH")
_USAGE_NAMES = {FOR_HANDSHAKE: "handshakes", FOR_RECORD: "peer records", FOR_VOUCHER: "vouchers"}


@dataclass(frozen=True, slots=True)
class Delegation:
    """What a root signed. Times are unix seconds, ``kind`` is that of both keys, ``usages`` bits of FOR_ALL."""

    kind: int
    root_fingerprint: bytes
    online_bundle: bytes
    serial: int
    not_before_seconds: int
    not_after_seconds: int
    usages: int
    signature: bytes = b""

    def signed_part(self) -> bytes:
        """All but the signature."""
        terms = _TERMS.pack(self.serial, self.not_before_seconds, self.not_after_seconds, self.usages)
        return bytes((self.kind,)) + self.root_fingerprint + self.online_bundle + terms

    def encode(self) -> bytes:
        """As it travels: the value of TLV 21 in a handshake, of TLV 03 in a record."""
        return self.signed_part() + self.signature

    @classmethod
    def decode(cls, data: bytes) -> Delegation:
        """Of exactly the length that its kind gives. Nothing is verified. Raises MalformedError."""
        kind = KINDS.get(data[0]) if data else None
        if kind is None or len(data) != delegation_bytes(kind.id):
            raise MalformedError(f"a delegation of {len(data)} bytes, or of no known kind")
        fingerprint_end = 1 + FINGERPRINT_BYTES
        bundle_end = fingerprint_end + kind.bundle_bytes
        terms_end = bundle_end + _TERMS.size
        serial, not_before, not_after, usages = _TERMS.unpack(data[bundle_end:terms_end])
        root, online, signature = data[1:fingerprint_end], data[fingerprint_end:bundle_end], data[terms_end:]
        return cls(kind.id, root, online, serial, not_before, not_after, usages, signature)


def delegation_bytes(kind: int) -> int:
    """How long a delegation of this kind is."""
    table = KINDS[kind]
    return 1 + FINGERPRINT_BYTES + table.bundle_bytes + _TERMS.size + table.signature_bytes


def delegate(
    root: Identity, online: PeerIdentity, *, serial: int, not_before_seconds: int, not_after_seconds: int,
    usages: int = FOR_ALL,
) -> Delegation:
    """Signed by the root. Raises BugError for one that nobody would accept."""
    plain = Delegation(
        root.kind, root.public.fingerprint, online.bundle, serial, not_before_seconds, not_after_seconds, usages
    )
    whole = replace(plain, signature=root.sign(labels.SIGN_DELEGATION, _content_hash(plain)))
    try:
        check_form(whole, root.own)
        check_signature(whole, root.own)
    except RemoteProtocolError as error:
        raise BugError(f"our own delegation: {error}") from error
    return whole


def judge(
    data: bytes, root: PeerIdentity, *, usage: int, now_ms: int, least_serial: int = 0
) -> Delegation:
    """The delegation in ``data``, good for this root and use at unix time ``now_ms``.

    Raises MalformedError, BadKeyError (the online bundle), ViolationError (whose, when, what for, an older one than was
    seen) or AuthenticationError; the signature is looked at last, for it is what costs.
    """
    delegation = Delegation.decode(data)
    check_form(delegation, root)
    check_terms(delegation, usage=usage, now_ms=now_ms, least_serial=least_serial)
    check_signature(delegation, root)
    return delegation


def read(data: bytes, root: PeerIdentity) -> Delegation | None:
    """What came beside this root's bundle, b"" = nothing; its form is all that is looked at. See ``check_form``."""
    if not data:
        return None
    delegation = Delegation.decode(data)
    check_form(delegation, root)
    return delegation


def check_form(delegation: Delegation, root: PeerIdentity) -> None:
    """Whose it is, and for what kind of key: what no clock changes. Raises ViolationError or BadKeyError."""
    if delegation.kind != root.kind or delegation.online_bundle[0] != root.kind:
        raise ViolationError("a delegation of another kind than its root's")
    if delegation.root_fingerprint != root.fingerprint:
        raise ViolationError("a delegation by another root")
    life = delegation.not_after_seconds - delegation.not_before_seconds
    if not 0 < life <= limits.DELEGATION_SECONDS:
        raise ViolationError(f"a delegation with a life of {life} s")
    check_bundle(delegation.online_bundle)


def check_terms(delegation: Delegation, *, usage: int, now_ms: int, least_serial: int = 0) -> None:
    """Whether it is good now, for this. Raises ViolationError."""
    _check_usage(delegation, usage)
    slack = limits.VALIDITY_SLACK_SECONDS * 1000
    if now_ms < delegation.not_before_seconds * 1000 - slack:
        raise ViolationError(f"a delegation that begins in {delegation.not_before_seconds - now_ms // 1000} s")
    if now_ms > delegation.not_after_seconds * 1000 + slack:
        raise ViolationError(f"a delegation that ended {now_ms // 1000 - delegation.not_after_seconds} s ago")
    if delegation.serial < least_serial:
        raise ReplacedError("a delegation that a newer one has replaced")


def check_signature(delegation: Delegation, root: PeerIdentity) -> None:
    """Raises AuthenticationError unless the root signed it. One that was good is remembered."""
    _verified(root.bundle, delegation)


@lru_cache(BUNDLES_REMEMBERED)
def _verified(root_bundle: bytes, delegation: Delegation) -> None:
    verify(root_bundle, labels.SIGN_DELEGATION, _content_hash(delegation), delegation.signature)


def proven_bundle(identity: PeerIdentity, delegation: Delegation | None) -> bytes:
    """The bundle under which this peer signs, whatever for. Raises AuthenticationError where its root says no such."""
    if delegation is None:
        return identity.bundle
    check_signature(delegation, identity)
    return delegation.online_bundle


def signing_bundle(identity: PeerIdentity, delegation: Delegation | None, usage: int) -> bytes:
    """The bundle under which this peer signs ``usage``. Raises ViolationError where its delegation is not for that."""
    if delegation is None:
        return identity.bundle
    _check_usage(delegation, usage)
    return delegation.online_bundle


def _check_usage(delegation: Delegation, usage: int) -> None:
    if not delegation.usages & usage:
        raise ViolationError(f"a delegation that is not for {_USAGE_NAMES[usage]}")


def _content_hash(delegation: Delegation) -> bytes:
    return hashlib.sha512(delegation.signed_part()).digest()



def own_delegation(identity: Identity) -> Delegation | None:
    """Of an identity of ours; None = its root signs."""
    return Delegation.decode(identity.delegation) if identity.delegation else None
