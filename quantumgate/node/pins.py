"""Pins: the first authenticated contact ties a UUID to its key's full fingerprint, for good; and the newest delegation.

A UUID holds 118 bits of the same hash, so a mismatch is an attack or a very unlucky day; either way nobody is let in
and nothing is re-pinned. Not for: access. Spec: docs/spec/identity.md sections 6 and 7.
"""

from __future__ import annotations

from quantumgate import logs
from quantumgate.core.delegations import Delegation
from quantumgate.crypto.identity import PeerIdentity, parse_fingerprint
from quantumgate.ids import PeerUUID
from quantumgate.node.state import State
from quantumgate.wire.limits import PINS_OF_STRANGERS

_log = logs.named("identity")
SERIAL_MAX = (1 << 63) - 1
"""What a store's numbers hold: of larger serials none is newer than another."""


class Pins:
    """The pins of one node, kept in its state."""

    def __init__(self, state: State) -> None:
        self._state, self._full = state, False

    def of(self, uuid: PeerUUID) -> bytes | None:
        """The 32-byte fingerprint that this peer must show, or None at the first contact."""
        text = self._state.pins.get(uuid)
        return None if text is None else parse_fingerprint(text)

    def contradicts(self, identity: PeerIdentity) -> bool:
        """True if this UUID is pinned to another key."""
        pinned = self._state.pins.get(identity.uuid)
        return pinned is not None and pinned != identity.fingerprint_text

    def pin(self, identity: PeerIdentity, *, stranger: bool = False) -> None:
        """After an authenticated contact. Writes only what is new; never changes a pin, nor gives one up for another.

        A ``stranger`` came by itself, and no rule names it: there is room for so many.
        """
        if identity.uuid in self._state.pins:
            return
        if stranger and len(self._state.pins) >= PINS_OF_STRANGERS:
            if not self._full:
                self._full = True
                _log.warn("{most} peers are pinned: strangers that come from now on are not", most=PINS_OF_STRANGERS)
            return
        self._state.pins[identity.uuid] = identity.fingerprint_text
        self._state.save_in_background()

    def least_serial(self, uuid: PeerUUID) -> int:
        """Of the newest delegation that was seen of this peer: an older one may be a stolen key's."""
        return self._state.serials.get(uuid, 0)

    def heard(self, identity: PeerIdentity, delegation: Delegation | None) -> None:
        """A delegation that was verified, from a session or a record. Remembered of pinned peers alone."""
        if delegation is None or identity.uuid not in self._state.pins:
            return
        serial = min(delegation.serial, SERIAL_MAX)
        if serial > self.least_serial(identity.uuid):
            self._state.serials[identity.uuid] = serial
            self._state.save_in_background()
