"""Where peers were reached, so that the next time a bare UUID is enough. In memory alone, for so many of them.

Not for: addresses from records (``given_records.py``) or of gateways (``circuits.py``). Spec: docs/spec/dialling.md.
"""

from __future__ import annotations

from dataclasses import replace

from quantumgate.ids import PeerUUID
from quantumgate.node.dialling import Target, through_an_anchor

ADDRESSES_REMEMBERED = 256
"""Peers whose addresses we keep after a connection."""


class Whereabouts:
    """One node's."""

    def __init__(self) -> None:
        self._reached: dict[PeerUUID, Target] = {}

    def remember(self, target: Target) -> None:
        """It was reached there."""
        if target.uuid is None or not (target.hosts or target.anchors):
            return
        self._reached.pop(target.uuid, None)
        self._reached[target.uuid] = target
        if len(self._reached) > ADDRESSES_REMEMBERED:
            del self._reached[next(iter(self._reached))]

    def hosts(self, uuid: PeerUUID | None) -> tuple[tuple[str, int], ...]:
        """Of a peer that can be dialled; else empty."""
        known = self._reached.get(uuid) if uuid is not None else None
        return () if known is None else known.hosts

    def record(self, uuid: PeerUUID | None) -> bytes:
        """By which relays dial these hosts, where they need one; else empty."""
        known = self._reached.get(uuid) if uuid is not None else None
        return b"" if known is None else known.record

    def completed(self, target: Target) -> Target:
        """A bare UUID with the anchors through which it was reached; anything else as it is."""
        known = self._reached.get(target.uuid) if target.uuid is not None else None
        if known is None or not known.anchors or target.anchors or target.hosts or target.ways:
            return target
        return replace(
            target, fingerprint=target.fingerprint or known.fingerprint, route=through_an_anchor(target.route),
            anchors=known.anchors, rendezvous_key=known.rendezvous_key, vouchers=known.vouchers,
        )
