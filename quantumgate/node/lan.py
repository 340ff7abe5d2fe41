"""Nodes of this network on the same cable: heard by their beacons, listed, and dialled where our rules admit them.

Only what answers there and proves its key becomes a peer; a beacon is a hint. Not for: who is believed
(``core/discovery/heard.py``) or sockets (``net/multicast.py``). Spec: docs/spec/discovery.md, the local network. [A51]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed

from quantumgate import logs
from quantumgate.control.api import HeardReport, HeardState, LanReport
from quantumgate.core.access.addresses import address_of
from quantumgate.core.access.decision import Decision
from quantumgate.core.discovery.beacon import Seal, Timetable
from quantumgate.core.discovery.heard import HeardNode, HeardNodes, Hearing
from quantumgate.errors import AuthenticationError, ConnectFailed, MalformedError
from quantumgate.ids import PeerUUID, QgAddress, host_text
from quantumgate.net.backoff import Backoff
from quantumgate.net.multicast import Multicasting
from quantumgate.node.contact import Contact
from quantumgate.node.dialling import Route, Target, ways_to
from quantumgate.node.world import World
from quantumgate.wire.beacons import Beacon
from quantumgate.wire.limits import Limits

WHY = "heard on the local network"
POLITE_SECONDS = 3.0
"""Of two that hear each other the one with the smaller UUID dials; the other waits so long before it does."""

DIALS_AT_ONCE = 4
RETRY_SECONDS = (15.0, 600.0)
REFUSED_SECONDS = 600.0
"""Who does not admit us is asked again after this time."""

_BOUND = ("tcp", "tcp4", "tcp6")
_log = logs.named("lan")


class Neighbours(Protocol):
    """The part of ``peers.PeerTable`` that is asked who is connected."""

    def current(self, uuid: PeerUUID) -> Any: ...


class Rules(Protocol):
    """The part of ``access.Access`` that is asked whom to dial."""

    def decide(self, peer: PeerUUID, about: str = ..., *, dialled: bool = ..., standing: bool = ...) -> Decision: ...
    def filtered(self, address: Any, *, outbound: bool) -> Decision | None: ...


class _Try:
    """What became of dialling one node."""

    __slots__ = ("backoff", "dialling", "not_before", "why")

    def __init__(self, world: World, not_before: float) -> None:
        self.backoff = Backoff(world.random, first_seconds=RETRY_SECONDS[0], cap_seconds=RETRY_SECONDS[1])
        self.dialling: Deferred[Contact] | None = None
        self.not_before = not_before
        self.why = ""


class LocalNetwork:
    """One node's. ``listening()``: bound endpoint strings; ``dial(target, keep=)`` makes a direct session."""

    def __init__(
        self, own: PeerUUID, epoch: int, world: World, limits: Limits, seal: Seal, table: Neighbours, rules: Rules,
        dial: Callable[..., Deferred[Contact]], listening: Callable[[], Iterable[str]], *, dials: bool,
        notice: Callable[[str, str], object],
    ) -> None:
        self._own, self._epoch, self._world, self._limits, self._seal = own, epoch, world, limits, seal
        self._table, self._rules, self._dial, self._listening = table, rules, dial, listening
        self._dials, self._notice, self._twin = dials, notice, False
        self._nodes = HeardNodes(own, epoch, limits, world.now(), self._wall_ms())
        self._tries: dict[PeerUUID, _Try] = {}
        self._let_go: set[PeerUUID] = set()
        self._timetable = Timetable(limits, world.random, world.now())
        self._timer: Any = None
        self._look_timer: Any = None
        self._sockets: Multicasting | None = None
        self._last_ms = 0

    def _wall_ms(self) -> int:
        return int(self._world.wall_seconds() * 1000)

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listens for beacons, and sends them while there is a network."""
        self._sockets = self._world.multicast(self._seal.groups(), self._datagram)
        self._sockets.changed = self._network_came
        self._sockets.troubled = _warn
        self._timetable.begin(self._world.now())
        self._set_timer()
        self._sockets.start()

    def stop(self) -> Deferred[Any]:
        """Fires when nothing is heard any more."""
        sockets, self._sockets = self._sockets, None
        for each in self._tries.values():
            if each.dialling is not None:
                each.dialling.cancel()
        for timer in (self._timer, self._look_timer):
            if timer is not None and timer.active():
                timer.cancel()
        return succeed(None) if sockets is None else sockets.stop()

    def _network_came(self) -> None:
        """There is a cable where there was none: as at the start."""
        self._timetable.begin(self._world.now())
        self._set_timer()

    # -- saying --------------------------------------------------------------------------------------------------

    def _set_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        wait_seconds = max(0.0, self._timetable.next_at() - self._world.now())
        self._timer = self._world.clock.callLater(wait_seconds, self._send)

    def _send(self) -> None:
        if self._sockets is not None:
            self._sockets.send(partial(self._made, list(self._listening())))
            self._timetable.sent(self._world.now())
            self._set_timer()

    def _made(self, listening: list[str], address: str) -> bytes | None:
        """Our beacon as it leaves from this address; None where other addresses of ours can be dialled."""
        port = port_at(listening, address)
        if not port and any(one.partition(":")[0] in _BOUND for one in listening):
            return None
        self._last_ms = max(self._last_ms + 1, self._wall_ms())
        return self._seal.seal(Beacon(self._own, port, self._epoch, self._last_ms))

    # -- hearing -------------------------------------------------------------------------------------------------

    def _datagram(self, datagram: bytes, host: str) -> None:
        """From anybody on the cable."""
        now = self._world.now()
        if not self._nodes.admits(host, now):
            return
        try:
            beacon = self._seal.open(datagram)
        except (MalformedError, AuthenticationError):
            self._nodes.dropped["not ours"] += 1
            return
        if self._rules.filtered(address_of(host), outbound=True) is None:
            self._heard(beacon, self._nodes.hear(beacon, host, now, self._wall_ms()), now)

    def _heard(self, beacon: Beacon, hearing: Hearing, now: float) -> None:
        if hearing is Hearing.TWIN and not self._twin:
            self._twin = True
            self._notice("twin", "another node on the local network uses this identity")
        if hearing is Hearing.NEW:
            _log.info("{peer} is on the local network", peer=logs.peer(beacon.uuid))
            self._begin_anew(beacon.uuid, now)
            self._timetable.answer(now)
            self._set_timer()
        if hearing in (Hearing.NEW, Hearing.AGAIN):
            self._expire(now)
            self._consider(self._nodes.by_uuid[beacon.uuid], now)

    def _expire(self, now: float) -> None:
        for uuid in self._nodes.expire(now):
            self._forget_try(uuid)
            _log.info("{peer} is no longer heard on the local network", peer=logs.peer(uuid))

    def _forget_try(self, uuid: PeerUUID) -> None:
        """It is gone, or another process: where it was dialled nobody need wait any longer."""
        tried = self._tries.pop(uuid, None)
        if tried is not None and tried.dialling is not None:
            tried.dialling.cancel()

    def _begin_anew(self, uuid: PeerUUID, now: float) -> None:
        """Another process of it: dialled soon, but not as often as somebody says that there is yet another one."""
        tried = self._tries.get(uuid)
        if tried is not None:
            tried.not_before = min(tried.not_before, now + RETRY_SECONDS[0])

    # -- dialling ------------------------------------------------------------------------------------------------

    def _consider(self, node: HeardNode, now: float) -> None:
        """Whether to dial it: who is connected is kept, for as long as it is heard."""
        standing = self._table.current(node.uuid)
        if standing is not None:
            standing.session.keep = standing.session.keep or node.uuid not in self._let_go
            return
        tried = self._tries.get(node.uuid)
        if tried is None:
            wait_seconds = 0.0 if self._own < node.uuid or not self._can_be_dialled() else POLITE_SECONDS
            tried = self._tries[node.uuid] = _Try(self._world, now + wait_seconds)
        if tried.dialling is None and not self._against(node):
            self._later(node, tried, now)

    def _can_be_dialled(self) -> bool:
        addresses = self._sockets.addresses if self._sockets is not None else ()
        return any(port_at(self._listening(), address) for address in addresses)

    def _against(self, node: HeardNode) -> str:
        """Why this node is not dialled, "" = it is."""
        if node.uuid in self._let_go:
            return "disconnected by hand"
        if not self._dials:
            return "peers are dialled through relays alone (privacy.hops)"
        if not node.hosts:
            return "it takes no connections"
        decision = self._rules.decide(node.uuid)
        if not decision.admitted:
            return f"our own rules do not admit it: {decision.why}"
        if self._connected() >= self._limits.lan_sessions:
            return f"limit lan_sessions = {self._limits.lan_sessions} reached (limits.lan_sessions)"
        return ""

    def _connected(self) -> int:
        return sum(self._table.current(uuid) is not None for uuid in self._nodes.by_uuid)

    def _later(self, node: HeardNode, tried: _Try, now: float) -> None:
        """Now, or at the time that it has to wait for: a beacon comes seldom, and who waits for it waits long."""
        if tried.not_before > now:
            self._look_again_at(tried.not_before)
        elif sum(one.dialling is not None for one in self._tries.values()) < DIALS_AT_ONCE:
            tried.dialling = dialling = self._dial(self.target(node), keep=True)
            dialling.addCallbacks(
                self._connected_to, self._failed, callbackArgs=(node, tried), errbackArgs=(node, tried)
            )

    def _look_again_at(self, moment: float) -> None:
        if self._sockets is None:
            return
        timer, wait_seconds = self._look_timer, max(0.0, moment - self._world.now())
        if timer is not None and timer.active():
            if timer.getTime() <= self._world.clock.seconds() + wait_seconds:
                return
            timer.cancel()
        self._look_timer = self._world.clock.callLater(wait_seconds, self._look_at_all)

    def _look_at_all(self) -> None:
        now = self._world.now()
        self._expire(now)
        for node in list(self._nodes.by_uuid.values()):
            self._consider(node, now)

    def _connected_to(self, contact: Contact, node: HeardNode, tried: _Try) -> None:
        tried.dialling, tried.why = None, ""
        tried.backoff.reset()
        self._look_again_at(self._world.now())

    def _failed(self, failure: Any, node: HeardNode, tried: _Try) -> None:
        """The next beacon of it asks again, when it is time."""
        now, error = self._world.now(), failure.value
        tried.dialling, tried.why = None, str(error)
        refused = isinstance(error, ConnectFailed) and error.reason in ("access-denied", "denied", "pin")
        tried.not_before = now + (REFUSED_SECONDS if refused else tried.backoff.failed(now))
        _log.debug("{peer} was heard and is not connected: {why}", peer=logs.peer(node.uuid),
                   why=logs.words(tried.why))
        self._look_again_at(now + 1.0)

    def target(self, node: HeardNode) -> Target:
        """Where it says that it listens."""
        hosts = tuple((_bracketed(host), port) for host, port in node.hosts)
        return Target(str(QgAddress(node.uuid, hosts)), node.uuid, None, ways_to(self._world, hosts), hosts,
                      Route(why=WHY))

    def known(self, uuid: PeerUUID | None) -> Target | None:
        """A way to this peer, if it was heard; for a dial by hand."""
        node = self._nodes.by_uuid.get(uuid) if uuid is not None else None
        return self.target(node) if node is not None and node.hosts else None

    def let_go(self, uuid: PeerUUID) -> None:
        """Ended by hand: it is not dialled again because it is heard."""
        self._let_go.add(uuid)
        tried = self._tries.get(uuid)
        if tried is not None and tried.dialling is not None:
            tried.dialling.cancel()

    def take_back(self, uuid: PeerUUID | None) -> None:
        """Dialled by hand: whatever was said before."""
        self._let_go.discard(uuid)

    # -- for operators -------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._nodes.by_uuid)

    def report(self) -> LanReport:
        """Who is heard, who was heard first in front."""
        now = self._world.now()
        self._expire(now)
        return LanReport(
            enabled=True, addresses=self._sockets.addresses if self._sockets is not None else (),
            heard=[self._row(node, now) for node in self._nodes.by_uuid.values()], dropped=dict(self._nodes.dropped),
        )

    def _row(self, node: HeardNode, now: float) -> HeardReport:
        state, why = self._state_of(node, now)
        return HeardReport(
            uuid=str(node.uuid), endpoints=[host_text(_bracketed(host), port) for host, port in node.hosts],
            state=state, why=why, heard_seconds=round(now - node.first_at, 3),
            silent_seconds=round(now - node.last_at, 3),
        )

    def _state_of(self, node: HeardNode, now: float) -> tuple[HeardState, str]:
        tried = self._tries.get(node.uuid)
        if self._table.current(node.uuid) is not None:
            return "connected", ""
        if tried is not None and tried.dialling is not None:
            return "dialling", ""
        against = self._against(node)
        if against or tried is None:
            return "listed", against
        return "waiting", tried.why


def _warn(why: str) -> None:
    _log.warn("local network: {why}", why=why)


def port_at(listening: Iterable[str], address: str) -> int:
    """Where a peer can dial this address of ours, as the bound endpoint strings say; 0 = nowhere."""
    bare = address.partition("%")[0]
    for text in listening:
        kind, _, rest = text.replace("\\", "").partition(":")
        port, _, option = rest.partition(":interface=")
        if kind in _BOUND and port.isdigit() and _takes(kind, option, bare):
            return int(port)
    return 0


def _takes(kind: str, bound: str, address: str) -> bool:
    """Whether a listener bound so takes connections to this address. Without an address it takes all of its family."""
    if bound:
        return address_of(bound) == address_of(address)
    return (kind == "tcp6") == (":" in address)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
