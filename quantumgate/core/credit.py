"""Credit: how many payload bytes the peer may send on a channel, in absolute numbers. Spec: docs/spec/channels.md, 3.

Each channel starts with the announced ``initial_window``. Larger windows are lent from a pool per peer and one per
node; growth may use half of either, the other half is for partial messages, so that one of them can always finish.
[A21] [A41]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quantumgate.wire.limits import WINDOW_GROWTH_SHARE

if TYPE_CHECKING:
    from quantumgate.core.channel import Channel

GROW_WITHIN_SECONDS = 0.1
"""Half a window consumed within this time (or two round trips, if those are longer) earns one of twice the size."""

SHRINK_AFTER = 10
"""So many times that time for half a window, and it is halved: others may need what it lends. (ADR 0121)"""


class CreditPool:
    """Bytes of window beyond the initial one. ``parent`` is the node's pool; a loan counts in both."""

    __slots__ = ("_growth_share", "_parent", "_waiting", "grown_bytes", "lent_bytes", "size_bytes")

    def __init__(
        self, size_bytes: int, parent: CreditPool | None = None, *, growth_share: float = WINDOW_GROWTH_SHARE
    ) -> None:
        """``growth_share``: what larger windows may use of it; a pool of links has no partial messages to lend for."""
        self.size_bytes = size_bytes
        self._growth_share = growth_share
        self._parent = parent
        self._waiting: dict[Callable[[], None], None] = {}
        self.grown_bytes = 0
        self.lent_bytes = 0

    def _can_grow(self, size_bytes: int) -> bool:
        room = self.size_bytes * self._growth_share - self.grown_bytes >= size_bytes
        return room and (self._parent is None or self._parent._can_grow(size_bytes))

    def grow(self, size_bytes: int) -> bool:
        """Lend for a larger window, from the growing half. False = nothing was lent."""
        if not self._can_grow(size_bytes):
            return False
        pool: CreditPool | None = self
        while pool is not None:
            pool.grown_bytes += size_bytes
            pool = pool._parent
        return True

    def shrink(self, size_bytes: int) -> None:
        """A grown window came back."""
        pool: CreditPool | None = self
        while pool is not None:
            pool.grown_bytes -= size_bytes
            pool = pool._parent

    def resize(self, window_bytes: int, grown_bytes: int, most_bytes: int, pace: float) -> int:
        """How much a window grows, or shrinks, that has lent ``grown_bytes`` of this; lent, or given back, already.

        ``pace``: how long its half took, in GROW_WITHIN_SECONDS or in pairs of round trips.
        """
        if pace <= 1:
            more = min(window_bytes, most_bytes - window_bytes)
            return more if more > 0 and self.grow(more) else 0
        less = min(window_bytes >> 1, grown_bytes) if pace > SHRINK_AFTER else 0
        self.shrink(less)
        return -less

    def _can_lend(self, size_bytes: int) -> bool:
        room = self.size_bytes * (1 - self._growth_share) - self.lent_bytes >= size_bytes
        return room and (self._parent is None or self._parent._can_lend(size_bytes))

    def lend(self, size_bytes: int) -> bool:
        """Lend the rest of a partial message, in full or not at all. False = it has to wait."""
        if not self._can_lend(size_bytes):
            return False
        pool: CreditPool | None = self
        while pool is not None:
            pool.lent_bytes += size_bytes
            pool = pool._parent
        return True

    def repay(self, size_bytes: int) -> None:
        """The partial message was taken or is gone. Whoever waits for a loan, of whatever session, tries again."""
        pool: CreditPool | None = self
        while pool is not None:
            pool.lent_bytes -= size_bytes
            pool = pool._parent
        top = self._top
        waiting, top._waiting = top._waiting, {}
        for again in waiting:
            again()

    @property
    def _top(self) -> CreditPool:
        return self if self._parent is None else self._parent._top

    def wait(self, again: Callable[[], None]) -> None:
        """Call ``again`` after the next repayment, once, in the order of asking."""
        self._top._waiting[again] = None

    def wait_no_more(self, again: Callable[[], None]) -> None:
        """The session that waited is over."""
        self._top._waiting.pop(again, None)


class Loans:
    """Who of one session's channels waits for the rest of a partial message, oldest first."""

    __slots__ = ("_pool", "_waiting")

    def __init__(self, pool: CreditPool) -> None:
        self._pool = pool
        self._waiting: dict[Channel, None] = {}

    def lend(self, channel: Channel, size_bytes: int) -> bool:
        """Lend it, or remember that the channel waits; then its ``borrow_for_part`` is called again."""
        first = next(iter(self._waiting), channel)
        if first is channel and self._pool.lend(size_bytes):
            self._waiting.pop(channel, None)
            return True
        self._waiting[channel] = None
        self._pool.wait(self._again)
        return False

    def not_needed(self, channel: Channel) -> None:
        """The channel waits for no loan any more."""
        self._waiting.pop(channel, None)

    def forget(self, channel: Channel) -> None:
        """The channel ended; whoever waited behind it may be smaller."""
        if channel in self._waiting:
            del self._waiting[channel]
            self._again()

    def repay(self, size_bytes: int) -> None:
        """The partial message was taken or is gone: the oldest waiting one is next, here or in another session."""
        self._pool.repay(size_bytes)

    def end(self) -> None:
        """The session is over."""
        self._waiting.clear()
        self._pool.wait_no_more(self._again)

    def _again(self) -> None:
        while self._waiting:
            channel = next(iter(self._waiting))
            channel.borrow_for_part()
            if channel in self._waiting:
                return
