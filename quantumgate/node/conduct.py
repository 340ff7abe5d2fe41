"""What peers and addresses do, counted: each deed to whoever is to blame, saved now and then, kept over a restart.

Not for: what a score leads to (``core/access/judge.py``), or its arithmetic (``core/access/reputation.py``). Spec:
docs/spec/access.md section 5. [A31]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from heapq import nlargest
from typing import Any, Protocol
from uuid import UUID

from quantumgate import logs
from quantumgate.control.api import ScoreReport
from quantumgate.core.access.addresses import Address, Network, network_of_text
from quantumgate.core.access.reputation import Deed, Doer, Reputation, Scores
from quantumgate.core.budget import Buckets
from quantumgate.core.events import Closed
from quantumgate.core.session import DAMAGED
from quantumgate.errors import LocalError
from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.node import access_reports
from quantumgate.node.state import State
from quantumgate.node.state_rows import ScoreRow, ScoresBlock
from quantumgate.node.world import World
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import SCORE_RANGE, Limits

SAVE_AFTER_SECONDS = 30.0
"""A change of scores is on the disk so much later, with all that came meanwhile."""

USEFUL_SECONDS = 600.0
USEFUL_BYTES = 4096
"""A session that stands all the time, and carries more than signs of life, is worth a point."""

REPORTS = {"flood": Deed.REPORTED_FLOOD, "abuse": Deed.REPORTED_ABUSE}
"""The first word of what an extender reports, before a colon; anything else was not understood."""

_BAD_HANDSHAKES = frozenset({"unrecognised", "authentication", "deadline"})
_log = logs.named("access")


class Connected(Protocol):
    """The part of ``contact.Contact`` that blame needs."""

    address: Address | None
    local: bool
    outbound: bool
    path: Any
    session: Any


class Conduct:
    """One node's. ``known_relay(address)``: whether a relay that we know is there."""

    known_relay: Callable[[Address], bool] = staticmethod(lambda address: False)

    def __init__(self, reputation: Reputation, state: State, world: World, limits: Limits) -> None:
        self._reputation, self._state, self._world, self._limits = reputation, state, world, limits
        self._reports: Buckets[Any] = Buckets(*limits.report_rate, limits.attempt_prefixes)
        self._occasionally = logs.Occasionally(world.now)
        self._moved_bytes: dict[Connected, int] = {}
        self._save_call: Any = None
        self._round_call: Any = None
        self._restore()

    # -- who is to blame -----------------------------------------------------------------------------------------

    def doer(self, contact: Connected) -> Doer:
        """Whoever is at the other end, as far as that is proved."""
        identity = contact.session.peer if contact.session is not None else None
        address = contact.address
        return Doer(
            address,
            identity.uuid if identity is not None else None,
            local=contact.local,
            over_link=contact.path is not None,
            relay=address is not None and self.known_relay(address),
        )

    def closed(self, contact: Connected, event: Closed) -> None:
        """A connection is over: what it ended with. A dial of ours that fails is nobody's offence."""
        self._moved_bytes.pop(contact, None)  # or an ended session would be held until the next round
        if event.by == "handshake":
            if not contact.outbound and event.reason in _BAD_HANDSHAKES:
                self.count(Deed.HANDSHAKE, contact)
        elif event.reason == DAMAGED:
            self.count(Deed.DAMAGE, contact)
        elif event.by == "local" and event.code == CloseCode.VIOLATION:
            self.count(Deed.VIOLATION, contact)
        elif event.by == "local" and event.code == CloseCode.FLOOD:
            self.count(Deed.FLOOD, contact)

    def reported(self, contact: Connected, extender: str, offence: str) -> None:
        """What an extender says of a peer: so many reports about one peer count, the rest is the extender's zeal."""
        doer = self.doer(contact)
        if self._reports.take((extender, doer.peer or doer.address), self._world.now()):
            self._count(REPORTS.get(offence.partition(":")[0].strip().lower(), Deed.REPORT), doer)

    def count(self, deed: Deed, contact: Connected) -> None:
        """Lets whoever is to blame for what happened on this connection pay."""
        self._count(deed, self.doer(contact))

    def count_of(self, deed: Deed, contact: Connected, uuid: PeerUUID) -> None:
        """The same in a handshake, whose peer has proved to be ``uuid``."""
        self._count(deed, replace(self.doer(contact), peer=uuid))

    def signed(self, deed: Deed, uuid: PeerUUID) -> None:
        """Lets the signer of something pay for it, whoever brought it."""
        self._count(deed, Doer(peer=uuid))

    def attempt(self, address: Address) -> None:
        """Somebody there connects more often than is allowed."""
        self._count(Deed.ATTEMPT, Doer(address, relay=self.known_relay(address)))

    def score(self, address: Address) -> float:
        """The worse of the two that an address has."""
        return self._reputation.of_address(address, self._world.now()).score

    def esteem(self, uuid: PeerUUID | None) -> float:
        """The score of a peer; a nameless one has none."""
        return 0.0 if uuid is None else self._reputation.of_peer(uuid, self._world.now()).score

    def _count(self, deed: Deed, doer: Doer) -> None:
        now, reputation = self._world.now(), self._reputation
        if not reputation.count(deed, doer, now):
            return
        self._save_later()
        address = doer.paying_address
        refused = address is not None and reputation.of_address(address, now).refused_until is not None
        if refused and self._occasionally.allows("refused"):
            _log.warn("connections from {where} are refused for a while: its score is too low",
                      where=logs.place(address))

    # -- what a session is worth ---------------------------------------------------------------------------------

    def start(self, contacts: Callable[[], Iterable[Connected]]) -> None:
        """From now on sessions earn."""
        self._round_call = self._world.clock.callLater(USEFUL_SECONDS, self._round, contacts)

    def stop(self) -> None:
        """Puts the scores where they will be saved with the rest."""
        for call in (self._round_call, self._save_call):
            if call is not None and call.active():
                call.cancel()
        self._store()

    def _round(self, contacts: Callable[[], Iterable[Connected]]) -> None:
        before, self._moved_bytes = self._moved_bytes, {}
        for contact in contacts():
            session = contact.session
            if session is None or session.peer is None:
                continue
            moved_bytes = self._moved_bytes[contact] = session.bytes_sent + session.bytes_received
            if contact in before and moved_bytes - before[contact] >= USEFUL_BYTES:
                self.count(Deed.USEFUL, contact)
        self.start(contacts)

    # -- by hand -------------------------------------------------------------------------------------------------

    def set(self, subject: str, score: float) -> None:
        """The score of an address (/32, /128), a network (/24, /56) or a peer. Raises LocalError."""
        low, high = SCORE_RANGE
        if not low <= score <= high:
            raise LocalError(f"a score is from {low} to {high}, found {score:g}")
        table, key = self._place_of(subject)
        table.put(key, score, self._world.now())
        self._save_later()

    def reset(self, subject: str) -> None:
        """Forgets the score. Raises LocalError where there is none; "" = all."""
        tables = (self._reputation.addresses, self._reputation.networks, self._reputation.peers)
        if not subject:
            for each in tables:
                each.clear()
        else:
            table, key = self._place_of(subject)
            if not table.forget(key):
                raise LocalError(f"{key} has no score", advice="qgate access reputation list shows all")
        self._save_later()

    def list(self) -> Sequence[ScoreReport]:
        """Everybody who has a score, the worst first."""
        return access_reports.scores(self._reputation, self._world.now())

    def _place_of(self, subject: str) -> tuple[Scores[Any], Any]:
        if subject.count("-") == 4:
            return self._reputation.peers, parse_peer_uuid(subject)
        network = network_of_text(subject)
        table = self._reputation.table_of(network)
        if table is None:
            raise LocalError(f"scores are kept for addresses, /24 and /56, found {network}")
        return table, network

    # -- over a restart ------------------------------------------------------------------------------------------

    def _save_later(self) -> None:
        if self._save_call is None or not self._save_call.active():
            self._save_call = self._world.clock.callLater(SAVE_AFTER_SECONDS, self._save)

    def _save(self) -> None:
        self._store()
        self._state.save_in_background()

    def _store(self) -> None:
        now, reputation, most = self._world.now(), self._reputation, self._limits.scores_saved
        tables: tuple[Scores[Any], ...] = (reputation.addresses, reputation.networks, reputation.peers)
        rows = (row for table in tables for row in table.kept(now, most))
        worst = nlargest(most, rows, key=lambda row: (row.refused_seconds > 0, abs(row.score)))
        self._state.scores = ScoresBlock(at=self._world.wall_seconds(), rows=tuple(map(ScoreRow.of_kept, worst)))

    def _restore(self) -> None:
        saved, now = self._state.scores, self._world.now()
        age_seconds = max(0.0, self._world.wall_seconds() - saved.at)
        for kept in (row.kept() for row in saved.rows):
            self._table_for(kept.key).restore(kept, age_seconds, now)

    def _table_for(self, key: Network | PeerUUID) -> Scores[Any]:
        """A length that no score is kept for is put where the next change of it would be."""
        if isinstance(key, UUID):
            return self._reputation.peers
        table = self._reputation.table_of(key)
        return self._reputation.networks if table is None else table
