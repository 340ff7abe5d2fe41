"""What one session is told by its node: limits, what it announces, what it takes. A value; sessions share it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from uuid import UUID

from quantumgate.core.credit import CreditPool
from quantumgate.wire import session_tlvs
from quantumgate.wire.features import OF_CLIENTS
from quantumgate.wire.limits import DEFAULT_LIMITS, Limits
from quantumgate.wire.session_tlvs import SessionBlock


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """``keep`` = hold an idle session open; ``padding`` is ``off``, ``padme`` or ``cells``; all share the node's pools.

    ``cell_depth`` is the number of layers around a session of cells: 0 on the wire itself. ``relayed`` = it came over a
    link, so that it follows the cells of whoever made the circuit. ``relay`` and ``endpoints`` = what we announce,
    ``features`` = which frame types beyond the common ones we take (``wire/features.py``).
    """

    limits: Limits = DEFAULT_LIMITS
    extenders: tuple[UUID, ...] = ()
    instance: int | None = None
    compression: bool = True
    padding: str = "padme"
    keep: bool = False
    endpoints: tuple[str, ...] = ()
    relay: bool = False
    replaces: bytes = b""
    cell_depth: int = 0
    relayed: bool = False
    features: tuple[int, ...] = ()
    link_pool: CreditPool = field(
        default_factory=lambda: CreditPool(DEFAULT_LIMITS.link_pool_node_bytes, growth_share=1)
    )
    node_pool: CreditPool = field(default_factory=lambda: CreditPool(DEFAULT_LIMITS.window_pool_node_bytes))

    def in_cells(self, depth: int) -> SessionSettings:
        """The same for a session that carries links, or runs ``depth`` layers inside a circuit."""
        return replace(self, padding="cells", cell_depth=depth)

    @property
    def _padding(self) -> int:
        if self.padding == "cells":
            return session_tlvs.CELLS + self.cell_depth
        return session_tlvs.PADDING_MODES[self.padding]

    def block(self, *, anonymous: bool = False, clock_ms: int | None = None, token: bytes = b"") -> SessionBlock:
        """The SESSION block that we send; ``token`` is for the peer's next dial.

        An anonymous side sends defaults only: nothing tells nodes apart. [A14] But for its padding, which is that of
        every circuit of this depth.
        """
        if anonymous:
            padding = self._padding if self.padding == "cells" else SessionBlock().padding
            return SessionBlock(padding=padding, features=tuple(sorted(OF_CLIENTS)))
        limits = self.limits
        return SessionBlock(
            max_record=limits.max_record_bytes,
            initial_window=limits.initial_window_bytes,
            max_channels=limits.max_channels,
            max_message=limits.max_message_bytes,
            compression=(session_tlvs.LZ4_BLOCK,) if self.compression else (),
            padding=self._padding,
            features=self.features,
            extenders=_together(self.extenders),
            endpoints=self.endpoints,
            relay=self.relay,
            clock_ms=clock_ms,
            instance=self.instance,
            replaces=self.replaces,
            token=token,
        )


@lru_cache(16)
def _together(extenders: tuple[UUID, ...]) -> frozenset[UUID]:
    """One set for all sessions that announce the same."""
    return frozenset(extenders)
