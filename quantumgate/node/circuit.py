"""A circuit of our own that stands: its relays, the sessions with them, and whose end was the end of it.

Not for: building one (``building.py``) or watching over it (``circuits.py``). Spec: docs/spec/relays.md, 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from quantumgate.core.events import Closed
from quantumgate.core.relay.path import Gateway
from quantumgate.core.session import DAMAGED
from quantumgate.node.contact import Contact
from quantumgate.node.dialling import Target
from quantumgate.wire.codes import CloseCode


@dataclass(frozen=True, slots=True, eq=False)
class Circuit:
    """Its ``path``, first relay first, and ``layers``: the sessions with them and, last, with the peer."""

    target: Target
    path: tuple[Gateway, ...]
    layers: tuple[Contact, ...]

    @property
    def contact(self) -> Contact:
        """The peer's."""
        return self.layers[-1]

    def culprit(self) -> Gateway | None:
        """The nearest relay whose session is over, or that carried one in which a record was damaged; None where all of
        them stand. Innermost sessions end first."""
        return nearest_culprit(self.path, self.layers)

    def explain(self, event: Closed) -> Closed:
        """The end of the session with the peer, as who uses it should hear of it."""
        culprit = self.culprit() if event.by == "transport" else None
        if culprit is None:
            return event
        place = f"relay {self.path.index(culprit) + 1} of {len(self.path)}"
        if any(layer.damaged for layer in self.layers[1:]):
            return replace(event, reason=DAMAGED, text=f"{place} altered what it carries: {culprit.uuid}")
        return replace(event, reason="relay-lost", text=f"{place} was lost: {culprit.uuid}")


def first_lost(layers: Sequence[Contact]) -> int | None:
    """The position of the first session that is over."""
    return next((position for position, layer in enumerate(layers) if not layer.stands), None)


def nearest_culprit(path: Sequence[Gateway], layers: Sequence[Contact]) -> Gateway | None:
    """Whose fault the end of the outermost layer is that is over: of a damaged one, theirs who carried it."""
    over = first_lost(layers)
    if over and layers[over].damaged:
        over -= 1
    return path[over] if over is not None and over < len(path) else None


def bind(layers: Sequence[Contact]) -> None:
    """When the innermost session ends, the layers that were made for it end; the other way round links see to it."""
    for outer, inner in pairwise(layers):
        inner.ended().addCallback(_close, outer)


def _close(_: Any, contact: Contact) -> None:
    contact.close(CloseCode.BYE)
