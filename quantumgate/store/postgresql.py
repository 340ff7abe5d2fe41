"""PostgreSQL as a store: a database (or a schema of one) that belongs to one node, for as long as that runs.

Needs psycopg, the extra ``postgresql``. Not for: rows (``sql.py``), the server's own backups. Spec:
docs/guide/operating.md (the store); https://www.postgresql.org/docs/15/errcodes-appendix.html.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from quantumgate.store.interface import StoreError
from quantumgate.store.migrations import META
from quantumgate.store.sql import cause_of
from quantumgate.store.tables import TABLES

CONNECT_SECONDS, OWN_SECONDS = 5, 10
"""How long a connection may take, and how long one waits for a node that is just going."""

_LOCK_TAKEN = "55P03"
_OWN = "SELECT pg_advisory_lock(hashtext('quantumgate'), hashtext(current_schema()))"
_ADVICE = {
    _LOCK_TAKEN: "give each node a database, or a schema, of its own; or stop the other one",
    "53100": "the disk of the database is full: make room there",
    "25006": "the database takes no writes: look for its primary",
    "28P01": "look at the name and the password in node.store",
    "28000": "look at the name in node.store, and at the server's pg_hba.conf",
    "3D000": "createdb makes one",
    "42501": "grant the user CREATE on the schema",
}


class PostgresqlServer:
    """A store at ``url``. ``alone``: nobody else may use it meanwhile; a backup of a running node asks for less."""

    def __init__(self, url: str, *, alone: bool = True) -> None:
        """Raises StoreError for what is no URL, or without psycopg."""
        try:
            self._url = sa.make_url(url).set(drivername="postgresql+psycopg")
        except (SQLAlchemyError, ValueError):
            raise StoreError("node.store is no URL of a PostgreSQL database") from None
        if find_spec("psycopg") is None:
            raise StoreError("node.store names PostgreSQL, and psycopg is not installed",
                             advice="pip install 'quantumgate[postgresql]'")
        self._alone, self.file = alone, None
        self.described = f"PostgreSQL, {self._url.database or 'the default database'}"

    def source(self) -> sa.Engine:
        """See Dialect."""
        made = sa.create_engine(self._url, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS})
        event.listen(made, "connect", self._prepare)
        return made

    def _prepare(self, connection: Any, _: Any) -> None:
        """A commit that was told is on the server's disk; and no other node writes here."""
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = on")
            if self._alone:
                cursor.execute(f"SET lock_timeout = '{OWN_SECONDS}s'")
                cursor.execute(_OWN)
        connection.commit()

    def examine(self, connection: sa.Connection, *, wholly: bool) -> None:
        """Nothing: the server checks its own pages (``pg_checksums``, ``pg_amcheck``), and rows are checked as read."""

    def before_migration(self, schema: int) -> None:
        """Nothing: a step is one transaction, and copies are the server's."""

    def forget(self, connection: sa.Connection) -> None:
        """See Dialect. The server's own log and archives are beyond us."""
        from psycopg import Error

        raw: Any = connection.connection.dbapi_connection
        try:
            raw.rollback()
            raw.autocommit = True
            for name in (META.name, *(table.name for table in TABLES)):
                raw.execute(f"VACUUM FULL {name}")
            raw.autocommit = False
        except Error as error:
            raise self.in_words(DBAPIError("VACUUM", (), error)) from None
        connection.rollback()

    def in_words(self, error: SQLAlchemyError) -> StoreError:
        """See Dialect. The library's words name host and user, never a password."""
        state = (getattr(error.orig, "sqlstate", None) or "") if isinstance(error, DBAPIError) else ""
        if state == _LOCK_TAKEN:
            return StoreError(f"{self.described}: another node uses it", advice=_ADVICE[state])
        if not state and isinstance(error, DBAPIError):
            return StoreError(f"{self.described}: cannot be reached: {cause_of(error)}",
                              advice="start the database server, or look at node.store")
        return StoreError(f"{self.described}: {cause_of(error)}", advice=_ADVICE.get(state, ""))
