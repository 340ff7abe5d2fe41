"""What a node remembers over a restart: pins, rules by hand, scores, the replay floor, guards, names, invitations.

In memory, whole; the store gets the rows that changed. Reading is strict: a damaged row stops the node, for a forgotten
pin or rule would open a door. Not for: deciding (``pins.py``, ``access.py``), or which row says what
(``state_tables.py``). Spec: docs/guide/operating.md (the store).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred, DeferredList

from quantumgate import logs
from quantumgate.errors import LocalError
from quantumgate.ids import PeerUUID
from quantumgate.node.noted import Noted
from quantumgate.node.state_rows import AccessBlock, ScoresBlock
from quantumgate.node.state_tables import PIECES, Piece
from quantumgate.store.interface import DamagedStore, IStore
from quantumgate.store.tables import Key, Row, Rows, Table

if TYPE_CHECKING:
    from quantumgate.node.invitation_rows import InvitationRow

WAY_BACK = "qgate store restore FILE puts a backup in its place"
_log = logs.named("state")


class State:
    """The state in memory; ``save()`` writes it. ``pins`` maps a UUID to its fingerprint as text, ``serials`` to the
    serial of its newest delegation; ``guards``, ``middles`` and ``dropped`` to a unix time: until then it is a first
    hop of ours, a second, or none.
    ``allow`` and ``deny`` are the rules by hand about everything, ``access`` holds the others. ``names`` are what we
    call peers, ``addresses`` where those are who invited us; ``invitations`` are those that we made. ``firsts`` are the
    connections to make first after a start, each with the unix time since which it stood; ``book_key`` is the book's.
    """

    def __init__(self, store: IStore) -> None:
        """``store`` is open."""
        self.store = store
        self.pins: dict[PeerUUID, str] = Noted()
        self.serials: dict[PeerUUID, int] = Noted()
        self.allow: set[PeerUUID] = set()
        self.deny: set[PeerUUID] = set()
        self.access: AccessBlock = AccessBlock()
        self.scores: ScoresBlock = ScoresBlock()
        self.rendezvous_key = ""
        self.replay_floor_ms = 0
        self.guards: dict[PeerUUID, int] = {}
        self.middles: dict[PeerUUID, int] = {}
        self.dropped: dict[PeerUUID, int] = {}
        self.names: dict[PeerUUID, str] = Noted()
        self.addresses: dict[PeerUUID, str] = Noted()
        self.invitations: tuple[InvitationRow, ...] = ()
        self.firsts: dict[PeerUUID, int] = {}
        self.book_key = ""
        self.file_seen = ""
        """What became of the state file of before the store (``state_file.py``)."""
        self._saved: dict[Table, dict[Key, Any]] = {piece.table: {} for piece in PIECES}
        self._stood_in: dict[Table, object] = {}
        """What each piece stood in when it was saved last."""

    @classmethod
    def load(cls, store: IStore) -> Deferred[State]:
        """What is in an open store. Fails with DamagedStore for rows that mean nothing."""
        found = DeferredList([store.load(piece.table) for piece in PIECES], consumeErrors=True)
        return found.addCallback(lambda results: cls(store)._taken([_rows(*each) for each in results]))

    def _taken(self, found: list[Rows]) -> State:
        try:
            for piece, rows in zip(PIECES, found, strict=True):
                piece.take(self, rows)
        except (msgspec.ValidationError, ValueError, LocalError) as error:
            raise DamagedStore(f"the store: {error}", advice=WAY_BACK) from None
        for piece in PIECES:
            self._changes(piece)
        return self

    def save(self) -> Deferred[None]:
        """Puts what changed into the store; fires when it is durable.

        Fails with LocalError where it cannot be written now; nothing is lost then, and the store tries again.
        """
        for piece in PIECES:
            self.store.put(piece.table, self._changes(piece))
        return self.store.flushed()

    def _changes(self, piece: Piece) -> dict[Key, Row | None]:
        """Since the last time: nothing of what cannot change, the keys that were touched of what notes them, and the
        rest by comparing."""
        stands_in, before = piece.stands_in(self), self._saved[piece.table]
        same = stands_in is not None and stands_in is self._stood_in.get(piece.table)
        self._stood_in[piece.table] = stands_in
        if same and isinstance(stands_in, tuple):
            return {}
        touched = stands_in.touched() if isinstance(stands_in, Noted) else set()
        if same and isinstance(stands_in, Noted):
            return {(key,): _touched(piece, before, (key,), stands_in.get(key)) for key in touched}
        now = self._saved[piece.table] = piece.now(self)
        rows = {key: piece.row(said) for key, said in now.items() if key not in before or before[key] != said}
        return rows | dict.fromkeys(before.keys() - now.keys())

    def save_in_background(self) -> None:
        """Like ``save``, for changes that nobody waits for. Where it fails the store has said so itself."""
        self.save().addErrback(lambda _: None)

    def flushed(self) -> Deferred[None]:
        """Fires when no write is under way."""
        return self.store.flushed().addErrback(lambda _: None)


def _touched(piece: Piece, saved: dict[Key, Any], key: Key, said: Any) -> Row | None:
    if said is None:
        saved.pop(key, None)
        return None
    saved[key] = said
    return piece.row(said)


def _rows(good: bool, found: Any) -> Rows:
    if not good:
        found.raiseException()
    rows: Rows = found
    return rows
