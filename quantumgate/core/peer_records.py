"""Signed peer records: making one's own, judging another's, and telling which of two counts.

Everything that makes a record worthless raises before anything in it is believed. Not for: where records come from or
are kept. Spec: docs/spec/peer-records.md, sections 3 and 4. [A18] [A16]
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from quantumgate.core import delegations
from quantumgate.core.delegations import FOR_RECORD, Delegation
from quantumgate.crypto import labels
from quantumgate.crypto.identity import Identity, PeerIdentity
from quantumgate.crypto.signatures import KINDS, verify
from quantumgate.errors import BugError, MalformedError, ViolationError
from quantumgate.ids import PeerUUID
from quantumgate.wire import limits
from quantumgate.wire.peer_records import EXTENDER_BYTES, NETWORK_BYTES, PeerRecord, SignedPeerRecord
from quantumgate.wire.writer import lp


def network_of(network_id: bytes) -> bytes:
    """The 32 bytes by which a record names its network: SHA-512 of the id under its label, cut."""
    return hashlib.sha512(labels.NETWORK_SALT + lp(network_id)).digest()[:NETWORK_BYTES]


def extender_hash(network: bytes, owner: UUID, extender: UUID) -> bytes:
    """By which the record of ``owner`` names an extender: 16 bytes that say nothing to who does not know its UUID."""
    names = lp(network) + owner.bytes + extender.bytes
    return hashlib.sha512(labels.EXTENDER + names).digest()[:EXTENDER_BYTES]


def life_seconds(record: PeerRecord) -> int:
    """How long such a record may live."""
    return limits.PEER_RECORD_RELAY_LIFE_SECONDS if record.relay else limits.PEER_RECORD_LIFE_SECONDS


@dataclass(frozen=True, slots=True)
class KnownRecord:
    """A record that was verified, and whose it is. ``delegation``: whose online key signed it, None = the root did."""

    signed: SignedPeerRecord
    identity: PeerIdentity
    delegation: Delegation | None = None

    @property
    def record(self) -> PeerRecord:
        """What it says."""
        return self.signed.record

    def runs(self, extender: UUID) -> bool:
        """Whether it says that its owner runs this extender."""
        return extender_hash(self.record.network, self.identity.uuid, extender) in self.record.extenders


def sign(identity: Identity, record: PeerRecord) -> SignedPeerRecord:
    """Our own record. Raises BugError for one that nobody would accept: too long, too long-lived, not ours."""
    body = record.encode()
    try:
        signed = SignedPeerRecord(record, body, identity.sign(labels.SIGN_PEER_RECORD, hashlib.sha512(body).digest()))
        SignedPeerRecord.decode(signed.encode())
        _check_size(signed, identity.public)
        _check_life(record)
    except (MalformedError, ViolationError) as error:
        raise BugError(f"our own peer record: {error}") from error
    if record.bundle != identity.public.bundle or record.delegation != identity.delegation:
        raise BugError("our own peer record names another bundle, or another delegation than ours")
    return signed


def fits(identity: PeerIdentity, record: PeerRecord) -> bool:
    """Whether a record of this identity, signed, is no larger than one may be."""
    signature_tlv_bytes = 4 + KINDS[identity.kind].signature_bytes
    return len(record.encode()) + signature_tlv_bytes <= _most_bytes(identity, record)


def judge(
    data: bytes, *, network: bytes, now_ms: int, least_serial: Callable[[PeerUUID], int] = lambda uuid: 0
) -> KnownRecord:
    """The record in ``data``, whole and verified. ``network``: ``network_of`` ours; ``now_ms``: unix time.

    ``least_serial(uuid)``: of the newest delegation that was seen of this peer. Raises MalformedError, BadKeyError (a
    bundle), ViolationError (times, network, whose delegation or what for) and AuthenticationError (a signature); those
    are looked at last, for they are what costs.
    """
    signed = SignedPeerRecord.decode(data)
    record, identity = signed.record, PeerIdentity.from_bundle(signed.record.bundle)
    _check_size(signed, identity)
    if record.network != network:
        raise ViolationError("a peer record of another network")
    _check_life(record)
    check_time(record, now_ms)
    delegation, signer = None, identity.bundle
    if record.delegation:
        delegation = delegations.judge(record.delegation, identity, usage=FOR_RECORD, now_ms=now_ms,
                                       least_serial=least_serial(identity.uuid))
        signer = delegation.online_bundle
        if record.not_after_seconds > delegation.not_after_seconds:
            raise ViolationError("a peer record that outlives its delegation")
    verify(signer, labels.SIGN_PEER_RECORD, hashlib.sha512(signed.body).digest(), signed.signature)
    return KnownRecord(signed, identity, delegation)


def check_time(record: PeerRecord, now_ms: int) -> None:
    """Raises ViolationError where the record is over, or from a future that no honest clock shows."""
    slack = limits.VALIDITY_SLACK_SECONDS * 1000
    if record.seq_ms > now_ms + slack:
        raise ViolationError(f"a peer record from {(record.seq_ms - now_ms) // 1000} s ahead")
    if record.not_after_seconds * 1000 + slack < now_ms:
        raise ViolationError(f"a peer record that ended {now_ms // 1000 - record.not_after_seconds} s ago")


def supersedes(new: KnownRecord, known: KnownRecord) -> bool:
    """Whether ``new`` counts instead of ``known``, another record of the same peer: by its seq.

    Of two by online keys that of the newer delegation does, first of all: the other key may have been stolen, and
    writes on.
    """
    apart = _serials_apart(new, known)
    return apart > 0 or (not apart and new.record.seq_ms > known.record.seq_ms)


def _serials_apart(one: KnownRecord, other: KnownRecord) -> int:
    """0 where either is signed by the root."""
    return 0 if one.delegation is None or other.delegation is None else one.delegation.serial - other.delegation.serial


def equivocates(one: KnownRecord, other: KnownRecord) -> bool:
    """Whether a peer signed two different bodies under one seq: it tells different people different things.

    Two signatures of one body are no equivocation: ML-DSA's differ each time. Nor are records by two online keys, of
    which one may have been stolen.
    """
    if _serials_apart(one, other):
        return False
    same_peer = one.identity.bundle == other.identity.bundle and one.record.network == other.record.network
    return same_peer and one.record.seq_ms == other.record.seq_ms and one.signed.body != other.signed.body


def _most_bytes(identity: PeerIdentity, record: PeerRecord) -> int:
    if KINDS[identity.kind].mldsa is None:
        return limits.PEER_RECORD_BYTES
    return limits.PEER_RECORD_DELEGATED_BYTES if record.delegation else limits.PEER_RECORD_HYBRID_BYTES


def _check_size(signed: SignedPeerRecord, identity: PeerIdentity) -> None:
    size = len(signed.encode())
    if size > _most_bytes(identity, signed.record):
        raise MalformedError(f"a peer record of {size} bytes, kind {identity.kind_name}")


def _check_life(record: PeerRecord) -> None:
    life_ms = record.not_after_seconds * 1000 - record.seq_ms
    if not 0 < life_ms <= life_seconds(record) * 1000:
        raise ViolationError(f"a peer record with a life of {life_ms // 1000} s")
