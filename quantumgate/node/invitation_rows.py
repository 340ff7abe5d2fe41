"""Invitations as the state keeps them: a name, a public key and what the maker wanted. Never a secret.

Not for: what they mean (``core/invitations.py``). Spec: docs/spec/addresses.md section 4.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from quantumgate.core.invitations import Issued
from quantumgate.ids import parse_peer_uuid
from quantumgate.wire.limits import INVITATION_USES

_SECONDS = Annotated[int, Meta(ge=0, le=1 << 40)]


class InvitationRow(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """One that was made here; ``id`` and ``key`` (a bundle) in hexadecimal, ``joined`` the UUIDs of who came by it."""

    id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    key: Annotated[str, Meta(pattern="^01[0-9a-f]{64}$")]
    made: _SECONDS
    expires: _SECONDS
    uses: Annotated[int, Meta(ge=1, le=INVITATION_USES)] = 1
    only: tuple[Annotated[str, Meta(max_length=64)], ...] = ()
    name: Annotated[str, Meta(max_length=32)] = ""
    revoked: bool = False
    joined: tuple[str, ...] = ()

    @classmethod
    def of(cls, one: Issued) -> InvitationRow:
        return cls(
            id=one.id.hex(), key=one.key.hex(), made=one.made, expires=one.expires, uses=one.uses, only=one.only,
            name=one.name, revoked=one.revoked, joined=tuple(map(str, one.joined)),
        )

    def issued(self) -> Issued:
        """Raises LocalError for who is no peer."""
        return Issued(
            bytes.fromhex(self.id), bytes.fromhex(self.key), self.made, self.expires, self.uses, self.only, self.name,
            self.revoked, tuple(map(parse_peer_uuid, self.joined)),
        )
