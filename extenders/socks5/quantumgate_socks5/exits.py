"""The exits: peers that offered themselves and may be chosen, which of them fails, and which one a call takes.

A key (user, password) keeps its exit as long as that works; other keys are spread over the rest. Several are kept
connected, failed ones come last until their back-off is over. Not for: lines (``nearline.py``).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from quantumgate.extender import api

from .paths import Paths
from .settings import Settings, uuid_in
from .wire import Kind, Offer


class BackOff:
    """From ``least`` seconds on, doubled with every failure up to ``most``; a success forgets them all."""

    def __init__(self, least: float, most: float) -> None:
        self._least, self._most = least, most
        self.failures = 0
        self.until = float("-inf")

    def failed(self, now: float) -> float:
        """Not before the seconds that this returns."""
        wait: float = min(self._most, self._least * 2 ** min(self.failures, 32))
        self.failures += 1
        self.until = now + wait
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

    def peer_for(self, kind: Kind) -> api.IPeer | None:
        """A session whose offer covers this kind of call; the newest."""
        for peer, offer in reversed(self.offers.items()):
            if {Kind.CONNECT: offer.tcp, Kind.BIND: offer.bind, Kind.ASSOCIATE: offer.udp}[kind]:
                return peer
        return None


class Exits:
    """All of one node."""

    def __init__(self, host: Any, settings: Settings, paths: Paths) -> None:
        self._host, self._clock, self._settings, self._paths = host, host.clock, settings, paths
        self._salt = secrets.token_bytes(16)
        self._named = {uuid_in(text): text for text in settings.exits}
        self._known: dict[UUID, KnownExit] = {uuid: KnownExit(uuid, settings) for uuid in self._named}
        self._dials: set[UUID] = set()
        self._timer: Any = None
        self._over = False

    def __iter__(self) -> Any:
        return iter(self._known.values())

    # -- who is there --------------------------------------------------------------------------------------------------

    def offered(self, peer: api.IPeer, offer: Offer) -> None:
        """The peer says what it does for us. One that may not be chosen, or has no name, is not kept."""
        if peer.uuid is None or (self._named and peer.uuid not in self._named):
            return
        known = self._known.setdefault(peer.uuid, KnownExit(peer.uuid, self._settings))
        known.offers.pop(peer, None)
        if offer.tcp or offer.bind or offer.udp:
            known.offers[peer] = offer
            known.dialling.worked()

    def left(self, peer: api.IPeer) -> None:
        """Its session is over; one that is named is dialled again."""
        known = self._known.get(peer.uuid)
        if known is None:
            return
        known.offers.pop(peer, None)
        if not known.offers and peer.uuid not in self._named:
            del self._known[peer.uuid]
        self.keep_warm()

    # -- which one -----------------------------------------------------------------------------------------------------

    def choose(self, key: bytes, kind: Kind, tried: Iterable[UUID]) -> tuple[KnownExit, api.IPeer] | None:
        """The exit for a call: that of its key, unless it fails or was tried; None where there is none."""
        now, tried = self._clock.seconds(), set(tried)
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

    def _rank(self, key: bytes, uuid: UUID) -> bytes:
        return hashlib.blake2b(uuid.bytes + key, key=self._salt, digest_size=8).digest()

    def failed(self, known: KnownExit) -> None:
        """It took a call and did not do it."""
        known.health.failed(self._clock.seconds())

    def worked(self, known: KnownExit) -> None:
        """It answered for the destination, well or not."""
        known.calls += 1
        known.health.worked()

    # -- keeping several connected -------------------------------------------------------------------------------------

    def keep_warm(self) -> None:
        """Dials named exits that have an address, in their order, until enough are there."""
        if self._over:
            return
        now = self._clock.seconds()
        there = sum(bool(known.offers) for known in self._known.values()) + len(self._dials)
        waits = []
        for uuid, text in self._named.items():
            known = self._known[uuid]
            if known.offers or uuid in self._dials or "@" not in text:
                continue
            if there >= self._settings.exits_warm:
                break
            if known.dialling.until > now:
                waits.append(known.dialling.until - now)
                continue
            there += 1
            self._dial(known, text)
        if waits:
            self._again(min(waits))

    def _dial(self, known: KnownExit, text: str) -> None:
        self._dials.add(known.uuid)
        known.dialling.failed(self._clock.seconds())  # until its offer comes: a peer that is no exit is dialled rarely
        self._paths.dial(text).addBoth(self._dialled, known.uuid)

    def _dialled(self, _: object, uuid: UUID) -> None:
        self._dials.discard(uuid)
        self._again(0.0)

    def _again(self, wait: float | None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if wait is not None and not self._over:
            self._timer = self._clock.callLater(wait + 0.01, self.keep_warm)

    def stop(self) -> None:
        """No more dialling."""
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


