"""What a store promises, and how it fails.

Not for: which tables there are (``tables.py``), or how one is made (``opening.py``). Spec: docs/guide/operating.md (the
store).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from quantumgate.errors import LocalError
from quantumgate.store.tables import Key, Row, Rows, Table

# zope interfaces declare methods without ``self`` and without bodies
# mypy: disable-error-code="empty-body"


class StoreError(LocalError):
    """The store cannot be used, or not now. It was not changed."""


class DamagedStore(StoreError):
    """What is there is not what was written."""


class NotWritten(StoreError):
    """Changes that could not be written yet. Nothing is lost: they are kept in memory and tried again."""


class IStore(Interface):
    """Rows by table and key. What was put is remembered at once and durable soon; ``flushed`` says when.

    Rows that are put in one turn of the reactor are written in one transaction: all of them or none.
    """

    problem = Attribute("str, why the last write failed and what to do about it; empty while writes succeed")
    sealed = Attribute("bool, whether only a key opens it")
    described = Attribute("str, one phrase for status: what kind of store, and whether it is sealed")

    def open() -> Deferred[None]:
        """Deferred: checked, brought to the newest schema, ready. Fails with StoreError, whose advice is a way back."""

    def load(table: Table, **where: Any) -> Deferred[Rows]:
        """Deferred of {key: row}, every row of ``table`` checked; ``where`` names a column that is not sealed."""

    def put(table: Table, rows: Mapping[Key, Row | None]) -> None:
        """Remember ``rows``: {key: row, or None to remove it}. Written before this turn of the reactor is over."""

    def flushed() -> Deferred[None]:
        """Deferred: everything put so far is durable. Fails with NotWritten; the store goes on trying by itself."""

    def close() -> Deferred[None]:
        """Deferred: written, as far as it can be, and closed. Never fails."""


class Database(Protocol):
    """What a ``Store`` writes to. Every call may block, and comes from the store's own thread, one at a time."""

    @property
    def described(self) -> str:
        """One phrase for ``status``."""

    @property
    def sealed(self) -> bool:
        """Whether only a key opens it; known when it is open."""

    def open(self) -> None:
        """Check it, bring it to the newest schema. Raises StoreError."""

    def load(self, table: Table, where: Mapping[str, Any]) -> dict[Key, Row]:
        """Every row that fits, checked. Raises StoreError."""

    def write(self, changes: Mapping[tuple[Table, Key], Row | None]) -> None:
        """All of it, durably, or nothing. Raises StoreError."""

    def close(self) -> None:
        """Let go of it. Never raises."""
