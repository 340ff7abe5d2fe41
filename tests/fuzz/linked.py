"""The fuzzed side's links: it answers, feeds, joins and ends them as the script says, and keeps books of their ends.

Not for: channels (``target.py``), what a link is (``quantumgate.core.relay``). Spec: docs/spec/relays.md.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from quantumgate.core.events import LinkArrived, LinkAsked
from quantumgate.core.peer_records import judge, sign
from quantumgate.core.peer_records import network_of as network_id
from quantumgate.core.places import may_lead_to, network_of
from quantumgate.core.relay.link import Link, splice
from quantumgate.core.relay.path import Gateway, PathWish, choose
from quantumgate.core.relay.quota import Quota
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.secret import Secret
from quantumgate.errors import RemoteProtocolError
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import Limits
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget, RelayTerms
from quantumgate.wire.peer_records import PeerRecord
from tests.fuzz.peer import NOW_MS

REFUSES, SILENT, KEEPS, PRIVATE = 16, 32, 64, 128
"""Bits of MANNERS: links are refused, not answered at all, what comes on them is not taken, any address will do."""
OWN = frozenset({"192.0.2.77"})
MOST = 20
ENDPOINTS = (LinkEndpoint("192.0.2.1", 4711), LinkEndpoint("2001:db8::1", 80), LinkEndpoint("relay.example", 443))
CONNECTED = 1


NETWORK = network_id(b"QuantumGate")
AUTHOR = Identity(1, Secret(bytes(range(32))))
"""Always the same one: its record stands in the corpus."""
RECORD_TARGET = LinkTarget(AUTHOR.public.uuid, record=sign(AUTHOR, PeerRecord(
    NETWORK, AUTHOR.public.bundle, NOW_MS, NOW_MS // 1000 + 3600, endpoints=ENDPOINTS)).encode()).encode()


def _named_in(target: LinkTarget) -> tuple[LinkEndpoint, ...]:
    """By a record, where there is one that is good."""
    try:
        known = judge(target.record, network=NETWORK, now_ms=NOW_MS)
    except RemoteProtocolError:
        return ()
    return known.record.endpoints if known.identity.uuid == target.uuid else ()


class Spring:
    """Bytes for a link, as a Connection would have them."""

    def __init__(self) -> None:
        self.data = bytearray()

    @property
    def quiet(self) -> bool:
        return not self.data

    def put(self, view: memoryview, now: float) -> int:
        size = min(len(self.data), 5000)
        if size > len(view):
            return 0
        view[:size] = self.data[:size]
        del self.data[:size]
        return size

    def data_to_send(self, now: float) -> memoryview | None:
        return memoryview(bytes(self.data[:5000])) if self.data else None

    def taken(self, count: int, now: float) -> None:
        del self.data[:count]


class Links:
    """All links of one run; ``ends`` counts how often each ended."""

    def __init__(self, target: PeerUUID, limits: Limits) -> None:
        self.target = LinkTarget(target, ENDPOINTS)
        self.every: list[Link] = []
        self.ends: dict[int, int] = {}
        self.springs: dict[int, Spring] = {}
        self.joined: set[int] = set()
        self.unread: dict[int, int] = {}
        self.manners = 0
        self.quota, self.counted, self.now = Quota(limits), dict[int, str](), 0.0
        self.hosts: list[tuple[str, int]] = []

    def met(self, event: LinkAsked | LinkArrived, now: float) -> None:
        link = event.link
        if link.closed:
            return
        self.own(link)
        if isinstance(event, LinkAsked):
            self._judge(len(self.every) - 1, event.target, now)

    def _judge(self, number: int, target: LinkTarget, now: float) -> None:
        """As a relay does: where it leads, how many there are, then an answer."""
        link, private, signed = self.every[number], bool(self.manners & PRIVATE), bool(target.record)
        hosts = [(one.host, one.port) for one in target.endpoints or _named_in(target)]
        self.hosts += [pair for pair in hosts if may_lead_to(*pair, allow_private=private, own=OWN, signed=signed)]
        prefix = hosts[0][0] if hosts else ""
        code = self.quota.refusal(prefix, now, exempt=private)
        if code is None:
            self.counted[number] = prefix
            self.quota.new_address(prefix, now)
        if not self.manners & SILENT:
            refused = code or (2 if self.manners & REFUSES else 0)
            link.answer(refused or CONNECTED, None if refused else RelayTerms(1000, 1 << 30, 60))
        self.now = now

    def own(self, link: Link) -> None:
        """A link that ended in the record that brought it has no owner any more."""
        if link.closed:
            return
        number = len(self.every)
        self.every.append(link)
        self.ends[number] = self.unread[number] = 0
        link.on_closed = lambda code: self._ended(number)
        link.hear(lambda data: self._data(number, len(data)))

    def _data(self, number: int, size: int) -> None:
        self.unread[number] += size
        if not self.manners & KEEPS:
            self.take(number)

    def take(self, number: int) -> None:
        size, self.unread[number] = self.unread[number], 0
        if size:
            self.every[number].consumed(size)

    def _ended(self, number: int) -> None:
        self.ends[number] += 1
        if number in self.counted:
            self.quota.ended(self.counted.pop(number), 1 << 30, self.now)

    # -- steps ---------------------------------------------------------------------------------------------------

    def ask(self, session: Any, a: int) -> None:
        if len(self.every) < MOST:
            self.own(session.all_links.ask(self.target) if a & 1 else session.all_links.bring())

    def feed(self, a: int, data: bytes) -> None:
        number = a % len(self.every)
        link = self.every[number]
        if not link.closed and number not in self.joined:
            spring = self.springs.setdefault(number, Spring())
            spring.data += data
            link.feed(spring)
            self.take(number)

    def end(self, a: int, b: int) -> None:
        link = self.every[a % len(self.every)]
        if b & 1:
            link.finish(b % 10)
        elif b & 2 or link.ours or link.connected:
            link.close(b % 10)
        elif not link.closed:
            link.answer(b % 10)

    def join(self, a: int, b: int) -> None:
        """Two of them become one path, as at a relay."""
        one, other = a % len(self.every), b % len(self.every)
        pair = self.every[one], self.every[other]
        if one == other or {one, other} & self.joined or not all(link.connected for link in pair):
            return
        self.joined |= {one, other}
        splice(*pair)
        for number, link in ((one, pair[0]), (other, pair[1])):
            self._count_again(number, link)

    def path(self, a: int, b: int, luck: Any) -> object:
        """Choose hops among places that the peer named and some that are known."""
        known = [(f"{n + 1}.{n % 3}.0.1", 1) for n in range(8)]
        family = ("", "", "one")
        gateways = [
            Gateway(PeerUUID(UUID(int=n << 100 | 8 << 76 | 2 << 62)), (place,), family=family[n % 3])
            for n, place in enumerate([*known, *self.hosts[-8:]])
        ]
        names = tuple(one.uuid for one in gateways)
        avoid = frozenset({network_of(known[0][0])}) if b & 1 else frozenset[str]()
        bad, guards = frozenset(names[:2] if b & 2 else ()), names[3:4] if b & 4 else ()
        return choose(PathWish(a % 10, names[-1], avoid, bad, guards, diverse=not b & 8), gateways, luck)

    def _count_again(self, number: int, link: Link) -> None:
        passed_on = link.on_closed

        def ended(code: int) -> None:
            self._ended(number)
            passed_on(code)

        link.on_closed = ended
