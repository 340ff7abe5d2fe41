"""Circuits of our own: a session with a peer through relays, asked for, watched while it stands, succeeded in time.

Not for: which relays to take (``paths.py``), building (``building.py``), when a circuit is too old
(``lifetimes.py``), or carrying others' links (``relays.py``). Spec: docs/spec/relays.md, 4 and 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.core.events import Closed
from quantumgate.core.relay.bias import Passage
from quantumgate.core.relay.path import Gateway
from quantumgate.errors import ConnectFailed
from quantumgate.ids import PeerUUID
from quantumgate.node.building import Builder, SilentRelayError
from quantumgate.node.circuit import Circuit, bind, first_lost, nearest_culprit
from quantumgate.node.contact import ROLE_RELAY_CLIENT, Contact
from quantumgate.node.dialling import Target
from quantumgate.node.lifetimes import Lifetimes
from quantumgate.node.paths import Paths
from quantumgate.node.whereabouts import Whereabouts
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import Limits

RELAYS_OWN = frozenset({"limit", "path-lost"})
"""What the last relay says of itself; all else that goes wrong behind it may as well be the target's doing."""

INVITATION_WORDS = frozenset({"invitation-expired", "invitation-revoked", "invitation-used"})
LAST_WORDS = frozenset({"access-denied", "cancelled", "delegation", "denied", "pin", "self"}) | INVITATION_WORDS
"""Reasons for which no other way to the same peer is tried."""

EXPLAINED = frozenset(
    {"limit", "given-up", "pin", "delegation", "denied", "self",
     *(code.name.lower().replace("_", "-") for code in CloseCode)}
)
"""Why a circuit may fail while it is built without a question: we, a quota, or the target itself, by name."""

Dial = Callable[..., Deferred[Contact]]
_log = logs.named("circuit")


class Circuits:
    """One node's. ``dial(target, keep=)`` makes a direct session."""

    def __init__(self, world: World, limits: Limits, paths: Paths, builder: Builder, dial: Dial) -> None:
        self._world, self._builder, self._dial = world, builder, dial
        self.paths, self.blame = paths, paths.blame
        self.lifetimes = Lifetimes(world, limits, self._succeed)
        self.standing: set[Circuit] = set()
        self.failures: Counter[str] = Counter()
        self._whereabouts = Whereabouts()
        self._stopped = False
        self.look_up: Callable[[Target], Deferred[Target]] | None = None
        """For a bare UUID that nothing here knows: others are asked where it is."""
        self.found: Callable[[Target], Target] = _as_it_is
        """A bare UUID with the ways to it that are known from elsewhere."""

    @property
    def gateways(self) -> list[Gateway]:
        """Those that the operator named."""
        return self.paths.gateways

    def known(self) -> list[Gateway]:
        """All of them."""
        return self.paths.known()

    def gateway(self, uuid: PeerUUID) -> Gateway | None:
        """The one of this name, if it is known."""
        return self.paths.gateway(uuid)

    # -- asking --------------------------------------------------------------------------------------------------

    def reach(self, target: Target, *, keep: bool) -> Deferred[Contact]:
        """The contact with ``target`` by its route: the direct one, or one through relays. Fails with ConnectFailed."""
        target = self.found(target)
        if len(target.anchors) > 1 and not target.route.via:
            return self.reach(self._anchor_by_anchor(target), keep=keep).addCallback(self._remember, target)
        known = target
        if not target.hosts:
            record = self._whereabouts.record(target.uuid)
            known = replace(target, hosts=self._known_hosts(target.uuid), record=record)
        reached = self._dial(target, keep=keep) if target.route.direct else self._connect(known, keep)
        reached.addCallback(self._remember, known)
        if self.look_up is not None and target.bare:
            reached.addErrback(self._ask_others, target, keep)
        if target.otherwise is not None:
            reached.addErrback(self._try_otherwise, target.otherwise, keep)
        return reached

    def _try_otherwise(self, failure: Failure, otherwise: Target, keep: bool) -> Any:
        """Where the first way leads nowhere; what the peer itself or our own rules said stands."""
        error = failure.value
        if not isinstance(error, ConnectFailed) or (error.reason in LAST_WORDS and not error.by_relay):
            return failure
        _log.debug("another way is tried: {why}", why=error.reason)
        return self.reach(otherwise, keep=keep).addErrback(_more_telling, failure)

    def _ask_others(self, failure: Failure, target: Target, keep: bool) -> Any:
        """Nothing here knows where it is. What the search finds is dialled; if it finds nothing, it says why."""
        if self.look_up is None or getattr(failure.value, "reason", "") != "no-address":
            return failure
        return self.look_up(target).addCallback(self.reach, keep=keep)

    def relay_to_ask(self, target: Target) -> Deferred[Contact]:
        """A nameless session with a relay, for questions alone. Fails with ConnectFailed or LimitError."""
        return self._dial(target, keep=False, role=ROLE_RELAY_CLIENT)

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
        """One anchor, and where that fails the next."""
        first, *rest = self.paths.in_order(target.anchors)
        return replace(target, anchors=(first,), otherwise=replace(target, anchors=tuple(rest)))

    def _connect(self, target: Target, keep: bool) -> Deferred[Contact]:
        return self._built(target, keep=keep).addCallback(lambda circuit: circuit.contact)

    def _built(
        self, target: Target, *, keep: bool, shun: frozenset[PeerUUID] = frozenset(), succeeds: Contact | None = None
    ) -> Deferred[Circuit]:
        try:
            path = self.paths.choose(target, shun)
        except ConnectFailed as error:
            self.failures[error.reason] += 1
            return fail(error)
        passage = self.blame.begin()
        building = self._builder.build(
            target, path, keep=keep, succeeds=succeeds, failed=partial(self._failed, passage, target, path)
        )
        return building.addCallback(self._stands, passage)

    # -- what stands ---------------------------------------------------------------------------------------------

    def _stands(self, circuit: Circuit, passage: Passage) -> Circuit:
        passage.met.update(one.uuid for one in circuit.path)
        if circuit.target.uuid is not None:
            passage.met.add(circuit.target.uuid)
        self.standing.add(circuit)
        circuit.contact.explain = partial(self._over, circuit, passage)
        circuit.contact.ended().addCallback(lambda _: self._lost(circuit))
        bind(circuit.layers[1:])  # after that: who is to blame is seen while the rest stands
        self.lifetimes.stands(circuit)
        return circuit

    def _over(self, circuit: Circuit, passage: Passage, event: Closed) -> Closed:
        """The session with the peer is over: whose doing it was, and how its users should hear of it."""
        if event.by != "transport" or self._stopped or circuit.target.uuid is None:
            self.blame.explained(passage)
        else:
            path, lost = circuit.path, first_lost(circuit.layers[:-1])
            self.blame.unexplained(passage, path, circuit.target.uuid, len(path), lost)
        return circuit.explain(event)

    def _lost(self, circuit: Circuit) -> None:
        """It is over. A relay that is gone with it is left alone for a while."""
        self.standing.discard(circuit)
        self.lifetimes.gone(circuit)
        culprit = circuit.culprit()
        if culprit is not None and not self._stopped:
            self.failures["relay-lost"] += 1
            self.blame.failed(culprit.uuid)
            _log.info("a circuit was lost with its relay {relay}", relay=logs.peer(culprit.uuid))

    def _succeed(self, circuit: Circuit) -> Deferred[Circuit]:
        """A successor for a circuit that stands, over other relays but the first where there are."""
        shun = frozenset(one.uuid for one in circuit.path[1:])
        return self._built(circuit.target, keep=circuit.contact.keep, shun=shun, succeeds=circuit.contact)

    def succeeded(self, former: Contact, contact: Contact) -> None:
        """The peer of ``former`` is served by ``contact`` from now on; whichever of them is a circuit of ours."""
        by_contact = {circuit.contact: circuit for circuit in self.standing}
        self.lifetimes.succeeded(by_contact.get(former), by_contact.get(contact))

    # -- what failed ---------------------------------------------------------------------------------------------

    def bad_seconds(self, uuid: PeerUUID) -> float:
        """How long this gateway is still left alone, 0 = it is chosen."""
        return self.blame.bad_seconds(uuid)

    def _failed(
        self, passage: Passage, target: Target, path: tuple[Gateway, ...], layers: list[Contact], error: Exception
    ) -> None:
        """The relay that failed is left alone for a while. A target that fails blames nobody."""
        reason = error.reason if isinstance(error, ConnectFailed) else "given-up"
        self._account(passage, target, path, layers, error)
        next_one = path[len(layers)] if len(layers) < len(path) else path[-1] if reason in RELAYS_OWN else None
        if isinstance(error, SilentRelayError):  # it said nothing of the next one, so that may be without fault
            next_one = path[len(layers) - 1]
        next_one = None if isinstance(error, CancelledError) else next_one
        blamed = nearest_culprit(path, layers) or next_one
        where = logs.peer(blamed.uuid) if blamed is not None else "its target"
        _log.debug("a circuit failed at {where}: {why}", where=where, why=reason)
        self.failures[reason] += 1
        if blamed is not None:
            self.blame.failed(blamed.uuid)

    def _account(
        self, passage: Passage, target: Target, path: tuple[Gateway, ...], layers: list[Contact], error: Exception
    ) -> None:
        """What this says about the relays that it had reached."""
        reason = error.reason if isinstance(error, ConnectFailed) else "given-up"
        passage.met.update(one.uuid for one in path[: len(layers)])
        if target.uuid is None or self._stopped or reason in EXPLAINED:
            self.blame.explained(passage)
            return
        silent = isinstance(error, SilentRelayError)
        self.blame.unexplained(passage, path, target.uuid, len(layers), first_lost(layers), silent=silent)

    def stop(self) -> None:
        """The node stops: nothing is kept for the next circuit, and no relay is to blame."""
        self._builder.stop()
        self.lifetimes.stop()
        self.blame.stop()
        self._stopped = True


def _as_it_is(target: Target) -> Target:
    return target


def _more_telling(later: Failure, first: Failure) -> Failure:
    """What a relay has to say of itself tells less than why nobody was behind the one before."""
    by_relay = [getattr(one.value, "by_relay", False) for one in (first, later)]
    return first if by_relay == [False, True] else later
