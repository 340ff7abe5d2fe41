"""How the people of two nodes bring these together: names, heirs, invitations made and used. ``node.pairing``.

Not for: what any of them means (``names.py``, ``heirs.py``, ``inviting.py``, ``joining.py``). Told in
docs/guide/inviting-a-friend.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, inlineCallbacks

from quantumgate.control.api import InvitationReport, MadeInvitation
from quantumgate.errors import LocalError
from quantumgate.ids import parse_host
from quantumgate.node.anchors import Anchors
from quantumgate.node.announced import own_endpoints
from quantumgate.node.contact import Contact
from quantumgate.node.dialling import Target, route_of
from quantumgate.node.heirs import Heirs
from quantumgate.node.inviting import Inviting
from quantumgate.node.joining import Joined, Joining
from quantumgate.node.names import Names
from quantumgate.node.own_record import RecordAuthor
from quantumgate.node.renewal import Renewal
from quantumgate.wire.limits import PEER_RECORD_ENDPOINTS
from quantumgate.wire.link_frames import LinkEndpoint

PRIVATE_NOTE = "it names addresses of this network only: who is elsewhere needs --endpoint HOST:PORT, or relay.anchors"
NO_WAY_ADVICE = "say where it can be dialled: --endpoint HOST:PORT; or name relay.anchors"


class Pairing:
    """One node's. ``listening()``: bound endpoint strings; ``keep(target, contact)``: hold this session.

    ``own_addresses()``: where packets of this machine leave from; ``hops``: of relays, where nobody says how many.
    """

    def __init__(
        self, names: Names, heirs: Heirs, inviting: Inviting, joining: Joining, author: RecordAuthor, anchors: Anchors,
        *, keep: Callable[[Target, Contact], object], own_addresses: Callable[[], Collection[str]], hops: int,
    ) -> None:
        self.names, self.joining, self._inviting = names, joining, inviting
        self.heirs = heirs
        self._author, self._anchors, self._keep, self._hops = author, anchors, keep, hops
        self._own_addresses = own_addresses
        self.listening: Callable[[], Iterable[str]] = tuple
        self.renewal: Renewal
        """Of our own key; the wiring sets it."""

    def invite(
        self, endpoints: Sequence[str] = (), *, uses: int = 1, seconds: float = 86_400, only: Collection[str] = (),
        name: str = "", proposed: str = "",
    ) -> Deferred[MadeInvitation]:
        """A new invitation, once a restart would know it. Raises LocalError for what cannot be."""
        known = self._author.write(self.listening(), endpoints).record.endpoints
        anchors, note = self._anchors.inviting(), ""
        if not known and not anchors:
            known, note = near_places(self.listening(), self._own_addresses()), PRIVATE_NOTE
        if not known and not anchors:
            raise LocalError("nobody can dial this node: an invitation would lead nowhere", advice=NO_WAY_ADVICE)
        made = self._inviting.make(
            known, anchors, self._anchors.rendezvous_key, uses=uses, seconds=seconds, only=only, name=name,
            proposed=proposed,
        )
        report = msgspec.structs.replace(self._inviting.made(*made), note=note)
        return self._inviting.kept().addCallback(lambda _: report)

    def invitations(self) -> list[InvitationReport]:
        """Those that are remembered, the newest first."""
        return self._inviting.reports()

    def revoke(self, text: str) -> Deferred[InvitationReport]:
        """Takes back the one whose id begins so, once a restart would know. Raises LocalError."""
        report, kept = self._inviting.revoke(text)
        return kept.addCallback(lambda _: report)

    @inlineCallbacks
    def join(
        self, text: str, hops: int | None = None, via: Any = None, *, name: str = "", take_name: bool = False
    ) -> Any:
        """Joined, by somebody else's invitation; the session is kept. Fails with ConnectFailed or LocalError."""
        route = route_of(hops, via, self._hops)
        joined: Joined = yield self.joining.join(text, route, name=name, take=take_name)
        uuid = joined.uuid
        self._keep(self.joining.completed(Target(str(uuid), uuid, None, (), route=route)), joined.contact)
        return joined


def near_places(listening: Iterable[str], own: Collection[str]) -> tuple[LinkEndpoint, ...]:
    """Where this machine, or its own network, can dial these listeners; for who has nothing better to say."""
    bound = [text.replace("\\", "") for text in listening]
    named = map(parse_host, own_endpoints(bound, allow_private=True))
    anywhere = (text for text in bound if text.startswith(("tcp:", "tcp6:")) and "interface" not in text)
    ports = [int(text.split(":")[1]) for text in anywhere]
    every = [(host, port) for port in ports for host in own]
    places = [LinkEndpoint(host.strip("[]"), port) for host, port in (*named, *every)]
    outside = [one for one in places if not ip_address(one.host).is_loopback]
    return tuple(dict.fromkeys(outside or places))[:PEER_RECORD_ENDPOINTS]
