"""Invitations that this node makes: writing them, judging who shows one, letting in whom they are for.

Not for: using somebody else's (``joining.py``), or the rules of when one counts (``core/invitations.py``). Spec:
docs/spec/addresses.md sections 3 to 5.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from twisted.internet.defer import Deferred

from quantumgate import logs
from quantumgate.control.api import InvitationReport, MadeInvitation
from quantumgate.core.access.rules import RELAY
from quantumgate.core.invitations import Answer, InvitationKeys, Invitations, Issued, check_uses
from quantumgate.core.peer_records import network_of
from quantumgate.core.petnames import checked_name
from quantumgate.crypto.identity import PeerIdentity
from quantumgate.errors import LocalError
from quantumgate.ids import PeerUUID, host_text
from quantumgate.node.access import Access
from quantumgate.node.invitation_rows import InvitationRow
from quantumgate.node.names import Names
from quantumgate.node.state import State
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.invitation_text import NETWORK_CHECK_BYTES, Invitation, InvitingAnchor
from quantumgate.wire.limits import INVITATION_SECONDS, INVITATION_SECRET_BYTES
from quantumgate.wire.link_frames import LinkEndpoint

LEAST_SECONDS = 60
REFUSALS = {
    Answer.USED: CloseCode.INVITATION_USED,
    Answer.EXPIRED: CloseCode.INVITATION_EXPIRED,
    Answer.REVOKED: CloseCode.INVITATION_REVOKED,
}
"""What is said to who has proved to have the invitation."""

_log = logs.named("node")


class Inviting:
    """One node's. ``network_id`` and ``shared_secret``: what a joiner has to have alike."""

    def __init__(
        self, own: PeerIdentity, network_id: bytes, world: World, state: State, access: Access, names: Names, most: int,
        *, shared_secret: bool,
    ) -> None:
        self._own, self._world, self._state, self._access, self._names = own, world, state, access, names
        self._network, self._shared_secret = network_of(network_id)[:NETWORK_CHECK_BYTES], shared_secret
        self._issued = Invitations(most, (row.issued() for row in state.invitations))

    # -- making --------------------------------------------------------------------------------------------------

    def make(
        self, endpoints: Sequence[LinkEndpoint], anchors: Sequence[InvitingAnchor], rendezvous: bytes, *,
        uses: int = 1, seconds: float = 86_400, only: Collection[str] = (), name: str = "", proposed: str = "",
    ) -> tuple[Invitation, Issued]:
        """A new one, which nobody but the caller ever sees whole. Raises LocalError for what cannot be."""
        check_uses(uses, name)
        if set(only) == {RELAY}:
            raise LocalError("who may only be relayed may not connect", advice="leave --only out, or name an extender")
        if not LEAST_SECONDS <= seconds <= INVITATION_SECONDS:
            raise LocalError(f"an invitation lasts from {LEAST_SECONDS} seconds to {INVITATION_SECONDS // 86_400} days")
        name = self._names.check(None, name) if name else ""
        now = int(self._world.wall_seconds())
        invitation = Invitation(
            self._own.uuid, self._own.fingerprint, self._network, now + int(seconds),
            self._world.random.bytes(INVITATION_SECRET_BYTES), self._shared_secret,
            checked_name(proposed) if proposed else "", tuple(endpoints), tuple(anchors),
            rendezvous if anchors else b"",
        )
        keys = InvitationKeys(invitation)
        issued = Issued(keys.id, keys.key, now, invitation.expires, uses, self._abouts(only), name)
        keys.wipe()
        self._issued.add(issued, now)
        return invitation, issued

    def _abouts(self, only: Collection[str]) -> tuple[str, ...]:
        return tuple(self._access.abouts(only)) if only else ()

    def kept(self) -> Deferred[None]:
        """Puts what changed into the state; fires when a restart would know."""
        self._store()
        return self._state.save()

    def _store(self) -> None:
        self._state.invitations = tuple(map(InvitationRow.of, sorted(self._issued, key=lambda one: one.made)))

    # -- judging -------------------------------------------------------------------------------------------------

    def heard(self, proof: bytes, transcript: bytes, uuid: PeerUUID) -> tuple[Answer, Issued | None]:
        """What a peer that has proved to be ``uuid`` hears to this proof. Nothing happens by it."""
        return self._issued.shown(proof, transcript, uuid, self._world.wall_seconds())

    def let_in(self, issued: Issued, uuid: PeerUUID) -> Deferred[None]:
        """It comes in by this invitation: from now on a rule admits it. Raises LocalError where no rule can be made.

        What the invitation was used for and the rule reach the disk together. Fires when they are there, or when it was
        said that they cannot be written now.
        """
        self._issued.put(issued.used_by(uuid))
        self._store()
        try:
            kept = self._access.allow(uuid, issued.only).addErrback(_complain)
        except LocalError:
            self._issued.put(issued)
            self._store()
            raise
        self._call_it(uuid, issued.name)
        _log.info("{peer} came in by the invitation {short}", peer=logs.peer(uuid), short=issued.short)
        return kept

    def _call_it(self, uuid: PeerUUID, name: str) -> None:
        """The name that the invitation was made with, unless it has one, or somebody else was given that meanwhile."""
        if name and not self._names.of(uuid):
            try:
                self._names.put(uuid, name).addErrback(_complain)
            except LocalError:
                _log.warn("who came by an invitation is not called {name}: another peer is called so, or nearly so",
                          name=logs.name(name))

    # -- for operators -------------------------------------------------------------------------------------------

    def reports(self) -> list[InvitationReport]:
        """All that are remembered, the newest first."""
        return [self._report(one) for one in sorted(self._issued, key=lambda one: -one.made)]

    def revoke(self, text: str) -> tuple[InvitationReport, Deferred[None]]:
        """Takes one back. Who has come in by it stays. Raises LocalError where there is no such one."""
        return self._report(self._issued.revoke(text)), self.kept()

    def _report(self, one: Issued) -> InvitationReport:
        state = one.state(self._world.wall_seconds())
        return InvitationReport(
            id=one.short, state="open" if state is Answer.ACCEPTED else state.value, made=one.made,
            expires=one.expires, uses=one.uses, joined=[str(uuid) for uuid in one.joined], only=self._only(one),
            name=one.name,
        )

    def _only(self, one: Issued) -> list[str]:
        names = {str(uuid): name for name, uuid in self._access.extenders().items()}
        return [names.get(about, about) for about in one.only]

    def made(self, invitation: Invitation, issued: Issued) -> MadeInvitation:
        """What is told once, to who made it."""
        return MadeInvitation(
            **{name: getattr(self._report(issued), name) for name in InvitationReport.__struct_fields__},
            invitation=invitation.text, proposed_name=invitation.name,
            endpoints=[host_text(one.host, one.port) for one in invitation.endpoints],
            anchors=[str(one.uuid) for one in invitation.anchors],
        )


def _complain(failure: object) -> None:
    _log.error("an invitation was used, but the state was not saved: {why}", why=str(failure))
