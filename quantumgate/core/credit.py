"""Credit: how many payload bytes the peer may send on a channel, in absolute numbers. Spec: docs/spec/channels.md, 3.

Each channel starts with the announced ``initial_window``. Larger windows are lent from a pool per peer and one per node;
growth may use half of either, the other half is for partial messages, so that one of them can always finish. [A21] [A41]
"""

from __future__ import annotations

from quantumgate.wire.limits import WINDOW_GROWTH_SHARE

GROW_WITHIN_SECONDS = 0.1
"""Half a window consumed within this time (or two round trips, if those are longer) earns the large window."""


class CreditPool:
    """Bytes of window beyond the initial one. ``parent`` is the node's pool; a loan counts in both."""

    __slots__ = ("_parent", "grown_bytes", "lent_bytes", "size_bytes")

    def __init__(self, size_bytes: int, parent: CreditPool | None = None) -> None:
        self.size_bytes = size_bytes
        self._parent = parent
        self.grown_bytes = 0
        self.lent_bytes = 0

    def _can_grow(self, size_bytes: int) -> bool:
        room = self.size_bytes * WINDOW_GROWTH_SHARE - self.grown_bytes >= size_bytes
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

    def _can_lend(self, size_bytes: int) -> bool:
        room = self.size_bytes * (1 - WINDOW_GROWTH_SHARE) - self.lent_bytes >= size_bytes
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
        """The partial message was taken or is gone."""
        pool: CreditPool | None = self
        while pool is not None:
            pool.lent_bytes -= size_bytes
            pool = pool._parent
