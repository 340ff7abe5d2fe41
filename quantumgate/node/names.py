"""What this node's people call peers: one name for a peer, one peer for a name, none that looks like another.

Not for: what a name may look like (``core/petnames.py``). Spec: docs/spec/addresses.md section 2.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from quantumgate.control.api import NameReport
from quantumgate.core.petnames import checked_name, is_name, look
from quantumgate.errors import ConnectFailed, LimitError, LocalError
from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.node.state import State

ADVICE = "qgate name shows all names; qgate name UUID NAME gives one"


class Names:
    """One node's, kept in its state. ``changed(uuid)`` is called after each change."""

    def __init__(self, state: State, most: int) -> None:
        self._state, self._most = state, most
        self.changed: Callable[[PeerUUID], object] = _nobody

    def of(self, uuid: PeerUUID | None) -> str:
        """What this peer is called, or ""."""
        return "" if uuid is None else self._state.names.get(uuid, "")

    def report(self) -> list[NameReport]:
        """All names, in their order."""
        return [NameReport(name, str(uuid)) for uuid, name in sorted(self._state.names.items(), key=lambda row: row[1])]

    # -- finding -------------------------------------------------------------------------------------------------

    def find(self, text: str) -> PeerUUID | None:
        """Who is called so, if anybody is."""
        name = text.lower()
        return next((uuid for uuid, known in self._state.names.items() if known == name), None)

    def peer(self, text: str) -> PeerUUID:
        """The peer of this name, or of this UUID. Raises LocalError where nobody is called so."""
        if not is_name(text):
            return parse_peer_uuid(text)
        found = self.find(text)
        if found is None:
            raise LocalError(f"nobody is called {text} here", advice=ADVICE)
        return found

    def resolved(self, address: str) -> str:
        """An address as it is, or for a name the UUID. Raises ConnectFailed where nobody is called so."""
        if not is_name(address):
            return address
        try:
            return str(self.peer(address))
        except LocalError as error:
            raise ConnectFailed("bad-address", str(error), advice=error.advice) from None

    # -- changing ------------------------------------------------------------------------------------------------

    def check(self, uuid: PeerUUID | None, text: str) -> str:
        """The name as it would be kept. Raises LocalError where this peer (None = a new one) cannot be called so."""
        name = checked_name(text)
        for other, known in self._state.names.items():
            if other != uuid and look(known) == look(name):
                same = "is called so" if known == name else f"is called {known}, which looks like it"
                raise LocalError(f"{other} {same}", advice="take another name, or qgate name --forget that one")
        if uuid not in self._state.names and len(self._state.names) >= self._most:
            raise LimitError("petnames", self._most)
        return name

    def put(self, uuid: PeerUUID, text: str) -> Deferred[None]:
        """From now on this peer is called so; fires when a restart would know. Raises LocalError as ``check`` does."""
        self._state.names[uuid] = self.check(uuid, text)
        self.changed(uuid)
        return self._state.save()

    def forget(self, text: str) -> Deferred[None]:
        """Of a name or a UUID. Raises LocalError where there is none."""
        uuid = self.peer(text)
        if self._state.names.pop(uuid, None) is None:
            raise LocalError(f"{uuid} has no name", advice=ADVICE)
        self.changed(uuid)
        return self._state.save()


def _nobody(uuid: PeerUUID) -> None:
    """Until somebody wants to know."""
