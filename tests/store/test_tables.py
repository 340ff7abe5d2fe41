"""Tables: what fits a column, and what the table of tables promises."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.store import tables
from quantumgate.store.tables import TABLES, Column, Table
from tests.store.contract import EXAMPLES, ONE


class ColumnTests(SynchronousTestCase):
    def test_what_fits(self) -> None:
        for kind, value in (("text", ""), ("bytes", b""), ("whole", -(1 << 63)), ("number", 0.5), ("flag", False),
                            ("uuid", ONE)):
            self.assertEqual(Column("x", kind).problem(value), "")  # type: ignore[arg-type]

    def test_what_does_not(self) -> None:
        for kind, value in (("text", b""), ("bytes", ""), ("whole", True), ("whole", 1 << 63), ("number", 1),
                            ("flag", 1), ("uuid", ONE.bytes), ("text", None)):
            self.assertIn("x: expected", Column("x", kind).problem(value))  # type: ignore[arg-type]

    def test_nothing_where_it_is_allowed(self) -> None:
        self.assertEqual(Column("x", "text", optional=True).problem(None), "")


class TableTests(SynchronousTestCase):
    def test_names_are_different(self) -> None:
        self.assertEqual(len({table.name for table in TABLES}), len(TABLES))
        for table in TABLES:
            self.assertEqual(len({column.name for column in table.every} | {"id"}), len(table.every) + 1)

    def test_examples_fit_and_short_ones_do_not(self) -> None:
        for table, rows in EXAMPLES.items():
            for key, row in rows:
                self.assertEqual(table.problem((*key, *row)), "")
                self.assertIn("values", table.problem((*key, *row)[:-1]))

    def test_a_peer_and_an_address_are_sealed_wherever_they_stand(self) -> None:
        telling = {"peer", "network", "subject", "fingerprint", "value", "about", "address", "invitation", "bundle",
                   "joined", "record", "source", "client", "name"}
        for table in TABLES:
            for column in table.every:
                wanted = column.name in telling and (table, column.name) != (tables.SETTINGS, "name")
                self.assertEqual(column.secret, wanted, f"{table.name}.{column.name}")

    def test_no_key_is_optional(self) -> None:
        self.assertEqual([t.name for t in TABLES if any(column.optional for column in t.key)], [])
        self.assertEqual(Table("x", (Column("k", "text"),), ()).problem(("v",)), "")
