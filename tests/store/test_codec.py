"""Rows to columns and back: every example, and everything that is not what was written."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import BugError
from quantumgate.store import tables
from quantumgate.store.codec import ID, decoded, encoded, id_of, wanted
from quantumgate.store.interface import DamagedStore
from quantumgate.store.seal import Unsealed
from tests.store.contract import EXAMPLES, ONE, TWO

SEAL = Unsealed()


class RoundTripTests(SynchronousTestCase):
    def test_every_example(self) -> None:
        for table, rows in EXAMPLES.items():
            for key, row in rows:
                self.assertEqual(decoded(table, encoded(table, key, row, SEAL), SEAL), (key, row))

    def test_ids_are_different(self) -> None:
        ids = [id_of(table, key, SEAL) for table, rows in EXAMPLES.items() for key, _ in rows]
        self.assertEqual((len(set(ids)), {len(one) for one in ids}), (len(ids), {32}))

    def test_parts_of_a_key_do_not_flow_together(self) -> None:
        pair = tables.Table("x", (tables.Column("a", "text"), tables.Column("b", "text")), ())
        self.assertNotEqual(id_of(pair, ("ab", "c"), SEAL), id_of(pair, ("a", "bc"), SEAL))

    def test_each_kind_in_a_sealed_column(self) -> None:
        for kind, value in (("text", "\u20ac"), ("bytes", b"\0"), ("whole", -5), ("number", 0.1), ("flag", True),
                            ("flag", False), ("uuid", ONE)):
            table = tables.Table("x", (tables.Column("k", kind, secret=True),), ())  # type: ignore[arg-type]
            kept = encoded(table, (value,), (), SEAL)
            self.assertIsInstance(kept["k"], bytes)
            self.assertEqual(decoded(table, kept, SEAL), ((value,), ()))


class RefusedTests(SynchronousTestCase):
    def test_a_row_that_does_not_fit(self) -> None:
        for key, row in (((ONE,), ()), ((ONE,), ("text",)), (("peer",), (b"",)), ((ONE, TWO), (b"",))):
            self.assertRaises(BugError, encoded, tables.PINS, key, row, SEAL)

    def test_a_sealed_column_finds_nothing(self) -> None:
        self.assertRaises(BugError, wanted, tables.PINS, {"peer": ONE})
        self.assertEqual(wanted(tables.GUEST_VALUES, {"guest": ONE}), {"guest": ONE.bytes})

    def test_what_is_not_what_was_written(self) -> None:
        kept = encoded(tables.RULES, (ONE, "", "allow"), (5.0,), SEAL)
        for change in ({"peer": b""}, {"peer": TWO.bytes}, {"about": b"\xff"}, {"about": b"more"}, {"word": b"allow"},
                       {"word": "ban"}, {"word": None}, {"until": "soon"}, {"until": 5}, {ID: bytes(32)},
                       {"peer": None}):
            damaged: dict[str, Any] = {**kept, **change}
            self.assertRaises(DamagedStore, decoded, tables.RULES, damaged, SEAL)
