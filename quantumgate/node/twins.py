"""Whether somebody else is online with the key of this identity: what was seen, and what an operator is told.

Two nodes with one key are a copied data directory or a stolen key; both take each other's sessions away. Not for: what
a third peer sees of two (``peers.py``). Spec: docs/spec/identity.md, section 10.
"""

from __future__ import annotations

from collections.abc import Callable

from quantumgate.node.world import World

REMEMBERED_SECONDS = 3600.0
"""So long after the last sign of another one the status tells of it."""

TWIN_WAIT_SECONDS = 600.0
"""So long a peer is not dialled again where a twin has our place."""

ADVICE = "stop the other node; if it is not yours the key was stolen: qgate id rotate, or qgate id succeed for the root"


class Twins:
    """One node's. ``told(text)`` is called for each sign: a security event, which the desk tells once."""

    told: Callable[[str], object] = staticmethod(lambda text: None)

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen_at: float | None = None
        self._how = ""

    def seen(self, how: str) -> None:
        """``how``: what gave it away, for people."""
        self._seen_at, self._how = self._world.now(), how
        self.told(f"this identity is online elsewhere: {how}")

    @property
    def lately(self) -> bool:
        """Whether one was seen within the hour."""
        return self._seen_at is not None and self._world.now() - self._seen_at < REMEMBERED_SECONDS

    def warning(self) -> tuple[str, str]:
        """(what is to be said of it, advice), both empty where there is nothing."""
        if self._seen_at is None or not self.lately:
            return "", ""
        minutes = int((self._world.now() - self._seen_at) // 60)
        return f"this identity is online elsewhere ({self._how}, {minutes} min ago)", ADVICE
