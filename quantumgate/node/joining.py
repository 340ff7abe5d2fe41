"""Using an invitation: what its text names, the proof shown to its maker, and what is kept once we are in.

Not for: making them (``inviting.py``). Spec: docs/spec/addresses.md sections 3 and 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, FirstError, inlineCallbacks
from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.core.access.decision import Rule
from quantumgate.core.invitations import InvitationKeys
from quantumgate.core.peer_records import network_of
from quantumgate.core.petnames import is_name
from quantumgate.crypto.identity import fingerprint_text
from quantumgate.errors import ConnectFailed, MalformedError
from quantumgate.ids import PeerUUID, QgAddress, host_text, parse_host
from quantumgate.node.access import Access
from quantumgate.node.contact import Contact
from quantumgate.node.dialling import Route, Target, parse_target
from quantumgate.node.names import Names
from quantumgate.node.state import State
from quantumgate.node.world import World
from quantumgate.wire.invitation_text import NETWORK_CHECK_BYTES, Invitation, read_invitation
from quantumgate.wire.limits import VALIDITY_SLACK_SECONDS
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.session_tlvs import invitation_tlv

COPY_ADVICE = "copy it whole: one word that begins with qgi:, as qgate invite prints it"
NEW_ADVICE = "ask for a new one"
BETWEEN = " "
"""Between the addresses of one peer, as they are kept."""

_log = logs.named("node")


@dataclass(frozen=True, slots=True)
class Ours:
    """What this node is, as far as an invitation speaks of it."""

    uuid: PeerUUID
    network_name: str
    shared_secret: bool

    @property
    def network(self) -> bytes:
        """As an invitation names it."""
        return network_of(self.network_name.encode())[:NETWORK_CHECK_BYTES]


@dataclass(frozen=True, slots=True)
class Joined:
    """Who invited us, what we call it now ("" = nothing), and what it proposed to be called."""

    contact: Contact
    name: str
    proposed: str

    @property
    def uuid(self) -> PeerUUID:
        """Its UUID."""
        return self.contact.session.peer.uuid  # type: ignore[no-any-return]


class Joining:
    """One node's. ``reach(target, keep=)`` is ``Circuits.reach``."""

    def __init__(
        self, ours: Ours, world: World, state: State, access: Access, names: Names,
        reach: Callable[..., Deferred[Contact]],
    ) -> None:
        self._ours, self._world, self._state = ours, world, state
        self._access, self._names, self._reach = access, names, reach

    # -- reading -------------------------------------------------------------------------------------------------

    def read(self, text: str) -> Invitation:
        """An invitation that is worth a dial. Raises ConnectFailed, which says why it is not."""
        try:
            found = read_invitation(text)
        except MalformedError as error:
            raise ConnectFailed("bad-invitation", f"this invitation cannot be read: {error}", advice=COPY_ADVICE
                                ) from None
        ours = self._ours
        if found.uuid == ours.uuid:
            raise ConnectFailed("self", "this invitation is from this node itself", advice="give it to somebody else")
        if found.network != ours.network:
            raise ConnectFailed("other-network", f"this invitation is for another network than {ours.network_name!r}",
                                advice="node.network has to be the same here and there")
        if found.shared_secret != ours.shared_secret:
            without = "without the shared secret that this node has"
            where = "with a shared secret, and this node has none" if found.shared_secret else without
            raise ConnectFailed("other-network", f"this invitation is for a network {where}",
                                advice="node.shared_secret_file or shared_passphrase_file: alike here and there")
        if self._world.wall_seconds() > found.expires + VALIDITY_SLACK_SECONDS:
            until = datetime.fromtimestamp(found.expires, UTC).strftime("%Y-%m-%d %H:%M UTC")
            raise ConnectFailed("invitation-expired", f"this invitation was good until {until}", advice=NEW_ADVICE)
        return found

    def name_for(self, invitation: Invitation, name: str, *, take: bool) -> str:
        """What the inviter is to be called: ``name``, or with ``take`` what it proposes. Raises LocalError."""
        wanted = name or (invitation.name if take else "")
        return self._names.check(invitation.uuid, wanted) if wanted else ""

    # -- joining -------------------------------------------------------------------------------------------------

    @inlineCallbacks
    def join(self, text: str, route: Route, *, name: str = "", take: bool = False) -> Any:
        """Joined, once the inviter has let us in. Fails with ConnectFailed or LocalError; then nothing was kept."""
        invitation = self.read(text)
        called = self.name_for(invitation, name, take=take)
        keys = InvitationKeys(invitation)
        addresses = BETWEEN.join(addresses_of(invitation))
        try:
            target = _showing(self._target(addresses, route), lambda bound: invitation_tlv(keys.proof(bound)))
            contact: Contact = yield self._reach(target, keep=True).addErrback(_not_known)
        finally:
            keys.wipe()
        yield self._keep(invitation, addresses, called)
        return Joined(contact, called or self._names.of(invitation.uuid), proposed(invitation))

    def _keep(self, invitation: Invitation, addresses: str, name: str) -> Deferred[Any]:
        """A rule, a name, an address; the pin is there already. Fires when a restart would know them."""
        uuid, saved = invitation.uuid, []
        self._state.addresses[uuid] = addresses
        if name:
            saved.append(self._names.put(uuid, name))
        if self._access.decide(uuid).rule is not Rule.ALLOW:
            saved.append(self._access.allow(uuid))
        saved.append(self._state.save())
        _log.info("joined {peer} by its invitation", peer=logs.peer(uuid))
        return DeferredList(saved, fireOnOneErrback=True, consumeErrors=True).addErrback(_first)

    # -- addresses -----------------------------------------------------------------------------------------------

    def completed(self, target: Target) -> Target:
        """A bare UUID with the address at which it invited us; anything else as it is."""
        kept = self._state.addresses.get(target.uuid) if target.uuid is not None else None
        if kept is None or target.ways or target.anchors:
            return target
        return self._target(kept, target.route)

    def _target(self, addresses: str, route: Route) -> Target:
        first, *rest = (parse_target(one, self._world, route) for one in addresses.split(BETWEEN))
        return replace(first, otherwise=rest[0]) if rest else first


def _showing(target: Target, prove: Callable[[bytes], bytes]) -> Target:
    """The same target, where the invitation is shown, whichever way leads there."""
    behind = None if target.otherwise is None else replace(target.otherwise, prove=prove)
    return replace(target, prove=prove, otherwise=behind)


def addresses_of(invitation: Invitation) -> list[str]:
    """Where it is itself, and where its anchors are. Raises ConnectFailed where it names neither."""
    uuid, fingerprint = invitation.uuid, fingerprint_text(invitation.fingerprint)
    found = []
    if invitation.endpoints:
        found.append(QgAddress(uuid, _hosts(invitation.endpoints), fingerprint))
    if invitation.anchors:
        anchors = tuple(QgAddress(one.uuid, _hosts(one.endpoints), fingerprint_text(one.fingerprint) if one.fingerprint
                                  else "") for one in invitation.anchors)
        found.append(QgAddress(uuid, (), fingerprint, fingerprint_text(invitation.rendezvous), anchors))
    if not found:
        raise ConnectFailed("no-address", "this invitation names no way to its maker", advice=NEW_ADVICE)
    return [str(one) for one in found]


def _hosts(endpoints: tuple[LinkEndpoint, ...]) -> tuple[tuple[str, int], ...]:
    return tuple(parse_host(host_text(one.host, one.port)) for one in endpoints)


def proposed(invitation: Invitation) -> str:
    """What the inviter wants to be called, where that can be a name."""
    return invitation.name.lower() if is_name(invitation.name) else ""


def _not_known(failure: Failure) -> Failure:
    """Who does not know our invitation says what it says to strangers."""
    error = failure.value
    if isinstance(error, ConnectFailed) and error.reason == "access-denied" and not error.by_relay:
        raise ConnectFailed(
            "invitation-unknown", f"{error}: the invitation is none of its own, was altered on the way, or was taken "
            "back long ago; or its rules name this node", advice=f"{NEW_ADVICE}, and copy it whole",
        ) from None
    return failure


def _first(failure: Failure) -> Any:
    """The one that failed, as itself."""
    return failure.value.subFailure if isinstance(failure.value, FirstError) else failure
