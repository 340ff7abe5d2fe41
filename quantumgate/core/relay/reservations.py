"""Reservations: who is reached through whom, and the proof that somebody may. Spec: docs/spec/relays.md, 7. [A34]

Who does not know the rendezvous key cannot tell whether a peer is here: looking takes as long, and says as little, for
a UUID that nobody reserved. Not for: sessions and timers (``node/reservations.py``, ``node/anchors.py``).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from quantumgate.core.delegations import FOR_VOUCHER, Delegation, signing_bundle
from quantumgate.crypto import labels
from quantumgate.crypto.identity import PeerIdentity
from quantumgate.crypto.signatures import verify
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import RENDEZVOUS_KEY_BYTES, RESERVATION_HOURS_APART
from quantumgate.wire.link_frames import RelayTerms
from quantumgate.wire.reservation_frames import Grant, voucher_content

HOUR_SECONDS = 3600
REFRESH_SHARE = (0.5, 0.8)
"""When a reservation is asked for anew: after so much of its life, drawn."""

_NO_KEY = bytes(RENDEZVOUS_KEY_BYTES)
T = TypeVar("T")


class Signer(Protocol):
    """The part of ``crypto.identity.Identity`` that vouchers need."""

    @property
    def public(self) -> PeerIdentity: ...
    def sign(self, name: str, content_hash: bytes) -> bytes: ...


def proof(rendezvous_key: bytes, anchor: PeerUUID, wall_seconds: float, hours_later: int = 0) -> bytes:
    """HMAC-SHA512 under the key over the anchor's UUID and the unix hour as u64: good for this anchor, for a while."""
    hour = max(0, int(wall_seconds) // HOUR_SECONDS + hours_later)
    return hmac.digest(rendezvous_key, anchor.bytes + hour.to_bytes(8, "big"), "sha512")


def grant(anchor: Signer, client: PeerUUID, expiry_seconds: int, terms: RelayTerms) -> Grant:
    """RESERVED with a voucher signed by the anchor."""
    plain = Grant(expiry_seconds, terms)
    content = voucher_content(anchor.public.uuid, client, plain)
    return Grant(expiry_seconds, terms, anchor.sign(labels.SIGN_VOUCHER, hashlib.sha512(content).digest()))


def check_grant(
    granted: Grant, anchor: PeerIdentity, client: PeerUUID, delegation: Delegation | None = None
) -> None:
    """Raises AuthenticationError unless the anchor signed exactly this for this client.

    ``delegation`` is what the anchor proved itself with, None = its root's own key. Raises ViolationError where it is
    not for vouchers.
    """
    content = voucher_content(anchor.uuid, client, granted)
    signer = signing_bundle(anchor, delegation, FOR_VOUCHER)
    verify(signer, labels.SIGN_VOUCHER, hashlib.sha512(content).digest(), granted.signature)


@dataclass(slots=True)
class _Reservation(Generic[T]):
    key: bytes = field(repr=False)
    session: T
    until: float


class Reservations(Generic[T]):
    """An anchor's. ``T`` is what reaches a peer: its session, as the node has it. ``now`` is steady time."""

    def __init__(self, own: PeerUUID, most: int, life_seconds: float) -> None:
        self._own, self._most, self._life = own, most, life_seconds
        self._by_uuid: dict[PeerUUID, _Reservation[T]] = {}

    def __len__(self) -> int:
        return len(self._by_uuid)

    def names(self, now: float) -> list[PeerUUID]:
        """Who is reached through us at the moment."""
        return [uuid for uuid, one in self._by_uuid.items() if one.until > now]

    def sessions(self) -> list[T]:
        """What reaches those who have reserved."""
        return [one.session for one in self._by_uuid.values()]

    def reserve(self, uuid: PeerUUID, rendezvous_key: bytes, session: T, now: float) -> bool:
        """For a peer that asks, or asks again. False where there is no room."""
        for gone in [name for name, one in self._by_uuid.items() if one.until <= now]:
            del self._by_uuid[gone]
        if uuid not in self._by_uuid and len(self._by_uuid) >= self._most:
            return False
        self._by_uuid[uuid] = _Reservation(rendezvous_key, session, now + self._life)
        return True

    def left(self, uuid: PeerUUID, session: T) -> None:
        """The session is over, and the reservation with it, unless a newer one has it now."""
        found = self._by_uuid.get(uuid)
        if found is not None and found.session is session:
            del self._by_uuid[uuid]

    def find(self, uuid: PeerUUID, given: bytes, now: float, wall_seconds: float) -> T | None:
        """What reaches this peer, for who proves to know its key; None otherwise, whatever the reason."""
        found = self._by_uuid.get(uuid)
        key = _NO_KEY if found is None else found.key
        hours = range(-RESERVATION_HOURS_APART, RESERVATION_HOURS_APART + 1)
        proofs = [hmac.compare_digest(proof(key, self._own, wall_seconds, hours_later), given) for hours_later in hours]
        if found is None or not any(proofs) or found.until <= now:
            return None
        return found.session
