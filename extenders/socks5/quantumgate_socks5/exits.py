"""The exits: peers that offered themselves and may be chosen, which of them fails, and which one a call takes.

A key (user, password) keeps its exit as long as that works; other keys are spread over the rest. Several are kept
connected, failed ones come last until their back-off is over. Where none is there, a call may wait for one that is on
its way (ADR 0130). Not for: lines (``nearline.py``).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from typing import Any
from uuid import UUID

from twisted.python.failure import Failure

from quantumgate.extender import api

from .paths import Paths, is_hopeless
from .settings import Settings, uuid_in
from .waiting import WaitingRoom
from .wire import Kind, Offer

EXPECTED = 64
"""How many exits that left, and that the node may connect again, are remembered."""


class BackOff:
    """From ``least`` seconds on, doubled with every failure up to ``most``; a success forgets them all."""

    def __init__(self, least: float, most: float) -> None:
        self._least, self._most = least, most
        self.failures = 0
        self.until = self.failed_at = float("-inf")

    def failed(self, now: float) -> float:
        """Not before the seconds that this returns."""
        wait: float = min(self._most, self._least * 2 ** min(self.failures, 32))
        self.failures += 1
        self.until, self.failed_at = now + wait, now
        return wait

    def worked(self) -> None:
        """All is well."""
        self.failures, self.until = 0, float("-inf")


class KnownExit:
    """One UUID: the sessions to it that made an offer, and how well it did."""

    def __init__(self, uuid: UUID, settings: Settings) -> None:
        self.uuid = uuid
        self.offers: dict[api.IPeer, Offer] = {}
        self.health = BackOff(settings.retry_min_seconds, settings.retry_max_seconds)
        self.dialling = BackOff(settings.retry_min_seconds, settings.retry_max_seconds)
        self.calls = 0
        self.last_offer: Offer | None = None
        self.expected_until = float("-inf")
        self.hopeless = False

    def peer_for(self, kind: Kind) -> api.IPeer | None:
        """A session whose offer covers this kind of call; the newest."""
        return next((peer for peer, offer in reversed(self.offers.items()) if _covers(offer, kind)), None)


def _covers(offer: Offer, kind: Kind) -> bool:
    return {Kind.CONNECT: offer.tcp, Kind.BIND: offer.bind, Kind.ASSOCIATE: offer.udp}[kind]


class Exits:
    """All of one node. ``waiting`` are the calls that wait for one."""

    def __init__(self, host: Any, settings: Settings, paths: Paths) -> None:
        self._host, self._clock, self._settings, self._paths = host, host.clock, settings, paths
        self._salt = secrets.token_bytes(16)
        self._named = {uuid_in(text): text for text in settings.exits}
        self._known: dict[UUID, KnownExit] = {uuid: KnownExit(uuid, settings) for uuid in self._named}
        self._dials: set[UUID] = set()
        self._expected: dict[UUID, KnownExit] = {}
        for known in self._known.values():
            known.expected_until = self._clock.seconds() + settings.exit_return_seconds
        self.waiting = WaitingRoom(settings.calls_waiting)
        self._timer: Any = None
        self._over = False

    def __iter__(self) -> Any:
        return iter(self._known.values())

    # -- who is there --------------------------------------------------------------------------------------------------

    def offered(self, peer: api.IPeer, offer: Offer) -> None:
        """The peer says what it does for us. One that may not be chosen, or has no name, is not kept."""
        if peer.uuid is None or (self._named and peer.uuid not in self._named):
            return
        known = self._known.get(peer.uuid) or self._expected.pop(peer.uuid, None)
        known = self._known[peer.uuid] = known or KnownExit(peer.uuid, self._settings)
        known.offers.pop(peer, None)
        if offer.tcp or offer.bind or offer.udp:
            known.offers[peer] = known.last_offer = offer
            known.dialling.worked()
            self.waiting.look()

    def left(self, peer: api.IPeer) -> None:
        """Its session is over; one that is named is dialled again, another the node may connect again."""
        known = self._known.get(peer.uuid)
        if known is None or known.offers.pop(peer, None) is None or known.offers:
            return
        known.expected_until = self._clock.seconds() + self._settings.exit_return_seconds
        if known.uuid not in self._named:
            self._expect(self._known.pop(known.uuid))
        self.keep_warm()

    def _expect(self, known: KnownExit) -> None:
        now = self._clock.seconds()
        for late in [uuid for uuid, each in self._expected.items() if each.expected_until <= now]:
            del self._expected[late]
        if len(self._expected) < EXPECTED:
            self._expected[known.uuid] = known

    # -- which one -----------------------------------------------------------------------------------------------------

    def choose(self, key: bytes, kind: Kind, tried: Collection[UUID]) -> tuple[KnownExit, api.IPeer] | None:
        """The exit for a call: that of its key, unless it fails or was tried; None where there is none."""
        now = self._clock.seconds()
        best: tuple[tuple[bool, float, bytes], KnownExit, api.IPeer] | None = None
        for known in self._known.values():
            peer = known.peer_for(kind)
            if peer is None or known.uuid in tried:
                continue
            failing = known.health.until > now
            rank = (failing, known.health.until if failing else 0.0, self._rank(key, known.uuid))
            if best is None or rank < best[0]:
                best = rank, known, peer
        return None if best is None else best[1:]

    def coming(self, kind: Kind, refused: Collection[UUID], by: float) -> bool:
        """Whether an exit for such a call may be there at the moment ``by``; ``refused`` are no longer asked."""
        return not self._over and any(
            self._comes(known, kind, by)
            for known in (*self._known.values(), *self._expected.values()) if known.uuid not in refused
        )

    def _comes(self, known: KnownExit, kind: Kind, by: float) -> bool:
        if known.offers:  # it is there, and the way to it was not: the next one is tried when its back-off is over
            return known.peer_for(kind) is not None and known.health.until <= by
        if known.last_offer is not None and not _covers(known.last_offer, kind):
            return False
        if known.uuid in self._dials:
            return True
        if self._has_address(known.uuid):
            return not known.hopeless and known.dialling.until <= by and self._there() < self._settings.exits_warm
        return bool(known.expected_until > self._clock.seconds())

    def failing(self, uuid: UUID) -> bool:
        """Whether it failed, and its back-off is not over."""
        known = self._known.get(uuid)
        return known is not None and known.health.until > self._clock.seconds()

    def _rank(self, key: bytes, uuid: UUID) -> bytes:
        return hashlib.blake2b(uuid.bytes + key, key=self._salt, digest_size=8).digest()

    def failed(self, known: KnownExit, began: float | None = None) -> None:
        """It took a call and did not do it. Calls that ``began`` before its last failure met the same one."""
        now = self._clock.seconds()
        if began is None or began > known.health.failed_at:
            known.health.failed(now)

    def worked(self, known: KnownExit) -> None:
        """It answered for the destination, well or not."""
        known.calls += 1
        known.health.worked()

    # -- keeping several connected -------------------------------------------------------------------------------------

    def keep_warm(self) -> None:
        """Dials named exits that have an address, in their order, until enough are there; who waits looks again."""
        if self._over:
            return
        for known in self._due()[0]:
            self._dial(known, self._named[known.uuid])
        self.waiting.look()
        self.plan()

    def _has_address(self, uuid: UUID) -> bool:
        return "@" in self._named.get(uuid, "")

    def _there(self) -> int:
        return sum(bool(known.offers) for known in self._known.values()) + len(self._dials)

    def _due(self) -> tuple[list[KnownExit], list[float]]:
        """Exits to dial now, and the moments at which those before them may be dialled again."""
        now, there = self._clock.seconds(), self._there()
        due: list[KnownExit] = []
        later = []
        for known in self._known.values():
            if known.offers or known.uuid in self._dials or not self._has_address(known.uuid):
                continue
            if there + len(due) >= self._settings.exits_warm:
                break
            if known.dialling.until > now:
                later.append(known.dialling.until)
            else:
                due.append(known)
        return due, later

    def _dial(self, known: KnownExit, text: str) -> None:
        self._dials.add(known.uuid)
        known.dialling.failed(self._clock.seconds())  # until its offer comes: a peer that is no exit is dialled rarely
        self._paths.dial(text).addBoth(self._dialled, known)

    def _dialled(self, result: object, known: KnownExit) -> None:
        self._dials.discard(known.uuid)
        known.hopeless = isinstance(result, Failure) and is_hopeless(result)
        self._again(0.0)

    def plan(self) -> None:
        """Comes back when the next dial is due, or something that a waiting call waits for."""
        if self._over:
            return
        now = self._clock.seconds()
        due, moments = self._due()
        if self.waiting:
            known = *self._known.values(), *self._expected.values()
            moments += [moment for each in known for moment in (each.health.until, each.expected_until) if moment > now]
        if due or moments:
            self._again(0.0 if due else min(moments) - now)

    def _again(self, wait: float | None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if wait is not None and not self._over:
            self._timer = self._clock.callLater(wait + 0.01, self.keep_warm)

    def stop(self) -> None:
        """No more dialling; who waits is told by its own end."""
        self._over = True
        self._again(None)

    def status(self) -> list[dict[str, Any]]:
        """A row for each exit, for operators."""
        now = self._clock.seconds()
        return [
            {
                "uuid": str(known.uuid),
                "state": _state(known, now),
                "calls": known.calls,
                "failures": known.health.failures,
                "retry_seconds": round(max(0.0, known.health.until - now), 1),
            }
            for known in self._known.values()
        ]


def _state(known: KnownExit, now: float) -> str:
    if not known.offers:
        return "not connected"
    return "failing" if known.health.until > now else "ready"


