"""Exchange of records with one peer: when to ask, what of its answers to look at, and what it was told already.

Pure: one object for each session, time is an argument. Whether our rules name the peer is said at every turn, for
rules change. Not for: bytes (``wire/exchange_frames.py``), verifying (``core/peer_records.py``), or what is kept
(``book.py``). Spec: docs/spec/discovery.md section 2. [A34] [A51]
"""

from __future__ import annotations

from collections.abc import Sequence

from quantumgate.core.budget import FloodGauge
from quantumgate.core.peer_records import KnownRecord
from quantumgate.errors import FloodError, ViolationError
from quantumgate.ids import PeerUUID
from quantumgate.wire.exchange_frames import Told
from quantumgate.wire.limits import PEX_AGAIN_SECONDS, PEX_TOLD, Limits


class Exchange:
    """With one peer, from the moment its session stands."""

    __slots__ = ("_answer_due", "_asked_at", "_gap_seconds", "_gauge", "_limits", "_pushed", "_since", "told")

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits, self._since = limits, now
        self._gauge = FloodGauge(*limits.pex_get_rate, limits.flood_seconds, now)
        self._asked_at: float | None = None
        self._gap_seconds = PEX_AGAIN_SECONDS[0]
        self._answer_due = False
        self._pushed: bytes = b""
        self.told: dict[PeerUUID, int] = {}

    # -- asking --------------------------------------------------------------------------------------------------

    def begun(self, now: float, *, named: bool) -> bool:
        """Whether it is old enough: half a minute with a peer that our rules name, ten minutes with a stranger."""
        return now - self._since >= (self._limits.pex_named_seconds if named else self._limits.pex_stranger_seconds)

    def wants_to_ask(self, now: float, *, named: bool) -> bool:
        """Whether to send PEX_GET now. One question at a time."""
        if self._answer_due or not self.begun(now, named=named):
            return False
        return self._asked_at is None or now - self._asked_at >= self._gap_seconds

    def asked(self, now: float) -> None:
        """PEX_GET goes out."""
        self._asked_at, self._answer_due = now, True

    def answered(self, told: Told) -> tuple[bytes, ...]:
        """A PEX came; its records. Raises ViolationError for an answer that nobody asked for."""
        if told.own:
            return told.records
        if not self._answer_due:
            raise ViolationError("records that were not asked for")
        self._answer_due = False
        return told.records

    def learned(self, something: bool, *, named: bool) -> None:
        """What the last answer brought: who has news is asked again soon, who has none later and later.

        What a stranger tells is the same all day.
        """
        shortest, longest = PEX_AGAIN_SECONDS
        again = shortest if something and named else self._gap_seconds * 2
        self._gap_seconds = min(again, longest) if named else longest

    # -- telling -------------------------------------------------------------------------------------------------

    def question(self, now: float) -> None:
        """PEX_GET came. Raises FloodError."""
        if self._gauge.count(now):
            raise FloodError("too many PEX_GET")

    def tell(self, records: Sequence[KnownRecord]) -> None:
        """These go out: for as long as they are the newest they are no news any more."""
        for known in records:
            uuid = known.identity.uuid
            self.told.pop(uuid, None)
            self.told[uuid] = known.record.seq_ms
        while len(self.told) > PEX_TOLD:
            del self.told[next(iter(self.told))]

    def wants_own(self, record: bytes, now: float, *, named: bool) -> bool:
        """Whether our own record, as it is now, is still to be pushed: at once to a peer that our rules name, and when
        the exchange begins to others; ``named`` and what is public are for the caller to put together. b"" never is."""
        return record not in (b"", self._pushed) and (named or self.begun(now, named=False))

    def pushed(self, record: bytes) -> None:
        """It went out."""
        self._pushed = record
