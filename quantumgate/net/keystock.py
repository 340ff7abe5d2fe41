"""Fast ephemeral keys made a moment ahead, so that a handshake does not wait for them: one of each group in use.

A key that was taken is replaced in the next turn of the reactor, while the peer is at work. What nobody takes within
``KEEP_SECONDS`` is wiped: whoever reads this process's memory learns keys of handshakes of the next minute, not of
some later day (ADR 0081). Not for: slow keys (``keyfarm.py``), or what a key is. Spec: docs/spec/crypto.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from quantumgate.core.handshake.settings import ExchangeKeys, LibraryKeys
from quantumgate.crypto.agreement import PrimaryKey
from quantumgate.crypto.kem import KemKey
from quantumgate.crypto.secret import Secret

KEEP_SECONDS = 60.0
K = TypeVar("K", PrimaryKey, KemKey)
Make = Callable[[int], K]


class KeyStock:
    """An ExchangeKeys. No key is handed out twice; after ``stop`` none is kept."""

    def __init__(self, clock: IReactorTime, source: ExchangeKeys | None = None) -> None:
        """``source`` makes the keys: the library, unless a test brings another."""
        self._clock = clock
        self._source = source or LibraryKeys()
        self._primaries: dict[int, PrimaryKey] = {}
        self._secondaries: dict[int, KemKey] = {}
        self._short: list[Callable[[], None]] = []
        self._filling: IDelayedCall | None = None
        self._sweeping: IDelayedCall | None = None
        self._filled_at = 0.0
        self._stopped = False

    def primary(self, group: int) -> PrimaryKey:
        """See ExchangeKeys."""
        return self._take(self._primaries, group, self._source.primary)

    def secondary(self, group: int) -> KemKey:
        """See ExchangeKeys."""
        return self._take(self._secondaries, group, self._source.secondary)

    def encapsulate(self, group: int, public: bytes) -> tuple[bytes, Secret]:
        """See ExchangeKeys."""
        return self._source.encapsulate(group, public)

    def __len__(self) -> int:
        return len(self._primaries) + len(self._secondaries)

    def stop(self) -> None:
        """Wipes the stock; from here on a key is made when it is asked for."""
        self._stopped = True
        for call in (self._filling, self._sweeping):
            if call is not None:
                call.cancel()
        self._filling = self._sweeping = None
        self._wipe()

    def _take(self, stock: dict[int, K], group: int, make: Make[K]) -> K:
        if not self._stopped:
            self._short.append(lambda: _fill(stock, group, make))
            if self._filling is None:
                self._filling = self._clock.callLater(0, self._fill)
        return stock.pop(group, None) or make(group)

    def _fill(self) -> None:
        self._filling = None
        short, self._short = self._short, []
        for each in short:
            each()
        self._filled_at = self._clock.seconds()
        if self._sweeping is None:
            self._sweeping = self._clock.callLater(KEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """One timer for many fillings: it looks again where keys were made meanwhile."""
        self._sweeping = None
        left_seconds = self._filled_at + KEEP_SECONDS - self._clock.seconds()
        if left_seconds > 0:
            self._sweeping = self._clock.callLater(left_seconds, self._sweep)
        else:
            self._wipe()

    def _wipe(self) -> None:
        stocks: tuple[dict[int, PrimaryKey] | dict[int, KemKey], ...] = (self._primaries, self._secondaries)
        for stock in stocks:
            while stock:
                stock.popitem()[1].wipe()
        self._short.clear()


def _fill(stock: dict[int, K], group: int, make: Make[K]) -> None:
    if group not in stock:
        stock[group] = make(group)
