"""Copies of a store, and the way back: what ``qgate store backup`` and ``restore`` do. Blocking.

A copy is an SQLite file with the rows as they lie there, boxes unopened; docs/adr/0174. Not for: when to make one.
Spec: docs/guide/operating.md (the store).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from quantumgate.store.interface import StoreError
from quantumgate.store.sealed import StoreKey
from quantumgate.store.sql import SEAL, Raw, SqlDatabase
from quantumgate.store.sqlite import SqliteFile, copy, new_file, synced

REPLACED = ".replaced"
_WITH = ("-wal", "-shm")


def back_up(database: SqlDatabase, target: Path) -> None:
    """A copy at ``target``, where nothing is yet. ``database`` is not open, and may be in use. Raises StoreError."""
    if target.exists():
        raise StoreError(f"{target}: there is a file already", advice="name another, or move it away")
    try:
        if database.file is not None:
            if not database.file.exists():
                raise StoreError(f"{database.file}: there is no store yet")
            copy(database.file, target)
        else:
            _written(database.raw(), target)
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise StoreError(f"{target}: cannot be written: {error}") from None
    finally:
        database.close()


def restore(database: SqlDatabase, backup: Path, key: StoreKey | None) -> dict[str, int]:
    """``backup``, checked row by row, in the place of what ``database`` names; what was there stays beside a file.

    ``database`` is not open, and nobody uses it. Returns the rows by table. Raises StoreError; then nothing is changed.
    """
    if not backup.exists():
        raise StoreError(f"{backup}: there is no such file")
    place = database.file.parent if database.file is not None else backup.parent
    half = place / f".{backup.name}.{os.getpid()}.restoring"
    try:
        copy(backup, half, mode="ro")
        checked = SqlDatabase(SqliteFile(half), key)
        try:
            checked.open()
            rows = checked.check()
            raw = checked.raw()
        finally:
            checked.close()
        if database.file is not None:
            database.settle()
            _put_in_place(half, database.file)
        else:
            database.take(raw)
        return rows
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{backup}: {error}") from None
    finally:
        database.close()
        for end in ("", *_WITH):
            half.with_name(half.name + end).unlink(missing_ok=True)


def lies_open(file: Path) -> bool:
    """Whether this file is a store that no key seals. Reads only; what is no store does not."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as there:
            return not there.execute("SELECT 1 FROM meta WHERE name = ?", (SEAL,)).fetchall()
    except sqlite3.Error:
        return False


def _written(raw: Raw, target: Path) -> None:
    half = target.with_name(f".{target.name}.{os.getpid()}.rows")
    new_file(half)
    made = SqlDatabase(SqliteFile(half))
    try:
        made.take(raw)
        made.close()
        copy(half, target)
    finally:
        made.close()
        for end in ("", *_WITH):
            half.with_name(half.name + end).unlink(missing_ok=True)


def _put_in_place(half: Path, target: Path) -> None:
    """At each moment there is a whole store at the usual place: the old one, or the new one."""
    if target.exists():
        aside, number = target.with_name(target.name + REPLACED), 1
        while aside.exists():
            number += 1
            aside = target.with_name(f"{target.name}{REPLACED}.{number}")
        os.link(target, aside)
        for end in _WITH:  # left by a store that could not be settled: without it the file alone says what it can
            beside = target.with_name(target.name + end)
            if beside.exists():
                os.rename(beside, aside.with_name(aside.name + end))
    os.rename(half, target)
    synced(target.parent)

