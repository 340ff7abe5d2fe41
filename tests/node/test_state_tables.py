"""Pieces of the state: each table once, rows that fit, and back again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.node.state import State
from quantumgate.node.state_tables import PIECES
from quantumgate.store import tables
from tests.node.remembering import recalled
from tests.node.test_state import StateCase

OTHERS = {tables.GUEST_VALUES, tables.BOOK, tables.RELAY_ACCOUNTS}
"""Tables that are not the state's."""


class PiecesTests(SynchronousTestCase):
    def test_every_table_has_one_owner(self) -> None:
        owned = [piece.table for piece in PIECES]
        self.assertEqual((len(owned), set(owned) | OTHERS), (len(set(owned)), set(tables.TABLES)))
        self.assertEqual(set(owned) & OTHERS, set())


class RowsTests(StateCase):
    def test_each_row_fits_its_table_and_says_the_same_again(self) -> None:
        self.fill()
        for piece in PIECES:
            rows = {key: piece.row(said) for key, said in piece.now(self.state).items()}
            for key, row in rows.items():
                self.assertEqual(piece.table.problem((*key, *row)), "")
            fresh = State(self.state.store)
            piece.take(fresh, rows)
            self.assertEqual(piece.now(fresh).keys(), rows.keys(), piece.table.name)

    def test_nothing_is_no_row(self) -> None:
        for piece in PIECES:
            self.assertEqual(piece.now(recalled()), {})
