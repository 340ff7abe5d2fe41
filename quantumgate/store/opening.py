"""From the text of ``node.store`` to a store: which database, where, in which thread.

``""`` is SQLite in the data directory, ``memory:`` forgets, ``sqlite:///PATH`` is a file elsewhere,
``postgresql://...`` a server. Not for: the
configuration's own errors (``settings/resolve.py`` has checked the text). Spec: docs/guide/operating.md (the store).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantumgate.store.interface import Database
from quantumgate.store.memory import MemoryDatabase
from quantumgate.store.store import Store
from quantumgate.store.thread import OwnThread

if TYPE_CHECKING:
    from quantumgate.store.sealed import StoreKey
    from quantumgate.store.sql import SqlDatabase

STORE_FILE = "store.db"
MEMORY = "memory:"
SQLITE = "sqlite:///"
POSTGRESQL = ("postgresql://", "postgresql+psycopg://")


def database_at(url: str, directory: Path, key: StoreKey | None = None) -> Database:
    """The database that ``url`` names, not opened. ``key`` seals it. Raises StoreError."""
    return MemoryDatabase() if url == MEMORY else sql_database_at(url, directory, key)


def sql_database_at(url: str, directory: Path, key: StoreKey | None = None, *, alone: bool = True) -> SqlDatabase:
    """The same for one that lies on a disk; not ``alone`` = beside the node that uses it. Raises StoreError.

    SQLAlchemy is loaded here, not before.
    """
    from quantumgate.store.sql import SqlDatabase
    from quantumgate.store.sqlite import SqliteFile

    if url.startswith(POSTGRESQL):
        from quantumgate.store.postgresql import PostgresqlServer

        return SqlDatabase(PostgresqlServer(url, alone=alone), key)
    return SqlDatabase(SqliteFile(Path(url.removeprefix(SQLITE)) if url else directory / STORE_FILE), key)


def store_at(url: str, directory: Path, key: StoreKey | None, reactor: Any) -> Store:
    """A store with a thread of its own, not opened. Raises StoreError."""
    return Store(database_at(url, directory, key), OwnThread(reactor), reactor)
