"""Which relays a circuit of ours takes: from the gateways that are known, with guards, without who is left alone.

Joins ``core/relay/path.py`` and ``guards.py`` with what this node knows of itself, of both ends and of the relays.
Not for: building the circuit (``building.py``). Spec: docs/spec/relays.md, 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from quantumgate.core.places import network_of
from quantumgate.core.relay.guards import FIRST, MIDDLE, Layer, refreshed
from quantumgate.core.relay.path import Gateway, PathWish, choose, require_length
from quantumgate.errors import ConnectFailed
from quantumgate.ids import PeerUUID
from quantumgate.node.blame import Blame
from quantumgate.node.dialling import ADDRESS_ADVICE, Route, Target
from quantumgate.node.state import State
from quantumgate.node.world import World
from quantumgate.wire.limits import Limits

WISHES = (("shun", "firsts", "middles"), ("firsts", "middles"), ("firsts",), ("middles",), ())
"""What is asked of a path, and what is left of it where there is none like that. Dropped relays never come back in."""


def gateway_of(target: Target, hosts: tuple[tuple[str, int], ...]) -> Gateway:
    """A configured qg address as a gateway. Raises ConnectFailed where it names no peer or no host."""
    if target.uuid is None or not hosts:
        raise ConnectFailed("bad-address", f"a gateway is qg://UUID@host:port, not {target.address}")
    return Gateway(target.uuid, hosts, target.fingerprint)


class Paths:
    """One node's. ``own_hosts()``: addresses of ours; ``with_middles()``: whether second hops are kept, too."""

    def __init__(
        self,
        own: PeerUUID,
        world: World,
        limits: Limits,
        state: State,
        gateways: Sequence[Gateway] = (),
        *,
        own_hosts: Callable[[], Iterable[str]],
        own_anchors: Iterable[PeerUUID] = (),
        with_middles: Callable[[], bool] = lambda: False,
        diverse: bool = True,
    ) -> None:
        self._own, self._world, self._state, self._diverse = own, world, state, diverse
        self._own_hosts, self._own_anchors, self._with_middles = own_hosts, frozenset(own_anchors), with_middles
        self.gateways = list(gateways)
        self.announced: Mapping[PeerUUID, Gateway] = {}
        self.blame = Blame(world, limits, state, self.known)

    def known(self) -> list[Gateway]:
        """The configured gateways, and after them peers that announce that they relay (``announced.py``)."""
        configured = {one.uuid for one in self.gateways}
        return [*self.gateways, *(one for one in self.announced.values() if one.uuid not in configured)]

    def choose(self, target: Target, shun: frozenset[PeerUUID] = frozenset()) -> tuple[Gateway, ...]:
        """The relays for a circuit to ``target``, others than ``shun`` where there are. Raises ConnectFailed."""
        if target.uuid is None or not (target.hosts or target.anchors):
            raise ConnectFailed("no-address", f"{target.address}: through relays a peer is reached by its address",
                                advice=ADDRESS_ADVICE)
        if target.uuid == self._own:
            raise ConnectFailed("self", "this is me", advice="the address names this node itself")
        if target.route.via:
            return self._via(target)
        if target.anchors:
            return self._to_an_anchor(target, shun)
        if target.uuid in self._own_anchors and self._near_us(Gateway(target.uuid, target.hosts)):
            raise ConnectFailed("no-path", f"{target.address}: this anchor is in a network of our own",
                                advice="take another anchor, or privacy.hops = 0")
        return self._drawn(target, shun)

    def _via(self, target: Target) -> tuple[Gateway, ...]:
        require_length(target.route.hops)
        anchors = {one.uuid: one for one in target.anchors}
        if anchors and target.route.via[-1] not in anchors:
            raise ConnectFailed("bad-path", "the last relay must be an anchor that the address names")
        return tuple(anchors.get(uuid) or self._named(uuid) for uuid in target.route.via)

    def gateway(self, uuid: PeerUUID) -> Gateway | None:
        """The one of this name, if it is known."""
        return next((one for one in self.known() if one.uuid == uuid), None)

    def _named(self, uuid: PeerUUID) -> Gateway:
        found = self.gateway(uuid)
        if found is not None:
            return found
        advice = "name it in [relay] gateways, or connect to it"
        raise ConnectFailed("no-path", f"no gateway {uuid} is known", advice=advice)

    # -- anchors -------------------------------------------------------------------------------------------------

    def in_order(self, anchors: Sequence[Gateway]) -> list[Gateway]:
        """Which to try first: those that were dropped or failed lately come last, and those next to us."""
        blame, luck, dropped = self.blame, self._world.random, self.blame.dropped()
        return sorted(anchors, key=lambda one: (one.uuid in dropped, blame.bad_seconds(one.uuid) > 0,
                                                self._near_us(one), luck.below(1 << 16)))

    def _to_an_anchor(self, target: Target, shun: frozenset[PeerUUID]) -> tuple[Gateway, ...]:
        """Relays up to the peer's anchor, which counts as the last."""
        anchor = target.anchors[0]
        way = self._before(anchor, target, shun)
        if target.uuid in (anchor.uuid, *(one.uuid for one in way)) or anchor.uuid == self._own:
            raise ConnectFailed("no-path", f"{target.address}: its anchor cannot be used")
        return (*way, anchor)

    def _before(self, anchor: Gateway, target: Target, shun: frozenset[PeerUUID]) -> tuple[Gateway, ...]:
        """The hops in front of an anchor. One that is alone is there to reach a node, not to hide from anybody."""
        if target.route.hops == 1:
            return ()
        if self._near_us(anchor):
            raise ConnectFailed("no-path", f"{target.address}: its anchor is in a network of our own")
        before = Route(target.route.hops - 1)
        return self._drawn(replace(target, uuid=anchor.uuid, hosts=anchor.hosts, anchors=(), route=before), shun)

    # -- drawing -------------------------------------------------------------------------------------------------

    def _drawn(self, target: Target, shun: frozenset[PeerUUID]) -> tuple[Gateway, ...]:
        assert target.uuid is not None
        end = self._as_known(Gateway(target.uuid, target.hosts))
        wish = PathWish(
            hops=target.route.hops, target=target.uuid, avoid=end.networks | self._own_networks(),
            kin=frozenset({end.family} - {""}), diverse=self._diverse,
        )
        dropped = self.blame.dropped()
        others = [one for one in self.known() if one.uuid != self._own and one.uuid not in dropped]
        guards = self._guards(others)
        for bad in self.blame.failed_lately():
            for names in WISHES:
                left_alone = bad | shun if "shun" in names else bad
                more = {name: guards[name] for name in names if name in guards}
                with suppress(ConnectFailed):
                    return choose(replace(wish, bad=left_alone, **more), others, self._world.random)
        return choose(wish, others, self._world.random)

    def _guards(self, others: Sequence[Gateway]) -> dict[str, Any]:
        """The only first, and second, hops among these, as a wish has them."""
        configured = {one.uuid for one in self.gateways}
        named = [one for one in others if one.uuid in configured]
        firsts = self._kept("guards", FIRST, named)
        rest = [one for one in named if one.uuid not in firsts]
        return {"firsts": firsts, "middles": self._kept("middles", MIDDLE, rest) if self._with_middles() else ()}

    def _kept(self, name: str, layer: Layer, named: Sequence[Gateway]) -> tuple[PeerUUID, ...]:
        """Hops that are kept for days or months, among the gateways that were named; written down when they change."""
        before = getattr(self._state, name)
        guards = refreshed(layer, before, named, self._world.wall_seconds(), self._world.random)
        if guards != before:
            setattr(self._state, name, guards)
            self._state.save_in_background()
        return tuple(guards)

    # -- where things are ----------------------------------------------------------------------------------------

    def _own_networks(self) -> frozenset[str]:
        hosts = (*self._own_hosts(), *self._world.own_addresses())
        return frozenset(network for host in hosts if (network := network_of(host)))

    def _near_us(self, gateway: Gateway) -> bool:
        return self._diverse and bool(self._as_known(gateway).networks & self._own_networks())

    def _as_known(self, gateway: Gateway) -> Gateway:
        """With what is known of it besides: an address of ours does not make it stand anywhere else."""
        known = self.gateway(gateway.uuid)
        return gateway if known is None else replace(known, hosts=(*gateway.hosts, *known.hosts))
