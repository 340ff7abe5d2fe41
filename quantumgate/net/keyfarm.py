"""Slow key making off the reactor thread, stocked ahead: a McEliece key takes a good part of a second.

One key is made at a time, so that a burst of dials does not take every core. Not for: fast keys, which the handshake
makes inline, or what a key is. Spec: docs/spec/crypto.md (algorithms) [A46].
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.python.failure import Failure

from quantumgate.errors import LocalError


class Key(Protocol):
    """The part of ``crypto.kem.KemKey`` that a stock needs."""

    def wipe(self) -> None: ...


Grow = Callable[[int], Any]
"""The key of a group, made synchronously: runs in another thread."""
Elsewhere = Callable[[Grow, int], "Deferred[Any]"]
"""``threads.deferToThread``, or something that stands for it in tests."""


class KeyFarm:
    """Stocks of unused one-time keys by group id. After ``stop`` no key is handed out and none is kept."""

    def __init__(self, grow: Grow, elsewhere: Elsewhere, *, stock_keys: int = 2) -> None:
        """``stock_keys`` are kept ready per group in use; a McEliece key and its public half take some 540 KB."""
        self._grow = grow
        self._elsewhere = elsewhere
        self._stock_keys = stock_keys
        self._stock: dict[int, deque[Key]] = {}
        self._takers: dict[int, deque[Deferred[Any]]] = {}
        self._busy = False
        self._stopped = False

    def start(self, groups: Iterable[int]) -> None:
        """Begins to stock ``groups``, the slow ones that a dial would use first."""
        for group in groups:
            self._open(group)
        self._work()

    def take(self, group: int) -> Deferred[Any]:
        """A fresh key of this group, from the stock where there is one. Fails if it cannot be made."""
        self._open(group)
        if self._stopped:
            return maybeDeferred(_refuse)
        if self._stock[group]:
            key = self._stock[group].popleft()
            self._work()
            return succeed(key)
        taker: Deferred[Any] = Deferred(self._takers[group].remove)
        self._takers[group].append(taker)
        self._work()
        return taker

    def stock(self, group: int) -> int:
        """How many keys of this group lie ready."""
        return len(self._stock.get(group, ()))

    def stop(self) -> None:
        """Wipes the stock and fails who still waits."""
        self._stopped = True
        for keys in self._stock.values():
            while keys:
                keys.popleft().wipe()
        for takers in self._takers.values():
            while takers:
                takers.popleft().errback(LocalError("the node is stopping"))

    def _open(self, group: int) -> None:
        self._stock.setdefault(group, deque())
        self._takers.setdefault(group, deque())

    def _wanted(self) -> int | None:
        """The group to make a key of next: who waits goes before the emptiest stock."""
        waiting = [group for group, takers in self._takers.items() if takers]
        if waiting:
            return waiting[0]
        short = [group for group, keys in self._stock.items() if len(keys) < self._stock_keys]
        return min(short, key=self.stock) if short else None

    def _work(self) -> None:
        if self._busy or self._stopped:
            return
        group = self._wanted()
        if group is None:
            return
        self._busy = True
        made = maybeDeferred(self._elsewhere, self._grow, group)
        made.addCallbacks(self._made, self._failed, callbackArgs=(group,), errbackArgs=(group,))

    def _made(self, key: Key, group: int) -> None:
        self._busy = False
        if self._stopped:
            key.wipe()
        elif self._takers[group]:
            self._takers[group].popleft().callback(key)
        else:
            self._stock[group].append(key)
        self._work()

    def _failed(self, failure: Failure, group: int) -> None:
        """A group that fails is not stocked again until somebody asks for it: no endless loop of failing jobs."""
        self._busy = False
        takers = self._takers.pop(group)
        if not self._stock[group]:
            del self._stock[group]
        while takers:
            takers.popleft().errback(failure)
        if group in self._stock:
            self._takers[group] = deque()
            return
        self._work()


def _refuse() -> None:
    raise LocalError("the node is stopping")
