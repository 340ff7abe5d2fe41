"""What a store can hold: tables, their columns, and which of these are sealed.

A column is ``secret`` where it would tell a thief a key, or whom this node talks to. Changing a table is a migration
(``migrations.py``). Not for: what rows mean (``node/state.py``). Spec: docs/guide/operating.md (the store).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

Kind = Literal["text", "bytes", "whole", "number", "flag", "uuid"]
Key = tuple[Any, ...]
Row = tuple[Any, ...]
Rows = dict[Key, Row]

_PYTHON: dict[Kind, type] = {"text": str, "bytes": bytes, "whole": int, "number": float, "flag": bool, "uuid": UUID}
_WHOLE = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``optional`` = None is allowed; only columns of rows, not of keys."""

    name: str
    kind: Kind
    secret: bool = False
    optional: bool = False

    def problem(self, value: Any) -> str:
        """What is wrong with ``value``; "" = nothing."""
        if value is None and self.optional:
            return ""
        wanted = _PYTHON[self.kind]
        if type(value) is not wanted:
            return f"{self.name}: expected {self.kind}, found {type(value).__name__}"
        if self.kind == "whole" and value not in _WHOLE:
            return f"{self.name}: expected a number of 64 bits"
        return ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows are tuples: ``key`` names the columns that tell them apart, ``columns`` the others."""

    name: str
    key: tuple[Column, ...]
    columns: tuple[Column, ...]
    every: tuple[Column, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", (*self.key, *self.columns))

    def problem(self, values: Iterable[Any]) -> str:
        """What is wrong with a key and a row, one after the other; "" = nothing."""
        values = tuple(values)
        if len(values) != len(self.every):
            return f"{self.name}: expected {len(self.every)} values, found {len(values)}"
        found = next(filter(None, (column.problem(v) for column, v in zip(self.every, values, strict=True))), "")
        return f"{self.name}: {found}" if found else ""


def _secret(name: str, kind: Kind) -> Column:
    return Column(name, kind, secret=True)


_PEER = _secret("peer", "uuid")
_UNTIL = Column("until", "number", optional=True)

SETTINGS = Table("settings", (Column("name", "text"),), (_secret("value", "bytes"),))
"""Single values of the node itself: the replay floor, the rendezvous key, what was set by hand."""

PINS = Table("pins", (_PEER,), (_secret("fingerprint", "bytes"),))
RULES = Table("rules", (_PEER, _secret("about", "text")), (Column("word", "text"), _UNTIL))
FILTERS = Table("filters", (_secret("network", "text"),), (Column("block", "flag"), _UNTIL))
PREFIX_LIMITS = Table("prefix_limits", (Column("prefix", "text"),),
                      (Column("connections", "whole"), Column("attempts", "whole"), Column("links", "whole")))
REPUTATIONS = Table("reputations", (_secret("subject", "text"),),
                    (Column("score", "number"), Column("refused_seconds", "number"), Column("times", "whole")))
GUARDS = Table("guards", (_PEER, Column("place", "text")), (Column("until", "whole"),))
"""``place``: ``first`` and ``second`` hops that are kept, or ``dropped`` relays."""

GUEST_VALUES = Table("guest_values", (Column("guest", "uuid"), _secret("name", "text")), (_secret("value", "bytes"),))
"""Extenders' key-value spaces, by the extender's UUID."""

TABLES = (SETTINGS, PINS, RULES, FILTERS, PREFIX_LIMITS, REPUTATIONS, GUARDS, GUEST_VALUES)
