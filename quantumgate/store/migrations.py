"""Schemas of the store, one after the other, and the way from each to the next.

A migration is never changed once it was released: it names its columns itself, whatever ``tables.py`` says today. Each
runs in one transaction with the note of its number. Not for: one store's opening (``sql.py``). Dumps of every past
schema lie in tests/store/schemas. See docs/adr/0172.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    insert,
    inspect,
    select,
    update,
)

from quantumgate.store.interface import StoreError

META = Table("meta", MetaData(), Column("name", Text, primary_key=True), Column("value", LargeBinary, nullable=False))
"""What a store says of itself: ``schema``, a number in decimal digits, and how it is sealed."""

SCHEMA = "schema"


def _made(connection: Connection, name: str, *columns: Column[Any]) -> Table:
    made = Table(name, MetaData(), Column("id", LargeBinary, primary_key=True), *columns)
    made.create(connection)
    return made


def _column(name: str, kind: Any, *, optional: bool = False) -> Column[Any]:
    return Column(name, kind, nullable=optional)


def _first(connection: Connection) -> None:
    """What the state file held, and the values of extenders."""
    box, whole, number = LargeBinary, BigInteger, Double
    META.create(connection)
    connection.execute(insert(META), {"name": SCHEMA, "value": b"0"})
    _made(connection, "settings", _column("name", Text), _column("value", box))
    _made(connection, "pins", _column("peer", box), _column("fingerprint", box))
    _made(connection, "rules", _column("peer", box), _column("about", box), _column("word", Text),
          _column("until", number, optional=True))
    _made(connection, "filters", _column("network", box), _column("block", Boolean),
          _column("until", number, optional=True))
    _made(connection, "prefix_limits", _column("prefix", Text), _column("connections", whole),
          _column("attempts", whole), _column("links", whole))
    _made(connection, "reputations", _column("subject", box), _column("score", number),
          _column("refused_seconds", number), _column("times", whole))
    _made(connection, "guards", _column("peer", box), _column("place", Text), _column("until", whole))
    values = _made(connection, "guest_values", _column("guest", box), _column("name", box), _column("value", box))
    Index("guest_values_guest", values.c.guest).create(connection)


def _second(connection: Connection) -> None:
    """Names, invitations, the book of peers, and what a relay has carried for whom."""
    box, whole = LargeBinary, BigInteger
    _made(connection, "names", _column("peer", box), _column("name", box))
    _made(connection, "addresses", _column("peer", box), _column("address", box))
    _made(connection, "invitations", _column("invitation", box), _column("bundle", box), _column("made", whole),
          _column("expires", whole), _column("uses", whole), _column("only", Text), _column("name", box),
          _column("revoked", Boolean), _column("joined", box))
    _made(connection, "book", _column("peer", box), _column("record", box), _column("succeeded_at", Double),
          _column("failures", whole), _column("source", box), _column("tried", Boolean))
    _made(connection, "relay_accounts", _column("client", box), _column("began_at", whole),
          _column("moved_bytes", whole))


def _third(connection: Connection) -> None:
    """Serials of the delegations that were seen."""
    _made(connection, "serials", _column("peer", LargeBinary), _column("serial", BigInteger))


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_first, _second, _third)
"""Number n leads from schema n to schema n + 1."""

NEWEST = len(MIGRATIONS)


def schema_of(connection: Connection) -> int:
    """The number of the schema that is there; 0 = nothing is. Raises StoreError where other tables are."""
    there = set(inspect(connection).get_table_names())
    if META.name not in there:
        if there:
            raise StoreError("this database belongs to another program: it has tables, and none of them is ours",
                             advice="give the node a database, or a schema, of its own")
        return 0
    found = connection.execute(select(META.c.value).where(META.c.name == SCHEMA)).scalar()
    if found is None or not bytes(found).isdigit():
        raise StoreError("the store does not say which schema it has")
    return int(bytes(found))


def migrate(connection: Connection, to: int = NEWEST) -> int:
    """Every step that is missing, inside the transaction of ``connection``. Returns how many were taken.

    Raises StoreError for a store that a newer version has written.
    """
    there = schema_of(connection)
    if there > NEWEST:
        raise StoreError(f"the store was written by a newer version (schema {there}; this one knows {NEWEST})",
                         advice="install that version again, or restore a copy that is older")
    for number in range(there, to):
        MIGRATIONS[number](connection)
        connection.execute(update(META).where(META.c.name == SCHEMA).values(value=str(number + 1).encode()))
    return max(0, to - there)
