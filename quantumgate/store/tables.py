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
SERIALS = Table("serials", (_PEER,), (Column("serial", "whole"),))
"""Of the newest delegation that was seen of a pinned peer."""

RULES = Table("rules", (_PEER, _secret("about", "text"), Column("word", "text")), (_UNTIL,))
FILTERS = Table("filters", (_secret("network", "text"), Column("block", "flag")), (_UNTIL,))
PREFIX_LIMITS = Table("prefix_limits", (Column("prefix", "text"),),
                      (Column("connections", "whole"), Column("attempts", "whole"), Column("links", "whole")))
REPUTATIONS = Table("reputations", (_secret("subject", "text"),),
                    (Column("score", "number"), Column("refused_seconds", "number"), Column("times", "whole")))
GUARDS = Table("guards", (_PEER, Column("place", "text")), (Column("until", "whole"),))
"""``place``: ``first`` and ``second`` hops that are kept, or ``dropped`` relays."""

GUEST_VALUES = Table("guest_values", (Column("guest", "uuid"), _secret("name", "text")), (_secret("value", "bytes"),))
"""Extenders' key-value spaces, by the extender's UUID."""

NAMES = Table("names", (_PEER,), (_secret("name", "text"),))
"""What we call peers."""

ADDRESSES = Table("addresses", (_PEER,), (_secret("address", "text"),))
"""Where those are who invited us."""

INVITATIONS = Table(
    "invitations", (_secret("invitation", "bytes"),),
    (_secret("bundle", "bytes"), Column("made", "whole"), Column("expires", "whole"), Column("uses", "whole"),
     Column("only", "text"), _secret("name", "text"), Column("revoked", "flag"), _secret("joined", "bytes")),
)
"""Those that were made here; ``only`` are words with commas, ``joined`` the UUIDs of who came by it, 16 bytes each."""

BOOK = Table(
    "book", (_PEER,),
    (_secret("record", "bytes"), Column("succeeded_at", "number"), Column("failures", "whole"),
     _secret("source", "text"), Column("tried", "flag")),
)
"""The signed records of peers that are known, and how dialling them went."""

RELAY_ACCOUNTS = Table("relay_accounts", (_secret("client", "text"),),
                       (Column("began_at", "whole"), Column("moved_bytes", "whole")))
"""What a relay has carried for each network of clients on its present day, which began at a unix time."""

TABLES = (SETTINGS, PINS, RULES, FILTERS, PREFIX_LIMITS, REPUTATIONS, GUARDS, GUEST_VALUES, NAMES, ADDRESSES,
          INVITATIONS, BOOK, RELAY_ACCOUNTS, SERIALS)
