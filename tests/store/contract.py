"""What every store must do, whatever it lies in: the same tests for SQLite, PostgreSQL and memory.

A case mixes ``Contract`` in and says how a database is made; ``again`` makes another that finds what this one wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import BugError
from quantumgate.store import tables
from quantumgate.store.interface import Database
from quantumgate.store.postgresql import PostgresqlServer
from quantumgate.store.sealed import StoreKey
from quantumgate.store.sql import SqlDatabase
from quantumgate.store.sqlite import SqliteFile
from quantumgate.store.store import Store
from quantumgate.store.tables import Key, Row, Table
from quantumgate.store.thread import Inline
from tests.store import postgres

ONE = UUID("c0ffee00-1234-8abc-9def-0123456789ab")
TWO = UUID("deadbeef-1234-8abc-9def-0123456789ab")
GUEST, OTHER_GUEST = UUID("11111111-1234-4abc-9def-0123456789ab"), UUID("22222222-1234-4abc-9def-0123456789ab")

EXAMPLES: dict[Table, tuple[tuple[Key, Row], ...]] = {
    tables.SETTINGS: ((("replay_floor_ms",), (b"1800000000000",)), (("empty",), (b"",))),
    tables.PINS: (((ONE,), (bytes(range(32)),)), ((TWO,), (b"\xff" * 32,))),
    tables.RULES: (((ONE, "", "allow"), (None,)), ((ONE, "relay", "deny"), (1.8e9,)), ((TWO, "x", "ban"), (0.0,))),
    tables.FILTERS: ((("192.0.2.0/24", True), (None,)), (("2001:db8::/32", False), (1.8e9 + 0.25,))),
    tables.PREFIX_LIMITS: ((("ipv4/24",), (1, 2, 3)), (("ipv6/48",), (0, 0, 1_000_000))),
    tables.REPUTATIONS: ((("192.0.2.1/32",), (-99.5, 12.0, 3)), ((str(ONE),), (100.0, 0.0, 0))),
    tables.GUARDS: (((ONE, "first"), (1_800_000_000,)), ((ONE, "dropped"), (0,)), ((TWO, "second"), (1 << 62,))),
    tables.GUEST_VALUES: (((GUEST, "key"), (b"value",)), ((OTHER_GUEST, "key"), (b"",)),
                          ((GUEST, "\u20ac \x00 '\""), (bytes(range(256)),))),
    tables.NAMES: (((ONE,), ("Bob",)),),
    tables.ADDRESSES: (((ONE,), ("qg://somewhere",)),),
    tables.INVITATIONS: (((b"\x01" * 16,), (b"\x01" * 33, 1, 2, 3, "connect", "Bob", False, ONE.bytes)),),
    tables.BOOK: (((TWO,), (b"record", 1.8e9, 3, "192.0.0.0/16", True)),),
    tables.SERIALS: (((ONE,), (1_800_000_000_000,)), ((TWO,), ((1 << 63) - 1,))),
    tables.RELAY_ACCOUNTS: ((("192.0.2.0/24",), (1_800_000_000, 1 << 40)),),
}
"""Rows of every table, with the ends of what its columns hold."""


class StoreCase(SynchronousTestCase):
    """A store on a fake clock."""

    def setUp(self) -> None:
        self.clock = Clock()

    def store(self, database: Database) -> Store:
        store = Store(database, Inline(), self.clock)
        self.addCleanup(store.close)
        self.successResultOf(store.open())
        return store


class OnDisk:
    """What ``made`` and ``again`` are for SQLite; ``key`` seals it."""

    key: StoreKey | None = None
    mktemp: Callable[[], str]

    def made(self) -> Database:
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        self.path = directory / "store.db"
        return self.again()

    def again(self) -> Database:
        return SqlDatabase(SqliteFile(self.path), self.key)


class OnServer:
    """The same for PostgreSQL."""

    key: StoreKey | None = None

    def made(self) -> Database:
        self.url = postgres.server().space()
        return SqlDatabase(PostgresqlServer(self.url), self.key)

    def again(self) -> Database:
        """Beside the first, which a kill would have ended."""
        return SqlDatabase(PostgresqlServer(self.url, alone=False), self.key)


class Contract:
    """Mixed into a StoreCase that says what ``made`` and ``again`` are."""

    def made(self) -> Database:
        """A new and empty one."""
        raise BugError("a case says how its database is made")

    def again(self) -> Database:
        """Another at the same place as the last that was made."""
        raise BugError("a case says how its database is opened again")

    def fill(self, database: Database, rows: Mapping[Table, tuple[tuple[Key, Row], ...]] = EXAMPLES) -> Store:
        store = self.store(database)
        for table, examples in rows.items():
            store.put(table, dict(examples))
        self.successResultOf(store.flushed())
        return store

    def rows(self, store: Store, table: Table, **where: Any) -> dict[Key, Row]:
        return self.successResultOf(store.load(table, **where))

    def test_every_table_has_examples(self) -> None:
        self.assertEqual(set(EXAMPLES), set(tables.TABLES))

    def test_what_was_flushed_is_there_after_another_opening(self) -> None:
        first = self.fill(self.made())
        self.successResultOf(first.close())
        again = self.store(self.again())
        for table, examples in EXAMPLES.items():
            self.assertEqual(self.rows(again, table), dict(examples), table.name)

    def test_what_was_flushed_is_there_without_a_close(self) -> None:
        """As after a kill: nothing is left to be done at the end."""
        self.fill(self.made())
        again = self.again()
        again.open()
        self.addCleanup(again.close)
        for table, examples in EXAMPLES.items():
            self.assertEqual(again.load(table, {}), dict(examples), table.name)

    def test_types_come_back_as_they_went(self) -> None:
        store = self.fill(self.made())
        for table in tables.TABLES:
            for key, row in self.rows(store, table).items():
                self.assertEqual(table.problem((*key, *row)), "")

    def test_a_row_is_replaced_and_removed(self) -> None:
        store = self.fill(self.made())
        store.put(tables.RULES, {(ONE, "", "allow"): (5.0,), (TWO, "x", "ban"): None, (TWO, "", "ban"): None})
        self.successResultOf(store.flushed())
        self.assertEqual(self.rows(store, tables.RULES), {(ONE, "", "allow"): (5.0,), (ONE, "relay", "deny"): (1.8e9,)})

    def test_the_last_word_about_a_row_counts(self) -> None:
        store = self.store(self.made())
        for value in (b"first", b"second", b"third"):
            store.put(tables.SETTINGS, {("x",): (value,)})
        store.put(tables.SETTINGS, {("y",): (b"",)})
        store.put(tables.SETTINGS, {("y",): None})
        self.successResultOf(store.flushed())
        self.assertEqual(self.rows(store, tables.SETTINGS), {("x",): (b"third",)})

    def test_a_part_of_a_table(self) -> None:
        store = self.fill(self.made())
        self.assertEqual(set(self.rows(store, tables.GUEST_VALUES, guest=OTHER_GUEST)), {(OTHER_GUEST, "key")})
        self.assertEqual(self.rows(store, tables.GUEST_VALUES, guest=ONE), {})

    def test_a_load_sees_what_is_not_written_yet(self) -> None:
        store = self.fill(self.made())
        store.put(tables.GUEST_VALUES, {(GUEST, "key"): None, (GUEST, "new"): (b"1",), (OTHER_GUEST, "new"): (b"2",)})
        self.assertEqual(set(self.rows(store, tables.GUEST_VALUES, guest=GUEST)),
                         {(GUEST, "new"), (GUEST, "\u20ac \x00 '\"")})

    def test_nothing_of_a_group_is_written_where_one_row_does_not_fit(self) -> None:
        store = self.store(self.made())
        store.put(tables.PINS, {(ONE,): (b"p",), (TWO,): ("text",)})
        self.failureResultOf(store.flushed())
        again = self.again()
        again.open()
        self.addCleanup(again.close)
        self.assertEqual(again.load(tables.PINS, {}), {})
        store.put(tables.PINS, {(TWO,): None})

    def test_the_end_of_a_turn_writes_what_nobody_waits_for(self) -> None:
        store = self.store(self.made())
        store.put(tables.PINS, {(ONE,): (b"p",)})
        self.clock.advance(0)
        again = self.again()
        again.open()
        self.addCleanup(again.close)
        self.assertEqual(again.load(tables.PINS, {}), {(ONE,): (b"p",)})

    def test_a_close_writes(self) -> None:
        store = self.store(self.made())
        store.put(tables.PINS, {(ONE,): (b"p",)})
        self.successResultOf(store.close())
        self.assertEqual(self.rows(self.store(self.again()), tables.PINS), {(ONE,): (b"p",)})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many_rows(self) -> None:
        store = self.store(self.made())
        many = {(f"name {number}",): (b"%d" % number,) for number in range(3000)}
        store.put(tables.SETTINGS, many)
        self.successResultOf(store.flushed())
        self.assertEqual(self.rows(store, tables.SETTINGS), many)
        store.put(tables.SETTINGS, dict.fromkeys(many))
        self.successResultOf(store.flushed())
        self.assertEqual(self.rows(store, tables.SETTINGS), {})
