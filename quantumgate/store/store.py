"""The store as everybody sees it: gathers what is put and commits it in groups; keeps trying where that fails.

While one group is being written the next gathers, so many who wait share one transaction. A change that could not be
written stays in memory, and is tried again after 1 s, 2 s, 4 s, up to a minute. Not for: files and SQL (``sql.py``).
Spec: docs/guide/operating.md (the store); docs/adr/0171.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from quantumgate.errors import QuantumGateError
from quantumgate.store.interface import Database, IStore, NotWritten
from quantumgate.store.tables import Key, Row, Table
from quantumgate.store.thread import Runner

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 60.0
_log = Logger(namespace="quantumgate.store")

Changes = dict[tuple[Table, Key], Row | None]


@implementer(IStore)
class Store:
    """``clock`` provides IReactorTime; ``runner`` is where ``database`` is called."""

    def __init__(self, database: Database, runner: Runner, clock: IReactorTime) -> None:
        self.problem = ""
        self._database, self._runner, self._clock = database, runner, clock
        self._gathered: Changes = {}
        self._waiting: list[Deferred[None]] = []
        self._riding: list[Deferred[None]] = []
        self._closing: list[Deferred[None]] = []
        self._writing = self._closed = False
        self._soon: IDelayedCall | None = None
        self._retry_seconds = 0.0

    @property
    def described(self) -> str:
        """See IStore."""
        return f"{self._database.described}; cannot be written now" if self.problem else self._database.described

    @property
    def sealed(self) -> bool:
        """See IStore."""
        return self._database.sealed

    def open(self) -> Deferred[None]:
        """See IStore."""
        return self._runner.run(self._database.open)

    def load(self, table: Table, **where: Any) -> Deferred[dict[Key, Row]]:
        """See IStore. What was put before is in it, written or not."""
        gathered = {key: row for (of, key), row in self._gathered.items() if of is table}
        found: Deferred[dict[Key, Row]] = self._runner.run(self._database.load, table, where)
        return found.addCallback(_overlaid, gathered, table, where) if gathered else found

    def put(self, table: Table, rows: Mapping[Key, Row | None]) -> None:
        """See IStore."""
        if self._closed:
            return
        for key, row in rows.items():
            self._gathered[table, key] = row
        if self._gathered and not self._writing and self._soon is None:
            self._soon = self._clock.callLater(0, self._write)

    def flushed(self) -> Deferred[None]:
        """See IStore."""
        if self._closed:
            return fail(NotWritten("not written: the node is stopping"))
        if self._gathered and self.problem:
            return fail(NotWritten(f"not written yet: {self.problem}"))
        done: Deferred[None] = Deferred()
        if self._gathered:
            self._waiting.append(done)
            if not self._writing:
                self._write()
        elif self._writing:
            self._riding.append(done)
        else:
            return succeed(None)
        return done

    def close(self) -> Deferred[None]:
        """See IStore. One more try, whatever the last one came to."""
        self._closed = True
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        ended: Deferred[None] = Deferred()
        if self._writing:
            self._closing.append(ended)
        else:
            ended.callback(None)
        return ended.addBoth(lambda _: self._write_the_last()).addBoth(lambda _: self._let_go())

    def _write_the_last(self) -> Deferred[None]:
        if not self._gathered or self._writing:
            return succeed(None)
        last: Deferred[None] = Deferred()
        self._waiting.append(last)
        self._write()
        return last

    def _let_go(self) -> Deferred[None]:
        if self._gathered:
            _log.error("{count} changes were not saved: {why}", count=len(self._gathered), why=self.problem)
        return self._runner.run(self._database.close).addBoth(lambda _: self._runner.stop())

    # -- groups --------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        if self._soon is not None and self._soon.active():
            self._soon.cancel()
        self._soon = None
        group, self._gathered = self._gathered, {}
        self._riding, self._waiting = self._waiting, []
        self._writing = True
        self._runner.run(self._database.write, group).addBoth(self._written, group)

    def _written(self, result: Any, group: Changes) -> None:
        riding, self._riding = self._riding, []
        if isinstance(result, Failure):
            self._writing = False
            self._gathered = group | self._gathered
            self._failed(result)
            waiting, self._waiting = self._waiting, []
            for each in (*riding, *waiting):
                each.errback(NotWritten(f"not written: {self.problem}"))
            self._close_now()
            return
        self._succeeded()
        for each in riding:  # what they put now goes into one group: it is not begun before the last of them was told
            each.callback(None)
        self._writing = False
        late, self._riding = self._riding, []
        for each in late:
            each.callback(None)
        self._close_now()
        if self._gathered and not self._writing and self._soon is None:
            self._write()

    def _close_now(self) -> None:
        closing, self._closing = self._closing, []
        for each in closing:
            each.callback(None)

    def _failed(self, failure: Failure) -> None:
        first = not self.problem
        self.problem = _in_words(failure)
        self._retry_seconds = min(max(2 * self._retry_seconds, FIRST_RETRY_SECONDS), LAST_RETRY_SECONDS)
        if first:
            _log.error("the store cannot be written: {why}; what is to be kept is kept in memory and tried again",
                       why=self.problem)
        if not self._closed:
            self._soon = self._clock.callLater(self._retry_seconds, self._write)

    def _succeeded(self) -> None:
        if self.problem:
            _log.info("the store is written again: nothing was lost")
        self.problem, self._retry_seconds = "", 0.0


def _in_words(failure: Failure) -> str:
    error = failure.value
    advice = error.advice if isinstance(error, QuantumGateError) else ""
    text = str(error) or type(error).__name__
    return f"{text} ({advice})" if advice else text


def _overlaid(found: dict[Key, Row], gathered: dict[Key, Row | None], table: Table, where: Mapping[str, Any]) -> Any:
    for key, row in gathered.items():
        named = dict(zip((column.name for column in table.every), (*key, *(row or ())), strict=False))
        if row is None:
            found.pop(key, None)
        elif all(named[name] == value for name, value in where.items()):
            found[key] = row
    return found
