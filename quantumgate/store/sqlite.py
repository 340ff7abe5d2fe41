"""SQLite as a store: one file of mode 0600, its write-ahead log, each commit synced to the disk.

Not for: rows (``sql.py``). Spec: docs/guide/operating.md (the store); https://sqlite.org/wal.html,
https://sqlite.org/pragma.html#pragma_synchronous.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from quantumgate.store.interface import DamagedStore, StoreError
from quantumgate.store.sql import cause_of

PRIVATE_FILE = 0o600
COPY_TRIES = 40
"""A quarter of a second between them."""

FAULTS_SHOWN = 3
WAY_BACK = "qgate store restore FILE puts a backup in its place; the damaged store is kept beside it"
_HELD = "another program holds the file: end it"
_FULL, _DAMAGED, _FOREIGN, _READ_ONLY, _INPUT_OUTPUT, _BUSY = 13, 11, 26, 8, 10, 5


class SqliteFile:
    """A store in ``path``. The directory is there; the file is made when it is not."""

    busy_seconds = 5.0
    """How long a call waits for another program that holds the file."""

    def __init__(self, path: Path) -> None:
        self.path = self.file = path
        self.described = f"SQLite, {path.name}"

    def source(self) -> sa.Engine:
        """See Dialect."""
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE))
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}", advice=_advice_of(error)) from None
        made = sa.create_engine(
            sa.URL.create("sqlite", database=str(self.path)), poolclass=NullPool,
            connect_args={"timeout": self.busy_seconds, "check_same_thread": False},
        )
        event.listen(made, "connect", _prepare)
        event.listen(made, "begin", _begin)
        return made

    def examine(self, connection: sa.Connection, *, wholly: bool) -> None:
        """See Dialect."""
        word = "integrity_check" if wholly else "quick_check"
        found = connection.exec_driver_sql(f"PRAGMA {word}({FAULTS_SHOWN})").scalars().all()
        if found != ["ok"]:
            raise DamagedStore(f"{self.path}: damaged: {'; '.join(map(str, found))}", advice=WAY_BACK)

    def before_migration(self, schema: int) -> None:
        """A copy of what is there, beside it."""
        copy(self.path, self.path.with_name(f"{self.path.name}.schema-{schema}"))

    def forget(self, connection: sa.Connection) -> None:
        """See Dialect. The log is emptied and every page written anew."""
        raw: Any = connection.connection.dbapi_connection
        try:
            raw.execute("VACUUM")
            held, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise self.in_words(DBAPIError("VACUUM", (), error)) from None
        if held:
            raise StoreError(f"{self.path}: another program reads it", advice=_HELD)
        connection.rollback()

    def in_words(self, error: SQLAlchemyError) -> StoreError:
        """See Dialect."""
        said = f"{self.path}: {cause_of(error)}"
        number = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF if isinstance(error, DBAPIError) else 0
        if number in (_DAMAGED, _FOREIGN):
            return DamagedStore(said, advice=WAY_BACK)
        return StoreError(said, advice={
            _FULL: "the disk is full: make room",
            _READ_ONLY: "the disk or the file is read-only: make it writable",
            _INPUT_OUTPUT: "the disk does not work: look into the system's log",
            _BUSY: _HELD,
        }.get(number, ""))


def copy(source: Path, target: Path, *, mode: str = "rw") -> None:
    """A whole copy at ``target``, also while somebody writes to ``source``: mode 0600, synced, whole or not there.

    ``mode`` = ro for a source that may lie where nothing can be written. The copy is one file, without a log beside it.
    Raises OSError or sqlite3.Error.
    """
    half = target.with_name(f".{target.name}.{os.getpid()}.new")
    new_file(half)
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode={mode}", uri=True)) as there, closing(
                sqlite3.connect(half)) as here:
            there.backup(here, progress=_patience())
            here.execute("PRAGMA journal_mode = DELETE").fetchall()
        _sync(half, os.O_RDWR)
        half.rename(target)
        synced(target.parent)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


def new_file(path: Path) -> None:
    """Empty, mode 0600 and ours: a name that can be guessed may lead elsewhere where others can write. Raises OSError.
    """
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE))


def _patience() -> Callable[[int, int, int], None]:
    """Called after each try, of which one is enough: the library itself would wait for ever for who holds the file."""
    tries = count()

    def look(status: int, remaining: int, total: int) -> None:
        if remaining and next(tries) > COPY_TRIES:
            raise sqlite3.OperationalError("another program holds the file")

    return look


def synced(directory: Path) -> None:
    """What was renamed in it stays renamed."""
    _sync(directory, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _prepare(connection: Any, _: Any) -> None:
    """Transactions are begun by us; a commit that was told is on the disk; what is deleted is overwritten."""
    connection.isolation_level = None
    for line in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {line}")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _advice_of(error: OSError) -> str:
    return {
        errno.EROFS: "make the disk writable", errno.EACCES: "make it writable for this user",
        errno.ENOSPC: "the disk is full: make room", errno.ENOENT: "make its directory, or change node.store",
    }.get(error.errno or 0, "")
