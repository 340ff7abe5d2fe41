"""All that an author of an extender imports.

An extender is a class with the methods of ``IExtender`` and a maker that the package's entry point names:

    from quantumgate.extender.api import Extender, maker

    class Echo(Extender):
        def message_received(self, peer, message):
            return self.host.send(peer, message)

    echo = maker(Echo, name="echo", uuid="5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e11")

Not for: running extenders (``host.py``) or finding them (``registry.py``). Contract: ``docs/guide/first-extender.md``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from zope.interface import implementer

from quantumgate.errors import (
    ChannelReset,
    ConnectFailed,
    LimitError,
    LocalError,
    QuantumGateError,
    SessionClosed,
)
from quantumgate.interfaces import IExtender, IExtenderHost, IExtenderMaker, IPeer

__all__ = [
    "BULK",
    "INTERACTIVE",
    "NORMAL",
    "ChannelReset",
    "ConnectFailed",
    "Extender",
    "IExtender",
    "IExtenderHost",
    "IExtenderMaker",
    "IPeer",
    "LimitError",
    "LocalError",
    "Maker",
    "QuantumGateError",
    "SessionClosed",
    "maker",
]

INTERACTIVE, NORMAL, BULK = 1, 2, 3
"""The three priorities of ``host.send``. Order is promised within one of them, not between them."""

Answer = Awaitable[object] | None
"""What the methods of an extender return: None, a Deferred, or a coroutine (``async def``)."""


@implementer(IExtender)
class Extender:
    """A guest that does nothing: inherit, and write the methods that you need.

    ``self.host`` provides ``IExtenderHost`` from ``start`` on; an own ``start`` calls ``super().start(host)`` first.
    """

    host: Any

    def start(self, host: IExtenderHost) -> Answer:
        """The node is up. No peer is announced before what this returns has finished."""
        self.host = host
        return None

    def stop(self) -> Answer:
        """The node goes down or the extender is switched off; ``self.host`` still sends until this has finished."""
        return None

    def peer_arrived(self, peer: IPeer) -> Answer:
        """A peer that runs the same extender became reachable. Called before anything else from that peer."""
        return None

    def peer_left(self, peer: IPeer, reason: str) -> Answer:
        """That peer ceased to be reachable. Called after its streams were closed and its waiting sends failed."""
        return None

    def message_received(self, peer: IPeer, message: bytes) -> Answer:
        """``message`` came, whole and in order. While what this returns is unfinished, the peer's next one waits."""
        return None

    def status(self) -> dict[str, Any]:
        """Figures for operators, shown by ``qgate extenders --json``: plain values, at once, and nothing private."""
        return {}

    def stream_opened(self, peer: IPeer, label: bytes) -> Any:
        """The peer opened a byte stream. Return an ``IProtocol`` to take it; None, as here, refuses it."""
        return None


@implementer(IExtenderMaker)
@dataclass(frozen=True)
class Maker:
    """What an entry point names, for extenders that need nothing unusual. Made by ``maker``."""

    factory: Callable[..., Any]
    name: str
    uuid: UUID
    version: str
    summary: str
    settings: Any
    anonymous: bool
    compression: bool

    def make(self, settings: object) -> Any:
        """A fresh extender: ``factory()``, or ``factory(settings)`` where the extender has settings."""
        return self.factory() if self.settings is None else self.factory(settings)


def maker(
    factory: Callable[..., Any],
    *,
    name: str,
    uuid: str | UUID,
    version: str = "0",
    summary: str = "",
    settings: Any = None,
    anonymous: bool = False,
    compression: bool = True,
) -> Maker:
    """The maker of an extender class.

    ``name`` is the name of the entry point and of the table ``[extenders.NAME]``. ``uuid`` is what peers know the
    extender by: make one with ``python3 -c "import uuid; print(uuid.uuid4())"`` and never change it. ``settings`` is a
    ``msgspec.Struct`` subclass with ``forbid_unknown_fields=True``, whose checked instance goes to ``factory``, or
    None. ``anonymous`` lets peers without an identity in. ``compression=False`` is for extenders that mix what the peer
    wrote with secrets in one message: the length of a compressed message tells about both.
    """
    return Maker(
        factory=factory,
        name=name,
        uuid=uuid if isinstance(uuid, UUID) else UUID(uuid),
        version=version,
        summary=summary or (factory.__doc__ or "").strip().partition("\n")[0],
        settings=settings,
        anonymous=anonymous,
        compression=compression,
    )
