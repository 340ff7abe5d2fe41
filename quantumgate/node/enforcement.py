"""What access rules do to connections: who is let in at accept, and what is cut, at once, when a rule changes.

A cut session says CLOSE and is gone within a tenth of a second, whether or not the other side listens: what was queued
for it goes nowhere. Not for: verdicts (``access.py``) or blame (``conduct.py``). Spec: docs/spec/access.md section 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from quantumgate import logs
from quantumgate.core.access.addresses import Address
from quantumgate.core.access.decision import Decision, Rule
from quantumgate.core.access.reputation import Deed
from quantumgate.core.access.rules import CONNECT, RELAY, RESERVE
from quantumgate.ids import PeerUUID
from quantumgate.net.prefix import ip_of, is_loopback
from quantumgate.node.access import Access
from quantumgate.node.conduct import Conduct
from quantumgate.node.contact import ROLE_PEER, Contact
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode, LinkCode

CUT_SECONDS = 0.1
"""What a forbidden connection has left for its CLOSE."""

_log = logs.named("access")


class Carrying(Protocol):
    """A link that is carried for somebody, as ``relays.Carried``."""

    client: Any

    def close(self, code: int) -> None: ...


class Enforcement:
    """One node's. What stands here below is set by whoever assembles it."""

    contacts: Callable[[], Iterable[Contact]]
    carried: Callable[[], Iterable[Carrying]]
    unreserve: Callable[[Contact], object]
    permissions_changed: Callable[[Any], object]
    """Of a live peer (``IPeer``): extenders that it may use, or may not use any more."""

    def __init__(self, access: Access, conduct: Conduct, world: World) -> None:
        self.access = self._access = access
        self.conduct = self._conduct = conduct
        self._world = world
        self._cuts: dict[Contact, Any] = {}
        self._occasionally = logs.Occasionally(world.now)
        access.changed = self.look_again
        access.standing = lambda: [address for _, address in self._counted()]

    # -- at the door ---------------------------------------------------------------------------------------------

    def knock(self, peer: Any, lan: bool) -> str:
        """Before any work for a connection from ``peer`` (a Twisted address): the rule that refuses it, or ""."""
        address, local = ip_of(peer), lan or is_loopback(peer)
        decision = self._access.knock(address, local=local)
        if decision.admitted and not local and address is not None:
            self._access.judge.prefixes.attempt(address, self._world.now())
        elif decision.rule is Rule.PREFIX_ATTEMPTS:
            self.pushed(peer, lan)
        if not decision.admitted and self._occasionally.allows(decision.rule):
            _log.info("a connection from {where} is not taken: {why}", where=logs.place(address),
                      why=logs.words(decision.why))
        return "" if decision.admitted else str(decision.rule)

    def pushed(self, peer: Any, lan: bool) -> None:
        """It connects more often than anybody may."""
        address = ip_of(peer)
        if address is not None and not lan and not is_loopback(peer):
            self._conduct.attempt(address)

    def began(self, contact: Contact) -> None:
        """It has a transport now."""
        if contact.counted:
            self._access.judge.prefixes.came(contact.address)  # type: ignore[arg-type]  # what is counted has one

    def left(self, contact: Contact) -> None:
        """Its transport is closed."""
        call = self._cuts.pop(contact, None)
        if call is not None and call.active():
            call.cancel()
        if contact.counted:
            self._access.judge.prefixes.left(contact.address)  # type: ignore[arg-type]  # see above

    def _counted(self) -> Iterator[tuple[Contact, Address]]:
        """Oldest first; a handshake is younger than every session."""
        contacts = sorted(self.contacts(), key=lambda one: (one.session is None, one.connected_at))
        return ((one, one.address) for one in contacts if one.counted and one.address is not None)

    # -- links ---------------------------------------------------------------------------------------------------

    def link_refused(self, contact: Contact) -> Decision | None:
        """Why this client gets no link that it asks for; None = nothing is against it, and it is counted."""
        address, uuid = self._conduct.doer(contact).paying_address, _uuid_of(contact)
        decision = self._access.links(address)
        if decision.admitted and uuid is not None:
            decision = self._access.decide(uuid, RELAY, dialled=contact.outbound)
        if not decision.admitted:
            return decision
        refusal = None if address is None else self._access.one_more_link(address)
        if refusal is not None:
            self._conduct.count(Deed.LINKS, contact)
        return refusal

    # -- when rules change ---------------------------------------------------------------------------------------

    def look_again(self, uuid: PeerUUID | None = None) -> None:
        """Rules are others: what they forbid ends now. With a UUID only what concerns that peer is looked at."""
        for contact in list(self.contacts()):
            if uuid is None or _uuid_of(contact) == uuid:
                self._judge_again(contact)
        if uuid is None:
            counted = list(self._counted())
            for number in self._access.judge.prefixes.beyond(address for _, address in counted):
                self.cut(counted[number][0], CloseCode.TOO_MANY_SESSIONS)

    def _judge_again(self, contact: Contact) -> None:
        if self._access.filtered(contact.address, outbound=contact.outbound) is not None:
            self.cut(contact, CloseCode.ACCESS_DENIED)
            return
        uuid = _uuid_of(contact)
        if uuid is None or contact.over:
            return
        about = CONNECT if contact.session.role == ROLE_PEER else RELAY
        if not self._may(uuid, about, contact):
            self.cut(contact, CloseCode.ACCESS_DENIED)
            return
        if not self._may(uuid, RELAY, contact):
            self._drop_links(contact)
        if not self._may(uuid, RESERVE, contact):
            self.unreserve(contact)
        if contact.the_peer is not None:
            self.permissions_changed(contact.the_peer)

    def _may(self, uuid: PeerUUID, about: str, contact: Contact) -> bool:
        """Whether it may keep what it has."""
        return self._access.decide(uuid, about, dialled=contact.outbound, standing=True).admitted

    def _drop_links(self, contact: Contact) -> None:
        for carried in [one for one in self.carried() if one.client is contact]:
            carried.close(LinkCode.POLICY)

    def cut(self, contact: Contact, code: CloseCode) -> None:
        """CLOSE now, and the transport a moment later, whatever was still under way."""
        if contact in self._cuts:
            return
        self._cuts[contact] = self._world.clock.callLater(CUT_SECONDS, contact.drop)
        contact.cut(code)


def _uuid_of(contact: Contact) -> PeerUUID | None:
    session = contact.session
    return session.peer.uuid if session is not None and session.peer is not None else None
