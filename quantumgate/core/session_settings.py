"""What one session is told by its node: limits, what it announces, what it takes. A value; sessions share it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from uuid import UUID

from quantumgate.core.credit import CreditPool
from quantumgate.wire import session_tlvs
from quantumgate.wire.limits import DEFAULT_LIMITS, Limits
from quantumgate.wire.session_tlvs import SessionBlock


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """``keep`` = hold an idle session open; ``padding`` is ``off`` or ``padme``; all sessions share ``node_pool``."""

    limits: Limits = DEFAULT_LIMITS
    extenders: tuple[UUID, ...] = ()
    instance: int | None = None
    compression: bool = True
    padding: str = "padme"
    keep: bool = False
    endpoints: tuple[str, ...] = ()
    replaces: bytes = b""
    node_pool: CreditPool = field(default_factory=lambda: CreditPool(DEFAULT_LIMITS.window_pool_node_bytes))

    def block(self, *, anonymous: bool = False, clock_ms: int | None = None) -> SessionBlock:
        """The SESSION block that we send. An anonymous side sends defaults only: nothing tells nodes apart. [A14]"""
        if anonymous:
            return SessionBlock()
        limits = self.limits
        return SessionBlock(
            max_record=limits.max_record_bytes,
            initial_window=limits.initial_window_bytes,
            max_channels=limits.max_channels,
            max_message=limits.max_message_bytes,
            compression=(session_tlvs.LZ4_BLOCK,) if self.compression else (),
            padding=session_tlvs.PADDING_MODES[self.padding],
            extenders=_together(self.extenders),
            endpoints=self.endpoints,
            clock_ms=clock_ms,
            instance=self.instance,
            replaces=self.replaces,
        )


@lru_cache(16)
def _together(extenders: tuple[UUID, ...]) -> frozenset[UUID]:
    """One set for all sessions that announce the same."""
    return frozenset(extenders)
