"""Which relays are left alone: for minutes after a failure, for days where too many circuits died through them.

The first is only a wish, given up where there is no other; the second holds, but for at most half of the gateways.
Not for: who is to blame for one death (``core/relay/bias.py``). Spec: docs/spec/relays.md, 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from quantumgate import logs
from quantumgate.core.relay.bias import SETTLED_SECONDS, Passage, PathBias, suspects
from quantumgate.core.relay.path import Gateway
from quantumgate.ids import PeerUUID
from quantumgate.node.state import State
from quantumgate.node.world import World
from quantumgate.wire.limits import Limits

BAD_RELAY_SECONDS = 300.0
"""How long a relay that failed us is not chosen, where there are others."""

_log = logs.named("circuit")


class Blame:
    """One node's. ``known()`` are all gateways that circuits may take."""

    def __init__(self, world: World, limits: Limits, state: State, known: Callable[[], Sequence[Gateway]]) -> None:
        self._world, self._limits, self._state, self._known = world, limits, state, known
        self._bad_until: dict[PeerUUID, float] = {}
        self._bias = PathBias(limits)
        self._judging: Any = None
        self._settled_at = 0.0
        self._occasionally = logs.Occasionally(world.now)

    # -- minutes -------------------------------------------------------------------------------------------------

    def failed(self, uuid: PeerUUID) -> None:
        """This relay failed us just now."""
        self._bad_until[uuid] = self._world.now() + BAD_RELAY_SECONDS

    def failed_lately(self) -> Iterator[frozenset[PeerUUID]]:
        """Relays to leave alone: all that failed of late, then ever fewer: who failed last is likeliest away."""
        now = self._world.now()
        bad = sorted((uuid for uuid, until in self._bad_until.items() if until > now), key=self._bad_until.__getitem__)
        return (frozenset(bad[forgiven:]) for forgiven in range(len(bad) + 1))

    def bad_seconds(self, uuid: PeerUUID) -> float:
        """How long this relay is still left alone, 0 = it is chosen."""
        return max(0.0, self._bad_until.get(uuid, 0.0) - self._world.now())

    # -- days ----------------------------------------------------------------------------------------------------

    def begin(self) -> Passage:
        """A circuit is being built."""
        return self._bias.begin()

    def explained(self, passage: Passage) -> None:
        """It is over, and no relay had a hand in it that we could not see."""
        self._bias.ended(passage, self._world.now())

    def unexplained(
        self, passage: Passage, path: Sequence[Gateway], target: PeerUUID, reached: int, lost: int | None, *,
        silent: bool = False,
    ) -> None:
        """It is over, and nobody says why; see ``core.relay.bias.suspects``."""
        accused, others = suspects([one.uuid for one in path], target, reached, lost, silent=silent)
        self._bias.died(passage, self._world.now(), accused, others)
        if accused:
            self._settled_at = self._world.now() + SETTLED_SECONDS
            self._judge_later()

    def _judge_later(self) -> None:
        left_seconds = self._settled_at - self._world.now()
        if left_seconds > 0 and (self._judging is None or not self._judging.active()):
            self._judging = self._world.clock.callLater(left_seconds, self._judge)

    def _judge(self) -> None:
        """Drops those through whom too many circuits died."""
        self._judge_later()
        known = {one.uuid for one in self._known()}
        dropped = self.dropped()
        for uuid in self._bias.excessive(self._world.now()):
            if uuid not in known:
                continue
            if 2 * (len(dropped & known) + 1) > len(known):
                if self._occasionally.allows(uuid):
                    _log.warn("circuits die through {relay}, but half of all gateways are dropped already",
                              relay=logs.peer(uuid))
                continue
            dropped |= {uuid}
            self._drop(uuid)

    def _drop(self, uuid: PeerUUID) -> None:
        limits = self._limits
        self._bias.forget(uuid)
        self._state.dropped[uuid] = int(self._world.wall_seconds() + limits.relay_dropped_seconds)
        self._state.save_in_background()
        _log.warn("{relay} is dropped for {days} days: {why}", relay=logs.peer(uuid), why=self.why_dropped,
                  days=round(limits.relay_dropped_seconds / 86_400, 1))

    @property
    def why_dropped(self) -> str:
        """The reason, for people."""
        limits = self._limits
        return (f"more than {limits.relay_deaths} circuits died through it without a reason within "
                f"{limits.relay_deaths_seconds / 60:.0f} minutes")

    def dropped(self) -> frozenset[PeerUUID]:
        """Relays that are no hops of ours, over restarts. A time further ahead than we ever set one counts as over."""
        return frozenset(uuid for uuid in self._state.dropped if self.dropped_seconds(uuid))

    def dropped_seconds(self, uuid: PeerUUID) -> float:
        """How long this relay is no hop of ours, 0 = it may be."""
        left_seconds = self._state.dropped.get(uuid, 0) - self._world.wall_seconds()
        return left_seconds if 0 < left_seconds <= self._limits.relay_dropped_seconds else 0.0

    def deaths(self, uuid: PeerUUID) -> float:
        """Deaths of the last hour that this relay answers for."""
        return self._bias.charges(self._world.now()).get(uuid, 0.0)

    def stop(self) -> None:
        """The node stops."""
        if self._judging is not None and self._judging.active():
            self._judging.cancel()
