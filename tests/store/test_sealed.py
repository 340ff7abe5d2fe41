"""The seal: a file, its log and its copies tell a thief nothing; only the right key opens; nothing can be moved."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto.random import FixedRandom
from quantumgate.crypto.secret import Secret
from quantumgate.store import tables
from quantumgate.store.codec import ID, decoded, encoded, id_of
from quantumgate.store.interface import DamagedStore, StoreError
from quantumgate.store.postgresql import PostgresqlServer
from quantumgate.store.seal import ID_BYTES, Unsealed
from quantumgate.store.sealed import OPENINGS_REMEMBERED, Sealed, StoreKey, Wrapped, new_master
from quantumgate.store.sql import SqlDatabase
from quantumgate.store.sqlite import SqliteFile, copy
from tests.crypto.cheap import cheapen
from tests.store import postgres
from tests.store.contract import EXAMPLES, ONE, TWO, Contract, OnDisk, OnServer, StoreCase
from tests.store.test_sql import SqlCase

FILE = StoreKey("key file", Secret(bytes(range(32))))
OTHER_FILE = StoreKey("key file", Secret(bytes(32)))
WORDS = StoreKey("passphrase", Secret(b"correct horse"))


class SealedSqliteTests(OnDisk, Contract, StoreCase):
    key = FILE


class SealedPostgresqlTests(OnServer, Contract, StoreCase):
    skip = postgres.skipped()  # runs where pg_ctl is found: apt install postgresql
    key = FILE

    def test_what_lay_there_openly_is_sealed(self) -> None:
        url = postgres.server().space()
        open_one = SqlDatabase(PostgresqlServer(url))
        open_one.open()
        open_one.write({(tables.PINS, (ONE,)): (bytes(range(32)),)})
        open_one.close()
        database = SqlDatabase(PostgresqlServer(url), FILE)
        self.addCleanup(database.close)
        database.open()
        self.assertEqual(database.load(tables.PINS, {}), {(ONE,): (bytes(range(32)),)})
        with database._connection().begin():
            kept = database._connection().exec_driver_sql("SELECT peer, fingerprint FROM pins").one()
        self.assertFalse({ONE.bytes, bytes(range(32))} & set(map(bytes, kept)))

    def test_what_the_old_passphrase_opened_is_gone(self) -> None:
        cheapen(self)
        server = postgres.server()
        database = SqlDatabase(PostgresqlServer(server.space()), WORDS)
        self.addCleanup(database.close)
        database.open()

        def lying() -> bytes:
            raw = database._connection().connection.dbapi_connection
            raw.rollback()
            raw.execute("CHECKPOINT")
            (path,) = raw.execute("SELECT pg_relation_filepath('meta')").fetchone()
            raw.commit()
            return (server.data / path).read_bytes()

        former = database._noted("seal")
        assert former is not None
        box = msgspec.json.decode(former)["box"].encode()
        self.assertIn(box, lying())
        database.seal_again(FILE)
        self.assertNotIn(box, lying())


def telling() -> set[bytes]:
    """Everything in the examples that would say a key or whom one talks to: as bytes, as text, in hexadecimal.

    Without the words that every store has as names of tables and columns.
    """
    found: set[bytes] = set()
    names = " ".join(name for table in EXAMPLES for name in (table.name, *(column.name for column in table.every)))
    for table, rows in EXAMPLES.items():
        for key, row in rows:
            for column, value in zip(table.every, (*key, *row), strict=True):
                if not column.secret or value in (None, "", b"", "x"):
                    continue
                if column.kind == "uuid":
                    found |= {value.bytes, str(value).encode(), value.hex.encode(), value.hex.upper().encode()}
                else:
                    plain = value.encode() if column.kind == "text" else value
                    found |= {plain, plain.hex().encode()}
    return {one for one in found if len(one) > 4 and one not in names.encode() and one != b"relay"}


class ThiefTests(SqlCase):
    """Who has the files, and no key."""

    def setUp(self) -> None:
        super().setUp()
        self.rows = {(table, key): row for table, rows in EXAMPLES.items() for key, row in rows}

    def lying(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.path.parent.iterdir()))

    def seen(self) -> set[bytes]:
        lying = self.lying()
        return {one for one in telling() if one in lying}

    def sealed(self, key: StoreKey = FILE) -> SqlDatabase:
        database = SqlDatabase(SqliteFile(self.path), key)
        self.addCleanup(database.close)
        database.open()
        return database

    def test_an_open_store_tells_everything(self) -> None:
        """That this search sees."""
        self.opened().write(self.rows)
        found = self.seen()
        self.assertIn(ONE.bytes, found)
        self.assertIn(b"192.0.2.1/32", found)
        self.assertGreater(len(found), 12)

    def test_a_sealed_one_nothing_in_its_file_its_log_and_a_backup(self) -> None:
        database = self.sealed()
        database.write(self.rows)
        copy(self.path, self.path.with_name("backup.db"))
        names = {path.name for path in self.path.parent.iterdir()}
        self.assertTrue({"store.db", "store.db-wal", "backup.db"} <= names)
        self.assertEqual(self.seen(), set())
        database.close()
        self.assertEqual(self.seen(), set())

    def test_one_that_was_open_before_tells_nothing_any_more(self) -> None:
        before = self.opened()
        before.write(self.rows)
        before.close()
        database = self.sealed()
        self.assertEqual(self.seen(), set())
        self.assertEqual({(t, k): r for t in tables.TABLES for k, r in database.load(t, {}).items()}, self.rows)

    def test_a_kill_before_it_was_forgotten(self) -> None:
        """The next opening does what the killed one had not done, and only that one."""
        before = self.opened()
        before.write(self.rows)
        before.close()
        forgotten: list[int] = []
        forget = SqliteFile.forget

        def counted(file: SqliteFile, connection: Any) -> None:
            forgotten.append(len(forgotten))
            if forgotten == [0]:
                raise KeyboardInterrupt
            forget(file, connection)

        self.patch(SqliteFile, "forget", counted)
        killed = SqlDatabase(SqliteFile(self.path), FILE)
        self.addCleanup(killed.close)
        self.assertRaises(KeyboardInterrupt, killed.open)
        for _ in range(2):
            again = self.sealed()
            self.assertEqual({(t, k): r for t in tables.TABLES for k, r in again.load(t, {}).items()}, self.rows)
            self.assertEqual((forgotten, self.seen()), ([0, 1], set()))
            again.close()

    def test_a_reader_keeps_it_from_being_forgotten(self) -> None:
        self.patch(SqliteFile, "busy_seconds", 0.01)
        self.opened().write(self.rows)
        with closing(sqlite3.connect(self.path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM pins").fetchall()
            error = self.assertRaises(StoreError, self.sealed)
            self.assertIn("may still be in the files", str(error))
            self.assertIn("end it", error.advice)
            reader.execute("ROLLBACK")
        self.sealed()
        self.assertEqual(self.seen(), set())

    def test_what_the_old_passphrase_opened_is_gone(self) -> None:
        cheapen(self)
        database = self.sealed(WORDS)
        former = database._noted("seal")
        assert former is not None
        box = msgspec.json.decode(former)["box"].encode()
        self.assertIn(box, self.lying())
        database.seal_again(FILE)
        self.assertNotIn(box, self.lying())

    def test_ids_cannot_be_tried(self) -> None:
        """A thief who guesses a UUID cannot find its row."""
        self.sealed().write(self.rows)
        lying = self.path.read_bytes() + self.path.with_name("store.db-wal").read_bytes()
        for table, key in self.rows:
            self.assertNotIn(id_of(table, key, Unsealed()), lying)

    def test_the_same_value_is_never_the_same_box(self) -> None:
        seal = Sealed(new_master(FixedRandom(b"1")), FixedRandom(b"2"))
        self.assertEqual(len({seal.shut(b"value", b"place") for _ in range(100)}), 100)


class KeyTests(SqlCase):
    def setUp(self) -> None:
        super().setUp()
        cheapen(self)

    def opened_with(self, key: StoreKey | None) -> SqlDatabase:
        database = SqlDatabase(SqliteFile(self.path), key)
        self.addCleanup(database.close)
        database.open()
        return database

    def test_only_the_right_key_opens(self) -> None:
        for right, wrong in ((FILE, OTHER_FILE), (WORDS, StoreKey("passphrase", Secret(b"wrong"))), (FILE, WORDS)):
            self.path = self.path.with_name(f"{right.source}-{wrong.source}.db")
            first = self.opened_with(right)
            first.write({(tables.PINS, (ONE,)): (b"p",)})
            first.close()
            for key, words in ((wrong, "another key"), (None, "none is given")):
                error = self.assertRaises(StoreError, self.opened_with, key)
                self.assertIn(words, str(error))
                self.assertTrue(error.advice)
            self.assertEqual(self.opened_with(right).load(tables.PINS, {}), {(ONE,): (b"p",)})

    def test_it_says_so(self) -> None:
        self.assertEqual(self.opened_with(WORDS).described, "SQLite, store.db, sealed with a passphrase")

    def test_another_passphrase_opens_after_it_was_changed(self) -> None:
        database = self.opened_with(WORDS)
        database.write({(tables.PINS, (ONE,)): (b"p",)})
        database.seal_again(FILE)
        database.write({(tables.PINS, (TWO,)): (b"p",)})
        database.close()
        self.assertRaises(StoreError, self.opened_with, WORDS)
        self.assertEqual(len(self.opened_with(FILE).load(tables.PINS, {})), 2)

    def test_an_open_store_is_sealed_by_hand(self) -> None:
        database = self.opened_with(None)
        database.write({(tables.PINS, (ONE,)): (b"p",)})
        database.seal_again(FILE)
        database.close()
        self.assertEqual(self.opened_with(FILE).load(tables.PINS, {}), {(ONE,): (b"p",)})

    def test_a_damaged_note_of_the_seal(self) -> None:
        self.opened_with(FILE).close()
        self.by_hand("UPDATE meta SET value = ? WHERE name = 'seal'", b"{}")
        self.assertRaises(DamagedStore, self.opened_with, FILE)

    def test_a_refused_key_changes_nothing(self) -> None:
        self.opened_with(FILE).close()
        before = self.path.read_bytes()
        self.assertRaises(StoreError, self.opened_with, None)
        self.assertEqual(self.path.read_bytes(), before)


class BoxTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.master = new_master(FixedRandom(b"master"))
        self.seal = Sealed(self.master, FixedRandom(b"opening"))

    def test_a_box_opens_at_its_place_alone(self) -> None:
        box = self.seal.shut(b"value", b"here")
        self.assertEqual(self.seal.open(box, b"here"), b"value")
        for wrong in (box[:-1], box + b"\0", bytes((box[0] ^ 1,)) + box[1:], box[:-1] + bytes((box[-1] ^ 1,)), b""):
            self.assertRaises(ValueError, self.seal.open, wrong, b"here")
        self.assertRaises(ValueError, self.seal.open, box, b"there")

    def test_a_row_cannot_be_moved_to_another(self) -> None:
        one = encoded(tables.PINS, (ONE,), (b"one",), self.seal)
        two = encoded(tables.PINS, (TWO,), (b"two",), self.seal)
        for change in ({"fingerprint": two["fingerprint"]}, {ID: two[ID]}, {"peer": two["peer"]},
                       {"peer": one["fingerprint"]}):
            self.assertRaises(DamagedStore, decoded, tables.PINS, {**one, **change}, self.seal)

    def test_many_openings(self) -> None:
        boxes = [Sealed(self.master, FixedRandom(b"%d" % number)).shut(b"%d" % number, b"")
                 for number in range(OPENINGS_REMEMBERED + 10)]
        self.assertEqual([self.seal.open(box, b"") for box in boxes], [b"%d" % n for n in range(len(boxes))])
        self.assertLessEqual(len(self.seal._keys), OPENINGS_REMEMBERED)

    def test_another_store_has_other_ids(self) -> None:
        other = Sealed(new_master(FixedRandom(b"other")), FixedRandom(b"opening"))
        self.assertNotEqual(self.seal.id_of(b"x"), other.id_of(b"x"))
        self.assertEqual((len(self.seal.id_of(b"x")), self.seal.sealed), (ID_BYTES, True))

    def test_the_wrapped_key(self) -> None:
        wrapped = Wrapped.of(self.master, FILE, FixedRandom(b"salt"))
        self.assertEqual(Wrapped.decode(wrapped.encode()).opened(FILE), self.master)
        self.assertNotIn(self.master.reveal().hex().encode(), wrapped.encode())
