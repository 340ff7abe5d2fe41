"""How this node is reached, as one part: where it is seen, who keeps a way to it, a direct way after a relayed one.

There only where ``[discovery] reachability`` is on. Not for: any of the parts (``reach.py``, ``rendezvous.py``,
``directly.py``). Spec: docs/spec/discovery.md section 7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed

from quantumgate.control.api import PortMapReport
from quantumgate.core.discovery.reach import Place
from quantumgate.ids import host_text
from quantumgate.node.contact import Contact
from quantumgate.node.directly import DirectWays
from quantumgate.node.mapping import PortMapping
from quantumgate.node.reach import Reachability
from quantumgate.node.rendezvous import Rendezvous
from quantumgate.wire.reach_frames import PLACES, REACH_ANSWER, REACH_ASK

Ears = dict[int, Callable[[Contact, Any], None]]


class Reaching:
    """One node's. ``rendezvous`` is None where relays are not asked by themselves, ``directly`` where it hides,
    ``mapping`` where the router is left alone."""

    def __init__(
        self, reach: Reachability, rendezvous: Rendezvous | None, directly: DirectWays | None, ears: Ears,
        mapping: PortMapping | None = None,
    ) -> None:
        self.reach, self._rendezvous, self._directly, self._mapping = reach, rendezvous, directly, mapping
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

    def port_mapping(self) -> PortMapReport:
        """What the router gave, and what came of it."""
        return PortMapReport() if self._mapping is None else self._mapping.report(self.endpoints())

    def start(self) -> None:
        """The listeners are bound."""
        if self._mapping is not None:
            self._mapping.start()

    def stop(self) -> Deferred[Any]:
        """Nothing is asked or dialled any more; fires when the router has its ports back."""
        for part in (self.reach, self._rendezvous, self._directly):
            if part is not None:
                part.stop()
        return succeed(None) if self._mapping is None else self._mapping.stop()
