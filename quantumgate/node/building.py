"""Builds a circuit hop by hop, each hop authenticated in its turn.

The first hop is a socket to a gateway that does not learn who we are; every further one a link inside the session
before it, up to the peer, with whom the handshake is the ordinary one. Not for: which relays to take (``paths.py``),
or what becomes of a circuit that stands (``circuits.py``). Spec: docs/spec/relays.md, 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from quantumgate.core.relay.link import Link
from quantumgate.core.relay.links import PEER, RELAY_CLIENT
from quantumgate.core.relay.path import Gateway
from quantumgate.core.relay.reservations import proof
from quantumgate.crypto.identity import PeerIdentity
from quantumgate.errors import ConnectFailed, QuantumGateError
from quantumgate.ids import PeerUUID
from quantumgate.node.circuit import Circuit
from quantumgate.node.connections import Connections
from quantumgate.node.contact import Contact, Desk
from quantumgate.node.dialling import Target, ways_to
from quantumgate.node.given_records import check_voucher
from quantumgate.node.pins import Pins
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode, LinkCode, describe
from quantumgate.wire.limits import Limits
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget

Dial = Callable[..., Deferred[Contact]]
Failed = Callable[[list[Contact], Exception], None]


class SilentRelayError(ConnectFailed):
    """A relay that was asked for a link said neither yes nor no, though it has 12 s for that."""


class Builder:
    """One node's. ``dial(target, keep=, role=)`` makes the session with a first hop."""

    def __init__(
        self, world: World, limits: Limits, desk: Desk, connections: Connections, dial: Dial, pins: Pins
    ) -> None:
        self._world, self._limits, self._desk = world, limits, desk
        self._connections, self._dial, self._pins = connections, dial, pins
        self.entries: dict[PeerUUID, Contact] = {}

    def build(
        self, target: Target, path: tuple[Gateway, ...], *, keep: bool, failed: Failed, succeeds: Contact | None = None
    ) -> Deferred[Circuit]:
        """The circuit over these relays, in time or not at all. ``succeeds``: the session whose peer it takes over.

        Before it fails with a QuantumGateError, ``failed(layers, error)`` is told how far it came, while that stands.
        """
        building: Deferred[Circuit] = self._build(target, path, keep, failed, succeeds).addErrback(_without_frames)
        return building.addTimeout(self._limits.circuit_seconds, self._world.clock, _too_slow)

    @inlineCallbacks
    def _build(
        self, target: Target, path: tuple[Gateway, ...], keep: bool, failed: Failed, succeeds: Contact | None
    ) -> Any:
        layers: list[Contact] = []
        try:
            layers.append((yield self._entry(path[0])))
            for depth, hop in enumerate(path[1:], 1):
                layers.append(
                    (yield self._extend(layers[-1], hop.uuid, hop.fingerprint, hop.hosts, depth, RELAY_CLIENT))
                )
            last: Contact = yield self._finish(target, path, layers[-1], keep, succeeds)
        except (QuantumGateError, CancelledError) as error:  # cancelled: it took too long, or nobody waits any more
            failed(layers, error)
            for contact in reversed(layers[1:]):
                contact.close(CloseCode.BYE, graceful=False)
            if len(layers) < len(path):
                raise _of_relay(error, path[len(layers)]) from None
            raise
        return Circuit(target, path, (*layers, last))

    def _finish(
        self, target: Target, path: tuple[Gateway, ...], outer: Contact, keep: bool, succeeds: Contact | None
    ) -> Deferred[Contact]:
        """The session with the peer itself."""
        assert target.uuid is not None
        finished: Deferred[Contact] = self._extend(
            outer, target.uuid, target.fingerprint, target.hosts or path[-1].hosts, len(path), PEER,
            aim=self._aim(target, outer.session), path=tuple(one.uuid for one in path), dialled=target.address,
            keep=keep, why=target.route.why, succeeds=succeeds, prove=None if succeeds else target.prove,
        )
        return finished

    def _aim(self, target: Target, last: Any) -> LinkTarget | None:
        """What the last relay is asked for, where that is not an address: a peer that reserved there, or its record."""
        if target.uuid is None or not (target.anchors or target.record):
            return None
        if not target.anchors:
            return LinkTarget(target.uuid, record=target.record)
        anchor: PeerIdentity = last.peer
        check_voucher(target, anchor, last.peer_delegation)
        return LinkTarget(target.uuid, proof=proof(target.rendezvous_key, anchor.uuid, self._world.wall_seconds()))

    # -- one hop -------------------------------------------------------------------------------------------------

    @inlineCallbacks
    def _entry(self, gateway: Gateway) -> Any:
        """The session with a first hop; circuits share it, as long as it has room."""
        standing = self.entries.get(gateway.uuid)
        if standing is not None and standing.has_room_for_a_link(self._limits.links_client):
            return standing
        ways = ways_to(self._world, gateway.hosts)
        wanted = Target(f"relay:{gateway.uuid}", gateway.uuid, gateway.fingerprint, ways)
        contact: Contact = yield self._dial(wanted, keep=False, role=RELAY_CLIENT)
        self.entries[gateway.uuid] = contact
        contact.ended().addCallback(lambda _: self._entry_ended(gateway.uuid, contact))
        return contact

    def _entry_ended(self, uuid: PeerUUID, contact: Contact) -> None:
        if self.entries.get(uuid) is contact:
            del self.entries[uuid]

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
        """The node stops: nothing is kept for the next circuit."""
        self.entries.clear()


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
