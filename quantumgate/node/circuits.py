"""Circuits of our own: a session with a peer through relays, hop by hop, each hop authenticated in its turn.

The first hop is a socket to a gateway that does not learn who we are; every further one a link inside the session
before it, up to the peer, with whom the handshake is the ordinary one. Not for: carrying others' links
(``relays.py``), or which relays to take (``core/relay/path.py``). Spec: docs/spec/relays.md, 4 and 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.core.events import Closed
from quantumgate.core.relay.guards import refreshed
from quantumgate.core.relay.link import Link
from quantumgate.core.relay.links import PEER, RELAY_CLIENT
from quantumgate.core.relay.path import Gateway, PathWish, choose, network_of
from quantumgate.core.relay.reservations import proof
from quantumgate.core.session import DAMAGED
from quantumgate.crypto.identity import PeerIdentity
from quantumgate.errors import ConnectFailed, QuantumGateError
from quantumgate.ids import PeerUUID
from quantumgate.node.connections import Connections
from quantumgate.node.contact import Contact, Desk
from quantumgate.node.dialling import ADDRESS_ADVICE, Route, Target, ways_to
from quantumgate.node.given_records import check_voucher
from quantumgate.node.pins import Pins
from quantumgate.node.state import State
from quantumgate.node.whereabouts import Whereabouts
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode, LinkCode, describe
from quantumgate.wire.limits import Limits
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget

BAD_RELAY_SECONDS = 300.0
"""How long a relay that failed us is not chosen, where there are others."""

RELAYS_OWN = frozenset({"limit", "path-lost"})
"""What the last relay says of itself; all else that goes wrong behind it may as well be the target's doing."""

LAST_WORDS = frozenset({"access-denied", "cancelled", "denied", "pin", "self"})
"""Reasons for which no other way to the same peer is tried."""

_log = logs.named("circuit")


class SilentRelayError(ConnectFailed):
    """A relay that was asked for a link said neither yes nor no, though it has 12 s for that."""


def gateway_of(target: Target, hosts: tuple[tuple[str, int], ...]) -> Gateway:
    """A configured qg address as a gateway. Raises ConnectFailed where it names no peer or no host."""
    if target.uuid is None or not hosts:
        raise ConnectFailed("bad-address", f"a gateway is qg://UUID@host:port, not {target.address}")
    return Gateway(target.uuid, hosts, target.fingerprint)


@dataclass(frozen=True, slots=True, eq=False)
class Circuit:
    """One that stands: its relays, and the sessions with them and, last, with the peer."""

    path: tuple[Gateway, ...]
    layers: tuple[Contact, ...]

    @property
    def contact(self) -> Contact:
        """The peer's."""
        return self.layers[-1]

    def culprit(self) -> Gateway | None:
        """The nearest relay whose session is over, or that carried one in which a record was damaged; None where all of
        them stand. Innermost sessions end first."""
        return _first_lost(self.path, self.layers)

    def explain(self, event: Closed) -> Closed:
        """The end of the session with the peer, as who uses it should hear of it."""
        culprit = self.culprit() if event.by == "transport" else None
        if culprit is None:
            return event
        place = f"relay {self.path.index(culprit) + 1} of {len(self.path)}"
        if any(layer.damaged for layer in self.layers[1:]):
            return replace(event, reason=DAMAGED, text=f"{place} altered what it carries: {culprit.uuid}")
        return replace(event, reason="relay-lost", text=f"{place} was lost: {culprit.uuid}")


class Circuits:
    """One node's. ``dial(target, keep=, role=)`` makes the session with a first hop; ``gateways`` are all we know."""

    def __init__(
        self,
        own: PeerUUID,
        world: World,
        limits: Limits,
        desk: Desk,
        connections: Connections,
        dial: Callable[..., Deferred[Contact]],
        pins: Pins,
        state: State,
        gateways: Sequence[Gateway] = (),
        *,
        diverse: bool = True,
    ) -> None:
        self._own, self._world, self._limits, self._desk = own, world, limits, desk
        self._connections, self._dial, self._pins, self._state = connections, dial, pins, state
        self.gateways, self._diverse = list(gateways), diverse
        self.announced: Mapping[PeerUUID, Gateway] = {}
        self._entries: dict[PeerUUID, Contact] = {}
        self._bad_until: dict[PeerUUID, float] = {}
        self._whereabouts = Whereabouts()
        self.standing: set[Circuit] = set()
        self.failures: Counter[str] = Counter()
        self._stopped = False

    def known(self) -> list[Gateway]:
        """The configured gateways, and after them peers that announce that they relay (``announced.py``)."""
        configured = {one.uuid for one in self.gateways}
        return [*self.gateways, *(one for one in self.announced.values() if one.uuid not in configured)]

    # -- asking --------------------------------------------------------------------------------------------------

    def reach(self, target: Target, *, keep: bool) -> Deferred[Contact]:
        """The contact with ``target`` by its route: the direct one, or one through relays. Fails with ConnectFailed."""
        if len(target.anchors) > 1 and not target.route.via:
            return self.reach(self._anchor_by_anchor(target), keep=keep).addCallback(self._remember, target)
        known = replace(target, hosts=target.hosts or self._known_hosts(target.uuid))
        reached = self._dial(target, keep=keep) if target.route.direct else self._connect(known, keep)
        reached.addCallback(self._remember, known)
        if target.otherwise is not None:
            reached.addErrback(self._try_otherwise, target.otherwise, keep)
        return reached

    def _try_otherwise(self, failure: Failure, otherwise: Target, keep: bool) -> Any:
        """Where the first way leads nowhere; what the peer itself or our own rules said stands."""
        error = failure.value
        if not isinstance(error, ConnectFailed) or (error.reason in LAST_WORDS and not error.by_relay):
            return failure
        _log.debug("another way is tried: {why}", why=str(error))
        return self.reach(otherwise, keep=keep).addErrback(_more_telling, failure)

    def _known_hosts(self, uuid: PeerUUID | None) -> tuple[tuple[str, int], ...]:
        """Of a bare UUID: where it was reached before, or where it listens as a gateway."""
        of_gateways = (one.hosts for one in self.known() if one.uuid == uuid)
        return self._whereabouts.hosts(uuid) or next(of_gateways, ())

    def _remember(self, contact: Contact, target: Target) -> Contact:
        self._whereabouts.remember(target)
        return contact

    def completed(self, target: Target) -> Target:
        """A bare UUID with the anchors through which it was reached before; anything else as it is."""
        return self._whereabouts.completed(target)

    def _anchor_by_anchor(self, target: Target) -> Target:
        """One anchor, and where that fails the next: those that failed lately come last."""
        now, below = self._world.now(), self._world.random.below
        first, *rest = sorted(
            target.anchors, key=lambda one: (self._bad_until.get(one.uuid, 0.0) > now, below(1 << 16))
        )
        return replace(target, anchors=(first,), otherwise=replace(target, anchors=tuple(rest)))

    def _connect(self, target: Target, keep: bool) -> Deferred[Contact]:
        try:
            path = self.path(target)
        except ConnectFailed as error:
            self.failures[error.reason] += 1
            return _failed(error)
        building: Deferred[Contact] = self._build(target, path, keep).addErrback(_without_frames)
        return building.addTimeout(self._limits.circuit_seconds, self._world.clock, _too_slow)

    def path(self, target: Target) -> tuple[Gateway, ...]:
        """The relays that such a circuit would take. Raises ConnectFailed; never a shorter path than asked for."""
        if target.uuid is None or not (target.hosts or target.anchors):
            raise ConnectFailed("no-address", f"{target.address}: through relays a peer is reached by its address",
                                advice=ADDRESS_ADVICE)
        if target.uuid == self._own:
            raise ConnectFailed("self", "this is me", advice="the address names this node itself")
        if target.route.via:
            return self._via(target)
        if target.anchors:
            return self._to_an_anchor(target)
        wish = PathWish(
            hops=target.route.hops,
            target=target.uuid,
            avoid=frozenset(network for host in self._ends(target) if (network := network_of(host))),
            diverse=self._diverse,
        )
        others = [one for one in self.known() if one.uuid != self._own]
        guards = self._guards()
        for bad in self._failed_lately():
            for firsts in (guards, ()):
                with suppress(ConnectFailed):
                    return choose(replace(wish, bad=bad, guards=firsts), others, self._world.random)
        return choose(wish, others, self._world.random)

    def _failed_lately(self) -> Iterator[frozenset[PeerUUID]]:
        """Relays to leave alone: all that failed of late, then ever fewer: who failed last is likeliest away."""
        now = self._world.now()
        bad = sorted((uuid for uuid, until in self._bad_until.items() if until > now), key=self._bad_until.__getitem__)
        return (frozenset(bad[forgiven:]) for forgiven in range(len(bad) + 1))

    def _guards(self) -> tuple[PeerUUID, ...]:
        """First hops that are kept for months, among the gateways that were named."""
        named = [one for one in self.gateways if one.uuid != self._own]
        guards = refreshed(self._state.guards, named, self._world.wall_seconds(), self._world.random)
        if guards != self._state.guards:
            self._state.guards = guards
            self._state.save_in_background()
        return tuple(guards)

    def _via(self, target: Target) -> tuple[Gateway, ...]:
        anchors = {one.uuid: one for one in target.anchors}
        if anchors and target.route.via[-1] not in anchors:
            raise ConnectFailed("bad-path", "the last relay must be an anchor that the address names")
        return tuple(anchors.get(uuid) or self._named(uuid) for uuid in target.route.via)

    def _to_an_anchor(self, target: Target) -> tuple[Gateway, ...]:
        """Relays up to the peer's anchor, which counts as the last."""
        anchor, before = target.anchors[0], Route(target.route.hops - 1)
        way: tuple[Gateway, ...] = ()
        if not before.direct:
            way = self.path(replace(target, uuid=anchor.uuid, hosts=anchor.hosts, anchors=(), route=before))
        if target.uuid in (anchor.uuid, *(one.uuid for one in way)) or anchor.uuid == self._own:
            raise ConnectFailed("no-path", f"{target.address}: its anchor cannot be used")
        return (*way, anchor)

    def _ends(self, target: Target) -> tuple[str, ...]:
        """Addresses of both ends: no relay is next to either. Ours as far as sockets have told."""
        return (*(host for host, _ in target.hosts), *self._connections.own_hosts)

    def gateway(self, uuid: PeerUUID) -> Gateway | None:
        """The one of this name, if it is known."""
        return next((one for one in self.known() if one.uuid == uuid), None)

    def _named(self, uuid: PeerUUID) -> Gateway:
        found = self.gateway(uuid)
        if found is not None:
            return found
        advice = "name it in [relay] gateways, or connect to it"
        raise ConnectFailed("no-path", f"no gateway {uuid} is known", advice=advice)

    # -- building ------------------------------------------------------------------------------------------------

    @inlineCallbacks
    def _build(self, target: Target, path: tuple[Gateway, ...], keep: bool) -> Any:
        uuid = PeerUUID(target.uuid or self._own)
        layers: list[Contact] = []
        try:
            layers.append((yield self._entry(path[0])))
            for depth, hop in enumerate(path[1:], 1):
                layers.append(
                    (yield self._extend(layers[-1], hop.uuid, hop.fingerprint, hop.hosts, depth, RELAY_CLIENT))
                )
            through = tuple(one.uuid for one in path)
            last: Contact = yield self._extend(
                layers[-1], uuid, target.fingerprint, target.hosts or path[-1].hosts, len(path), PEER, path=through,
                dialled=target.address, keep=keep, why=target.route.why,
                aim=self._aim(target, layers[-1].session.peer),
            )
        except (QuantumGateError, CancelledError) as error:  # cancelled: it took too long, or nobody waits any more
            self._failed(path, layers, error)
            raise (_of_relay(error, path[len(layers)]) if len(layers) < len(path) else error) from None
        self._keep(Circuit(path, (*layers, last)))  # before _bind: who is to blame is seen while the rest stands
        _bind([*layers[1:], last])
        return last

    def _aim(self, target: Target, anchor: PeerIdentity) -> LinkTarget | None:
        """What the last relay is asked for, where that is not an address: a peer that reserved there, or its record."""
        if target.uuid is None or not (target.anchors or target.record):
            return None
        if target.record:
            return LinkTarget(target.uuid, record=target.record)
        check_voucher(target, anchor)
        return LinkTarget(target.uuid, proof=proof(target.rendezvous_key, anchor.uuid, self._world.wall_seconds()))

    def _keep(self, circuit: Circuit) -> None:
        self.standing.add(circuit)
        circuit.contact.explain = circuit.explain
        circuit.contact.ended().addCallback(lambda _: self._lost(circuit))

    def _lost(self, circuit: Circuit) -> None:
        """It is over. A relay that is gone with it is left alone for a while."""
        self.standing.discard(circuit)
        culprit = circuit.culprit()
        if culprit is not None and not self._stopped:
            self.failures["relay-lost"] += 1
            self._bad_until[culprit.uuid] = self._world.now() + BAD_RELAY_SECONDS
            _log.info("a circuit was lost with its relay {relay}", relay=logs.peer(culprit.uuid))

    def bad_seconds(self, uuid: PeerUUID) -> float:
        """How long this gateway is still left alone, 0 = it is chosen."""
        return max(0.0, self._bad_until.get(uuid, 0.0) - self._world.now())

    def _failed(self, path: tuple[Gateway, ...], layers: list[Contact], error: Exception) -> None:
        """Take down what stands; the relay that failed is left alone for a while. A target that fails blames nobody."""
        reason = error.reason if isinstance(error, ConnectFailed) else "given-up"
        next_one = path[len(layers)] if len(layers) < len(path) else path[-1] if reason in RELAYS_OWN else None
        if isinstance(error, SilentRelayError):  # it said nothing of the next one, so that may be without fault
            next_one = path[len(layers) - 1]
        next_one = None if isinstance(error, CancelledError) else next_one
        blamed = _first_lost(path, layers) or next_one
        where = logs.peer(blamed.uuid) if blamed is not None else "its target"
        _log.debug("a circuit failed at {where}: {why}", where=where, why=str(error))
        self.failures[reason] += 1
        if blamed is not None:
            self._bad_until[blamed.uuid] = self._world.now() + BAD_RELAY_SECONDS
        for contact in reversed(layers[1:]):
            contact.close(CloseCode.BYE, graceful=False)

    @inlineCallbacks
    def _entry(self, gateway: Gateway) -> Any:
        """The session with a first hop; circuits share it, as long as it has room."""
        standing = self._entries.get(gateway.uuid)
        if standing is not None and standing.has_room_for_a_link(self._limits.links_client):
            return standing
        ways = ways_to(self._world, gateway.hosts)
        wanted = Target(f"relay:{gateway.uuid}", gateway.uuid, gateway.fingerprint, ways)
        contact: Contact = yield self._dial(wanted, keep=False, role=RELAY_CLIENT)
        self._entries[gateway.uuid] = contact
        contact.ended().addCallback(lambda _: self._entry_ended(gateway.uuid, contact))
        return contact

    def _entry_ended(self, uuid: PeerUUID, contact: Contact) -> None:
        if self._entries.get(uuid) is contact:
            del self._entries[uuid]

    @inlineCallbacks
    def _extend(
        self, outer: Contact, uuid: PeerUUID, pin: bytes | None, hosts: Any, depth: int, role: int, *,
        aim: LinkTarget | None = None, **more: Any,
    ) -> Any:
        """One layer more: a link in ``outer``'s session, and a session of its own over it."""
        while wait := outer.link_wait_seconds(self._limits.link_create_rate):
            yield deferLater(self._world.clock, wait)
        if not outer.stands:
            raise ConnectFailed("path-lost", "a relay on the way was lost")
        link = outer.session.all_links.ask(aim or _link_target(uuid, hosts))
        _wake(outer)
        try:
            yield self._connected(link).addErrback(_anchor_says, bool(aim and aim.proof))
            place = " (its anchor)" if aim is not None and aim.proof else ""
            where = f"{hosts[0][0]}:{hosts[0][1]}{place} through {depth} relay{'s' if depth > 1 else ''}"
            inner = Contact(self._desk, where, outbound=True, role=role, **more)
            self._connections.depart_over(inner, uuid, pin or self._pins.of(uuid), link, depth)
            contact = yield inner.result
        except BaseException:
            link.close()
            _wake(outer)
            raise
        return contact

    def _connected(self, link: Link) -> Deferred[None]:
        """Fires when the relay has reached the next hop. Fails with ConnectFailed, which says what it answered."""
        waiting: Deferred[None] = Deferred()

        def answered(code: int, _terms: Any) -> None:
            if code == LinkCode.CONNECTED and not waiting.called:
                waiting.callback(None)

        def closed(code: int) -> None:
            if not waiting.called:
                waiting.errback(_refused(code))

        link.on_answer, link.on_closed = answered, closed
        return waiting.addTimeout(self._limits.link_connect_seconds, self._world.clock, _silent)

    def stop(self) -> None:
        """The node stops: nothing is kept for the next circuit, and no relay is to blame."""
        self._entries.clear()
        self._stopped = True


def _first_lost(path: Sequence[Gateway], layers: Sequence[Contact]) -> Gateway | None:
    """Whose fault the end of the outermost layer is that is over: of a damaged one, theirs who carried it."""
    over = next((at for at, layer in enumerate(layers) if not layer.stands), len(path))
    if over and over < len(layers) and layers[over].damaged:
        over -= 1
    return path[over] if over < len(path) else None


def _bind(layers: list[Contact]) -> None:
    """When the innermost session ends, the layers that were made for it end; the other way round links see to it."""
    for outer, inner in pairwise(layers):
        inner.ended().addCallback(_close, outer)


def _close(_: Any, contact: Contact) -> None:
    contact.close(CloseCode.BYE)


def _link_target(uuid: PeerUUID, hosts: Any) -> LinkTarget:
    return LinkTarget(uuid, tuple(LinkEndpoint(host.strip("[]"), port) for host, port in hosts))


def _wake(contact: Contact) -> None:
    if contact.protocol is not None:
        contact.protocol.wake()


def _refused(code: int) -> ConnectFailed:
    words = {
        LinkCode.UNREACHABLE: ("unreachable", "the relay could not reach the next hop"),
        LinkCode.POLICY: ("policy", "the relay's rules do not allow the next hop"),
        LinkCode.LIMIT: ("limit", "the relay's limits for us are reached"),
        LinkCode.RELAY_LIMIT: ("limit", "the relay carries all that it can"),
    }
    unknown = ("path-lost", f"the relay ended the link: {describe(code, LinkCode)}")
    reason, text = words.get(LinkCode(code), unknown) if code in set(LinkCode) else unknown
    return ConnectFailed(reason, text, advice="try another path")


def _of_relay(error: Exception, relay: Gateway) -> Exception:
    """What went wrong at a relay on the way, as such."""
    if isinstance(error, ConnectFailed):
        if error.reason == "access-denied":
            error = ConnectFailed(error.reason, f"{relay.uuid} carries nothing for us: it is no relay, or denies us",
                                  advice="take another one; a relay has node.relay = true")
        error.by_relay = True
    return error


def _more_telling(later: Failure, first: Failure) -> Failure:
    """What a relay has to say of itself tells less than why nobody was behind the one before."""
    by_relay = [getattr(one.value, "by_relay", False) for one in (first, later)]
    return first if by_relay == [False, True] else later


def _anchor_says(failure: Failure, anchored: bool) -> Failure:
    """An anchor answers alike whether the peer is away or the address is wrong; the user can look at both."""
    if anchored and isinstance(failure.value, ConnectFailed) and failure.value.reason == "unreachable":
        raise ConnectFailed(
            "unreachable", "the anchor brings nobody to this peer: it is offline or not reached through this anchor "
            "now, or the address is not right",
            advice="ask its owner what qgate relays shows there: the anchors, and the address",
        )
    return failure


def _without_frames(failure: Failure) -> Failure:
    """A failure as whoever asked gets it: its frames hold each layer that failed, and it, in a circle."""
    if isinstance(failure.value, QuantumGateError):
        failure.cleanFailure()  # type: ignore[no-untyped-call]
    return failure


def _too_slow(result: Any, seconds: float) -> Any:
    if isinstance(result, Failure):
        raise ConnectFailed("no-answer", f"no answer through the relays within {seconds:.0f} s") from DeferredTimeout()
    return result


def _silent(result: Any, seconds: float) -> Any:
    if isinstance(result, Failure):
        raise SilentRelayError("no-answer", f"a relay did not answer within {seconds:.0f} s") from DeferredTimeout()
    return result


def _failed(error: QuantumGateError) -> Deferred[Any]:
    failed: Deferred[Any] = Deferred()
    failed.errback(error)
    return failed
