"""A store in a database that speaks SQL: opening, reading, writing rows in one transaction.

What differs between SQLite and PostgreSQL is a ``Dialect`` (``sqlite.py``, ``postgresql.py``). Every call may block.
Not for: when to write (``store.py``), or what rows mean. Spec: docs/guide/operating.md (the store).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from quantumgate.crypto.random import RandomSource, SystemRandom
from quantumgate.crypto.secret import Secret
from quantumgate.store.codec import ID, decoded, encoded, id_of, wanted
from quantumgate.store.interface import StoreError
from quantumgate.store.migrations import META, NEWEST, migrate, schema_of
from quantumgate.store.seal import Seal, Unsealed
from quantumgate.store.sealed import Sealed, StoreKey, Wrapped, new_master
from quantumgate.store.tables import TABLES, Key, Kind, Row, Table

_TYPES: dict[Kind, Any] = {
    "text": sa.Text, "bytes": sa.LargeBinary, "whole": sa.BigInteger, "number": sa.Double, "flag": sa.Boolean,
    "uuid": sa.LargeBinary,
}
SEAL = "seal"
"""The row of ``meta`` that says how the store is sealed."""

FORGET = "forget"
"""The row of ``meta`` that stands as long as what a seal has replaced may still lie in the database's files."""

_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


Raw = dict[str, list[dict[str, Any]]]
"""Rows by table, as they lie in a database."""


class Dialect(Protocol):
    """One kind of database at one place."""

    described: str

    @property
    def file(self) -> Path | None:
        """Where it lies, if it is a file."""

    def source(self) -> sa.Engine:
        """Connects when it is used. Raises StoreError where nothing can be there."""

    def examine(self, connection: sa.Connection, *, wholly: bool) -> None:
        """The database's own check of itself, quick or whole. Raises DamagedStore."""

    def before_migration(self, schema: int) -> None:
        """Called with nothing open, before an older schema is changed."""

    def forget(self, connection: sa.Connection) -> None:
        """No transaction is open. What was deleted is no longer in the database's files. Raises StoreError."""

    def in_words(self, error: SQLAlchemyError) -> StoreError:
        """What an error of the database means to its owner."""


@cache
def sql_table(table: Table) -> sa.Table:
    """Our table as SQLAlchemy knows it."""
    columns = [sa.Column(column.name, sa.LargeBinary if column.secret else _TYPES[column.kind],
                         nullable=column.optional) for column in table.every]
    return sa.Table(table.name, sa.MetaData(), sa.Column(ID, sa.LargeBinary, primary_key=True), *columns)


def _everything() -> tuple[sa.Table, ...]:
    return (META, *map(sql_table, TABLES))


@cache
def _upsert(table: Table, dialect: str) -> Any:
    statement = _INSERT[dialect](sql_table(table))
    others = {column.name: statement.excluded[column.name] for column in table.every}
    return statement.on_conflict_do_update(index_elements=[ID], set_=others)


@cache
def _removal(table: Table) -> Any:
    target = sql_table(table)
    return sa.delete(target).where(target.c[ID] == sa.bindparam("which"))


class SqlDatabase:
    """See ``interface.Database``. A connection that failed is given up; the next call makes another."""

    def __init__(self, dialect: Dialect, key: StoreKey | None = None, random: RandomSource | None = None) -> None:
        """With a ``key`` a store that is not sealed yet will be, all of it, when it is opened."""
        self._dialect, self._key, self._random = dialect, key, random or SystemRandom()
        self._seal: Seal = Unsealed()
        self._sealed_with = ""
        self._engine: sa.Engine | None = None
        self._held: sa.Connection | None = None

    @property
    def described(self) -> str:
        """See Database."""
        return self._dialect.described + (f", sealed with a {self._sealed_with}" if self._sealed_with else "")

    @property
    def sealed(self) -> bool:
        """See Database."""
        return self._seal.sealed

    def open(self) -> None:
        """See Database."""
        with self._words():
            with self._connection().begin() as _:
                self._dialect.examine(self._connection(), wholly=False)
                there = schema_of(self._connection())
                if there:
                    self._unlock()  # before anything is changed
            if 0 < there < NEWEST:
                self.close()
                self._dialect.before_migration(there)
            with self._connection().begin() as _:
                migrate(self._connection())
        if self._key is not None and not self._seal.sealed:
            self._seal_everything(new_master(self._random), self._key)
        elif self._noted(FORGET) is not None:
            self._forget()

    # -- the seal ------------------------------------------------------------------------------------------------

    def _unlock(self) -> None:
        wrapped = self._wrapped()
        if wrapped is not None:
            self._seal, self._sealed_with = Sealed(wrapped.opened(self._key), self._random), wrapped.source

    def _wrapped(self) -> Wrapped | None:
        found = self._connection().execute(sa.select(META.c.value).where(META.c.name == SEAL)).scalar()
        return None if found is None else Wrapped.decode(bytes(found))

    def _noted(self, name: str) -> bytes | None:
        with self._words(), self._connection().begin() as _:
            found = self._connection().execute(sa.select(META.c.value).where(META.c.name == name)).scalar()
        return None if found is None else bytes(found)

    def _seal_everything(self, master: Secret, key: StoreKey) -> None:
        """What lies there openly becomes sealed, and nothing of it stays behind in the database."""
        kept = {(table, name): row for table in TABLES for name, row in self.load(table, {}).items()}
        sealed = Sealed(master, self._random)
        with self._words(), self._connection().begin() as _:
            for table in TABLES:
                self._connection().execute(sa.delete(sql_table(table)))
            self._wrap(Wrapped.of(master, key, self._random))
            self._seal, self._sealed_with = sealed, key.source
            self._put(kept)
        self._forget()

    def seal_again(self, key: StoreKey) -> None:
        """The same seal, opened by another key from now on; a store without one is sealed. Opened before."""
        with self._words(), self._connection().begin() as _:
            wrapped = self._wrapped()
            if wrapped is not None:
                self._wrap(Wrapped.of(wrapped.opened(self._key), key, self._random))
        if wrapped is None:
            self._seal_everything(new_master(self._random), key)
        else:
            self._forget()  # the old passphrase opens what it opened as long as that lies anywhere
        self._key, self._sealed_with = key, key.source

    def _wrap(self, wrapped: Wrapped) -> None:
        """Notes that the former state is to be forgotten: a kill may come before it is."""
        connection = self._connection()
        connection.execute(sa.delete(META).where(META.c.name.in_((SEAL, FORGET))))
        connection.execute(sa.insert(META), [{"name": SEAL, "value": wrapped.encode()}, {"name": FORGET, "value": b""}])

    def _forget(self) -> None:
        try:
            with self._words():
                self._dialect.forget(self._connection())
        except StoreError as error:
            raise StoreError(f"sealed, but what lay there before may still be in the files: {error}",
                             advice=error.advice or "start again: it is tried at each start") from None
        with self._words(), self._connection().begin() as _:
            self._connection().execute(sa.delete(META).where(META.c.name == FORGET))

    # -- rows ----------------------------------------------------------------------------------------------------

    def load(self, table: Table, where: Mapping[str, Any]) -> dict[Key, Row]:
        """See Database."""
        source = sql_table(table)
        fitting = [source.c[name] == value for name, value in wanted(table, where).items()]
        with self._words(), self._connection().begin() as _:
            found = self._connection().execute(sa.select(source).where(*fitting)).mappings().all()
        return dict(decoded(table, dict(kept), self._seal) for kept in found)

    def write(self, changes: Mapping[tuple[Table, Key], Row | None]) -> None:
        """See Database."""
        with self._words(), self._connection().begin() as _:
            self._put(changes)

    def _put(self, changes: Mapping[tuple[Table, Key], Row | None]) -> None:
        kept: dict[Table, list[dict[str, Any]]] = {}
        gone: dict[Table, list[dict[str, Any]]] = {}
        for (table, key), row in changes.items():
            if row is None:
                gone.setdefault(table, []).append({"which": id_of(table, key, self._seal)})
            else:
                kept.setdefault(table, []).append(encoded(table, key, row, self._seal))
        connection = self._connection()
        for table, names in gone.items():
            connection.execute(_removal(table), names)
        for table, rows in kept.items():
            connection.execute(_upsert(table, connection.dialect.name), rows)

    # -- for who looks after it: not opened before ---------------------------------------------------------------

    @property
    def file(self) -> Path | None:
        """Where it lies, if it is a file."""
        return self._dialect.file

    def brief(self) -> tuple[int, str]:
        """The number of its schema (0 = nothing is there) and what it is sealed with ("" = nothing). Needs no key."""
        with self._words(), self._connection().begin() as _:
            there = schema_of(self._connection())
            wrapped = self._wrapped() if there else None
        return there, "" if wrapped is None else wrapped.source

    def check(self) -> dict[str, int]:
        """Everything that can be checked: the database itself, the schema, each row. Rows by table.

        Raises StoreError.
        """
        with self._words(), self._connection().begin() as _:
            self._dialect.examine(self._connection(), wholly=True)
            there = schema_of(self._connection())
            if there:
                self._unlock()
        if there != NEWEST:
            raise StoreError(f"the store has schema {there}, this version works with {NEWEST}",
                             advice="qgate store migrate" if there < NEWEST else "install the version that wrote it")
        return {table.name: len(self.load(table, {})) for table in TABLES}

    def raw(self) -> Raw:
        """All rows of all tables as they lie there, at one moment."""
        with self._words(), self._connection().begin() as _:
            connection = self._connection()
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            there = schema_of(connection)
            if there != NEWEST:
                raise StoreError(f"the store has schema {there}, a copy is made of {NEWEST}",
                                 advice="qgate store migrate")
            found = {table.name: connection.execute(sa.select(table)).mappings().all() for table in _everything()}
        return {name: [dict(row) for row in rows] for name, rows in found.items()}

    def take(self, raw: Raw) -> None:
        """Instead of all that is there."""
        with self._words(), self._connection().begin() as _:
            migrate(self._connection())
            for table in _everything():
                self._connection().execute(sa.delete(table))
                if raw[table.name]:
                    self._connection().execute(sa.insert(table), raw[table.name])

    def settle(self) -> None:
        """Everything that was committed is in the file itself, as far as it can be read."""
        try:
            self.brief()
        except StoreError:
            pass
        self.close()  # the last connection to an SQLite file brings its log into it

    def close(self) -> None:
        """See Database."""
        held, self._held = self._held, None
        engine, self._engine = self._engine, None
        try:
            if held is not None:
                held.close()
        except SQLAlchemyError:
            pass
        if engine is not None:
            engine.dispose()

    def _connection(self) -> sa.Connection:
        if self._held is None:
            if self._engine is None:
                self._engine = self._dialect.source()
            self._held = self._engine.connect()
        return self._held

    @contextmanager
    def _words(self) -> Iterator[None]:
        """Errors of the library as ours; a connection that had one is not used again."""
        try:
            yield
        except SQLAlchemyError as error:
            self.close()
            raise self._dialect.in_words(error) from None
        except StoreError:
            self.close()
            raise


def cause_of(error: SQLAlchemyError) -> str:
    """What the database itself said, in one line."""
    said = str(error.orig if isinstance(error, DBAPIError) and error.orig is not None else error)
    return " ".join(said.split())
