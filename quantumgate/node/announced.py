"""Peers that announce that they relay: gateways beside the configured ones, for as long as their sessions stand.

An address is believed only where the session itself goes there: nobody makes us dial elsewhere, or looks further from
another gateway than it is. Not for: choosing a path (``core/relay/path.py``). Spec: docs/spec/relays.md, 6. [A50]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

from quantumgate import logs
from quantumgate.core.places import bare_address, may_lead_to
from quantumgate.core.relay.path import Gateway
from quantumgate.ids import PeerUUID, host_text
from quantumgate.node.contact import Contact
from quantumgate.wire.session_tlvs import ENDPOINTS_MAX

_BOUND = re.compile(r"tcp6?:(\d{1,5}):interface=(.+)")
_PLACE = re.compile(r"(?:tcp:)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(\d{1,5})")
_log = logs.named("circuit")


def own_endpoints(bound: Iterable[str], *, allow_private: bool, signed: bool = False) -> tuple[str, ...]:
    """Of the bound listeners (endpoint strings), what a stranger can dial: ``host:port``, at most 8.

    A listener on every interface names no address of ours; whoever dialled us knows one. ``signed``: for our record,
    by which relays dial ports below 1024, too.
    """
    found = (_BOUND.fullmatch(text.replace("\\", "")) for text in bound)
    places = [(match[2], int(match[1])) for match in found if match is not None]
    may_lead = partial(may_lead_to, allow_private=allow_private, signed=signed)
    return tuple(host_text(*place) for place in places if may_lead(*place))[:ENDPOINTS_MAX]


class AnnouncedGateways:
    """``named(uuid)`` = a rule of ours names this peer. ``gateways`` is what there is at the moment."""

    def __init__(self, named: Callable[[PeerUUID], bool]) -> None:
        self._named = named
        self.gateways: dict[PeerUUID, Gateway] = {}
        self._told_by: dict[PeerUUID, Contact] = {}

    def arrived(self, contact: Contact) -> None:
        """A session stands. Of those who dialled us only peers that a rule names: strangers come in any number."""
        session = contact.session
        identity, block = session.peer, session.peer_block
        if identity is None or contact.path is not None or not block.relay:
            return
        if not (contact.outbound or self._named(identity.uuid)):
            return
        hosts = _places(contact, block.endpoints)
        if not hosts:
            return
        _log.debug("{peer} relays, at {hosts}", peer=logs.peer(identity.uuid), hosts=len(hosts))
        self.gateways[identity.uuid] = Gateway(identity.uuid, hosts, identity.fingerprint)
        self._told_by[identity.uuid] = contact
        contact.ended().addCallback(lambda _: self._left(identity.uuid, contact))

    def with_contacts(self) -> list[tuple[Gateway, Contact]]:
        """Each with the session in which it said so, the oldest first."""
        return [(self.gateways[uuid], contact) for uuid, contact in self._told_by.items()]

    def _left(self, uuid: PeerUUID, contact: Contact) -> None:
        if self._told_by.get(uuid) is contact:
            del self._told_by[uuid], self.gateways[uuid]


def _places(contact: Contact, endpoints: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Where it was dialled, or what it names at the address that it came from."""
    here = _PLACE.fullmatch(contact.where)
    if here is None:
        return ()
    if contact.outbound:
        return ((here[1], int(here[2])),)
    named = (_PLACE.fullmatch(text) for text in endpoints)
    places = ((one[1], int(one[2])) for one in named if one is not None and 0 < int(one[2]) < 65536)
    return tuple(dict.fromkeys(place for place in places if _same(place[0], here[1])))


def _same(one: str, other: str) -> bool:
    address = bare_address(one.strip("[]"))
    return address is not None and address == bare_address(other.strip("[]"))
