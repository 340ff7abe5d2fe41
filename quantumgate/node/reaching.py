"""How this node is reached, as one part: where it is seen, who keeps a way to it, a direct way after a relayed one.

There only where ``[discovery] reachability`` is on. Not for: any of the parts (``reach.py``, ``rendezvous.py``,
``directly.py``). Spec: docs/spec/discovery.md section 7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quantumgate.core.discovery.reach import Place
from quantumgate.ids import host_text
from quantumgate.node.contact import Contact
from quantumgate.node.directly import DirectWays
from quantumgate.node.reach import Reachability
from quantumgate.node.rendezvous import Rendezvous
from quantumgate.wire.reach_frames import PLACES, REACH_ANSWER, REACH_ASK

Ears = dict[int, Callable[[Contact, Any], None]]


class Reaching:
    """One node's. ``rendezvous`` is None where relays are not asked by themselves, ``directly`` where it hides."""

    def __init__(
        self, reach: Reachability, rendezvous: Rendezvous | None, directly: DirectWays | None, ears: Ears
    ) -> None:
        self.reach, self._rendezvous, self._directly = reach, rendezvous, directly
        self._confirmed: tuple[Place, ...] = ()
        reach.changed = self._changed
        ears[REACH_ASK], ears[REACH_ANSWER], ears[PLACES] = reach.asked, reach.answered, self._told

    def arrived(self, contact: Contact) -> None:
        """A session with a peer stands."""
        self.reach.arrived(contact)
        if self._directly is not None:
            self._directly.arrived(contact)

    def carrier_came(self, contact: Contact) -> None:
        """A session that only carries links stands."""
        self.reach.carrier_came(contact)

    def _told(self, contact: Contact, places: Any) -> None:
        if self._directly is not None:
            self._directly.told(contact, places)

    def _changed(self) -> None:
        if self._rendezvous is not None:
            self._rendezvous.look()
        confirmed = self.reach.confirmed()
        if confirmed != self._confirmed:
            self._confirmed = confirmed
            if self._directly is not None:
                self._directly.places_changed()

    def endpoints(self) -> tuple[str, ...]:
        """Where strangers can dial this node, confirmed: ``host:port``."""
        return tuple(host_text(*place) for place in self.reach.confirmed())

    def stop(self) -> None:
        """The node stops."""
        for part in (self.reach, self._rendezvous, self._directly):
            if part is not None:
                part.stop()
