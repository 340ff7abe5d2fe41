"""Rows as a database keeps them: each column's bytes, sealed where the table says so, and back, checked.

Not for: SQL. Spec: docs/guide/operating.md (the store).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from quantumgate.errors import BugError
from quantumgate.store.interface import DamagedStore
from quantumgate.store.seal import Seal
from quantumgate.store.tables import Column, Key, Kind, Row, Table

ID = "id"
"""The name of the column by which rows are found, in every table."""

_WHOLE, _NUMBER = struct.Struct(">q"), struct.Struct(">d")


def id_of(table: Table, key: Key, seal: Seal) -> bytes:
    """The row's id: a hash, keyed where the store is sealed, over the table's name and the key."""
    named = zip(table.key, key, strict=True)
    parts = [table.name.encode(), *(_bytes_of(column.kind, value) for column, value in named)]
    return seal.id_of(b"".join(len(part).to_bytes(4, "big") + part for part in parts))


def encoded(table: Table, key: Key, row: Row, seal: Seal) -> dict[str, Any]:
    """Column names and what a database keeps in them. Raises BugError for a row that does not fit its table."""
    values = (*key, *row)
    if problem := table.problem(values):
        raise BugError(f"a row that does not fit: {problem}")
    name = id_of(table, key, seal)
    kept: dict[str, Any] = {ID: name}
    for column, value in zip(table.every, values, strict=True):
        if not column.secret or value is None:
            kept[column.name] = value.bytes if column.kind == "uuid" and value is not None else value
        else:
            kept[column.name] = seal.shut(_bytes_of(column.kind, value), place_of(table, column, name))
    return kept


def decoded(table: Table, kept: Mapping[str, Any], seal: Seal) -> tuple[Key, Row]:
    """The key and the row. Raises DamagedStore for anything that ``encoded`` does not make."""
    name = bytes(kept[ID])
    try:
        values = [_value(table, column, kept[column.name], name, seal) for column in table.every]
    except (ValueError, TypeError, struct.error) as error:
        raise DamagedStore(f"table {table.name}: {error}") from None
    if problem := table.problem(values):
        raise DamagedStore(f"table {problem}")
    key = tuple(values[: len(table.key)])
    if id_of(table, key, seal) != name:
        raise DamagedStore(f"table {table.name}: a row stands under another row's id")
    return key, tuple(values[len(table.key) :])


def place_of(table: Table, column: Column, name: bytes) -> bytes:
    """What a box is bound to."""
    return f"{table.name}.{column.name}".encode() + b"\0" + name


def wanted(table: Table, where: Mapping[str, Any]) -> dict[str, Any]:
    """Columns that are not sealed, and what a database keeps in them for these values. Raises BugError for others."""
    columns = {column.name: column for column in table.every if not column.secret}
    if not columns.keys() >= where.keys():
        raise BugError(f"rows of {table.name} cannot be found by {', '.join(where)}")
    return {name: value.bytes if columns[name].kind == "uuid" else value for name, value in where.items()}


def _value(table: Table, column: Column, kept: Any, name: bytes, seal: Seal) -> Any:
    if kept is None:
        return None
    if column.secret:
        return _of_bytes(column.kind, seal.open(bytes(kept), place_of(table, column, name)))
    if column.kind == "uuid":
        return UUID(bytes=bytes(kept))
    if column.kind == "bytes":
        return bytes(kept)
    if column.kind == "flag" and kept in (0, 1):
        return bool(kept)
    return kept


def _bytes_of(kind: Kind, value: Any) -> bytes:
    if kind == "text":
        return str(value).encode("utf-8", "surrogatepass")
    if kind == "uuid":
        return bytes(value.bytes)
    if kind == "whole":
        return _WHOLE.pack(value)
    if kind == "number":
        return _NUMBER.pack(value)
    return bytes((value,)) if kind == "flag" else bytes(value)


def _of_bytes(kind: Kind, data: bytes) -> Any:
    if kind == "text":
        return data.decode("utf-8", "surrogatepass")
    if kind == "uuid":
        return UUID(bytes=data)
    if kind == "whole":
        return _WHOLE.unpack(data)[0]
    if kind == "number":
        return _NUMBER.unpack(data)[0]
    return bool(data[0]) if kind == "flag" else data
