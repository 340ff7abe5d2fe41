"""Invitations: the keys that one holds, the proof of who has it, and what its maker says to that proof.

The maker keeps a name and a public key of each invitation, never what is in it: whoever reads what it keeps cannot come
in by it. Who has the invitation signs, inside the handshake, the transcript of this very handshake, which names both
identities; so nobody else can use what he sent. Not for: the text (``wire/invitation_text.py``) or what follows
(``node/inviting.py``). Spec: docs/spec/addresses.md sections 4 and 5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

from quantumgate.crypto import labels
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.kdf import expand, extract
from quantumgate.crypto.signatures import verify
from quantumgate.errors import CryptoError, LimitError, LocalError
from quantumgate.ids import PeerUUID
from quantumgate.wire.invitation_text import Invitation
from quantumgate.wire.limits import INVITATION_KEPT_SECONDS, INVITATION_USES
from quantumgate.wire.session_tlvs import INVITATION_PROOF_BYTES
from quantumgate.wire.writer import lp

ID_BYTES, SEED_BYTES = 16, 32
KIND = 1
"""Ed25519: nobody but the maker ever sees the public key, so that there is none to break."""


class Answer(Enum):
    """What becomes of a proof. All but the first two are refusals; the last one tells nobody anything."""

    ACCEPTED = "accepted"
    AGAIN = "again"
    """By who had been let in by it before."""

    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class InvitationKeys:
    """What is derived from an invitation: its ``id``, and the key that signs for who has it. ``wipe`` it afterwards."""

    def __init__(self, invitation: Invitation) -> None:
        bound = lp(hashlib.sha512(invitation.public_part).digest())
        with_secret = extract(labels.INVITATION_SALT, invitation.secret)
        name = expand(with_secret, labels.INVITATION_ID + bound, ID_BYTES)
        self._identity = Identity(KIND, expand(with_secret, labels.INVITATION_KEY + bound, SEED_BYTES))
        self.id, self.key = name.reveal(), self._identity.public.bundle
        for spent in (with_secret, name):
            spent.wipe()

    def proof(self, transcript_hash: bytes) -> bytes:
        """INVITATION of SESSION: the id, and a signature over it and the transcript so far (64 bytes)."""
        return self.id + self._identity.sign(labels.SIGN_INVITATION, _content(self.id, transcript_hash))

    def wipe(self) -> None:
        """It was used, or given up."""
        self._identity.wipe()


def _content(invitation_id: bytes, transcript_hash: bytes) -> bytes:
    return hashlib.sha512(invitation_id + transcript_hash).digest()


@dataclass(frozen=True, slots=True)
class Issued:
    """An invitation as its maker keeps it. ``key`` is a public key; times are unix seconds.

    ``only``: what the rule is about that it makes, () = everything; ``name``: what we call who comes by it.
    """

    id: bytes
    key: bytes = field(repr=False)
    made: int
    expires: int
    uses: int = 1
    only: tuple[str, ...] = ()
    name: str = ""
    revoked: bool = False
    joined: tuple[PeerUUID, ...] = ()

    @property
    def short(self) -> str:
        """By which people name it."""
        return self.id.hex()[:8]

    def state(self, wall: float) -> Answer:
        """What a newcomer would hear. ACCEPTED = it is open."""
        if self.revoked:
            return Answer.REVOKED
        if len(self.joined) >= self.uses:
            return Answer.USED
        return Answer.EXPIRED if wall >= self.expires else Answer.ACCEPTED

    def used_by(self, uuid: PeerUUID) -> Issued:
        """The same after this peer has come in by it."""
        return self if uuid in self.joined else replace(self, joined=(*self.joined, uuid))

    def answer(self, uuid: PeerUUID, wall: float) -> Answer:
        """What this peer hears. One that came in by it comes in again, as long as it is not taken back."""
        if uuid in self.joined and not self.revoked:
            return Answer.AGAIN
        return self.state(wall)


class Invitations:
    """Those of one node, at most ``most`` at a time; what is over is remembered for a while, to say so."""

    def __init__(self, most: int, rows: Iterable[Issued] = ()) -> None:
        self._most = most
        self._rows = {row.id: row for row in rows}

    def __iter__(self) -> Iterator[Issued]:
        return iter(self._rows.values())

    def add(self, new: Issued, wall: float) -> None:
        """Raises LimitError where there are too many open ones; what was over longest makes room."""
        self.prune(wall)
        over = sorted((row for row in self if row.state(wall) is not Answer.ACCEPTED), key=lambda row: row.expires)
        while len(self._rows) >= self._most:
            if not over:
                raise LimitError("invitations", self._most)
            del self._rows[over.pop(0).id]
        self._rows[new.id] = new

    def prune(self, wall: float) -> None:
        """Forgets what was over long ago."""
        for row in [row for row in self if wall >= row.expires + INVITATION_KEPT_SECONDS]:
            del self._rows[row.id]

    def shown(self, proof: bytes, transcript_hash: bytes, uuid: PeerUUID, wall: float) -> tuple[Answer, Issued | None]:
        """What this peer, which has proved to be ``uuid``, hears to its proof. Changes nothing.

        An id that we do not know and a signature that does not verify are the same to whoever sent them.
        """
        row = self._rows.get(proof[:ID_BYTES]) if len(proof) == INVITATION_PROOF_BYTES else None
        if row is None:
            return Answer.UNKNOWN, None
        try:
            verify(row.key, labels.SIGN_INVITATION, _content(row.id, transcript_hash), proof[ID_BYTES:])
        except CryptoError:
            return Answer.UNKNOWN, None
        return row.answer(uuid, wall), row

    def put(self, row: Issued) -> None:
        """It is like this now."""
        self._rows[row.id] = row

    def revoke(self, text: str) -> Issued:
        """The one whose id begins so; nobody comes in by it any more. Raises LocalError where it is not one."""
        found = [row for row in self if row.id.hex().startswith(text.lower())]
        if len(found) != 1 or len(text) < 4:
            raise LocalError(f"{'no' if not found else 'more than one'} invitation begins with {text!r:.40}",
                             advice="qgate invite list shows them; give at least four letters")
        self._rows[found[0].id] = revoked = replace(found[0], revoked=True)
        return revoked


def check_uses(uses: int, name: str) -> None:
    """Raises LocalError for a number that cannot be, or a name for several."""
    if not 1 <= uses <= INVITATION_USES:
        raise LocalError(f"an invitation is good for 1 to {INVITATION_USES} peers, found {uses}")
    if name and uses > 1:
        raise LocalError("a name is one peer's", advice="leave the name out, or make an invitation for each of them")
