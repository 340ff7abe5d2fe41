"""The state: round trip through every table, one row for one change, and damage that is never silently replaced."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import LocalError
from quantumgate.ids import parse_peer_uuid
from quantumgate.node.noted import Noted
from quantumgate.node.state import State
from quantumgate.node.state_rows import AccessBlock, FilterRow, LimitRow, RuleRow, ScoreRow, ScoresBlock
from quantumgate.store import tables
from quantumgate.store.interface import DamagedStore, NotWritten
from quantumgate.store.memory import MemoryDatabase
from quantumgate.store.tables import Key, Row, Table
from tests.node.remembering import recalled

ONE = parse_peer_uuid("c0ffee00-1234-8abc-9def-0123456789ab")
TWO = parse_peer_uuid("deadbeef-1234-8abc-9def-0123456789ab")
PIN = "a" * 52
PLAIN = ("pins", "serials", "allow", "deny", "access", "scores", "rendezvous_key", "replay_floor_ms", "guards",
         "middles", "dropped", "names", "addresses", "invitations", "file_seen")


def everything(state: State) -> dict[str, Any]:
    return {name: getattr(state, name) for name in PLAIN}


class StateCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = MemoryDatabase()
        self.state = recalled(self.database)

    def fill(self) -> None:
        state = self.state
        state.pins[ONE], state.serials[ONE] = PIN, 1_800_000_000_123
        state.allow.add(ONE)
        state.deny.add(TWO)
        state.replay_floor_ms, state.rendezvous_key = 1_700_000_000_000, "ab" * 32
        state.guards[TWO] = state.dropped[ONE] = 1_800_000_000
        state.middles[TWO] = 1
        state.names[ONE], state.addresses[ONE] = "Bob", "qg://x"
        state.file_seen = "there was none"
        state.access = AccessBlock(
            default="allow", rules=(RuleRow(peer=str(ONE), word="ban", until=1.5),
                                    RuleRow(peer=str(ONE), word="deny", about="relay")),
            filters=(FilterRow(network="192.0.2.0/24", block=True), FilterRow(network="192.0.2.0/24", block=False)),
            limits=(LimitRow(prefix="ipv4/24", connections=5),),
        )
        state.scores = ScoresBlock(at=1.25, rows=(ScoreRow(of=str(ONE), score=-5.5, times=2),
                                                  ScoreRow(of="192.0.2.1/32", score=7)))
        self.successResultOf(state.save())


class RoundTripTests(StateCase):
    def test_what_was_saved_is_loaded(self) -> None:
        self.fill()
        again = recalled(self.database)
        self.assertEqual(everything(again), everything(self.state))

    def test_an_empty_store_is_an_empty_state(self) -> None:
        self.assertEqual(everything(self.state), everything(State(self.state.store)))

    def test_what_is_taken_away_is_gone(self) -> None:
        self.fill()
        for name in PLAIN:
            setattr(self.state, name, getattr(State(self.state.store), name))
        self.successResultOf(self.state.save())
        self.assertEqual(everything(recalled(self.database)), everything(State(self.state.store)))

    def test_only_what_changed_is_put(self) -> None:
        self.fill()
        self.assertEqual(self.database.transactions, 1)
        self.successResultOf(self.state.save())
        self.assertEqual(self.database.transactions, 1)
        put: list[tuple[str, int]] = []
        self.patch(self.state.store, "put", lambda table, rows: put.append((table.name, len(rows))))
        self.state.pins[TWO] = PIN
        self.state.allow.discard(ONE)
        self.state.save()
        self.assertEqual([each for each in put if each[1]], [("pins", 1), ("rules", 1)])

    def test_what_is_large_is_not_looked_through_for_one_row(self) -> None:
        """Ten thousand pins and scores took 20 ms at each save, in the reactor's thread."""
        self.fill()
        loaded = recalled(self.database)
        for name in ("pins", "serials", "names", "addresses"):
            self.assertIsInstance(getattr(loaded, name), Noted)
        walked = self.patch(Noted, "items", lambda held: self.fail("it was looked through"))
        loaded.pins[TWO], loaded.serials[TWO] = PIN, 7
        del loaded.names[ONE]
        loaded.addresses.pop(ONE)
        loaded.addresses.pop(TWO, None)
        scores = loaded._saved[tables.REPUTATIONS]
        self.successResultOf(loaded.save())
        self.assertIs(loaded._saved[tables.REPUTATIONS], scores)
        walked.restore()
        again = recalled(self.database)
        self.assertEqual((again.pins, again.serials, again.names, again.addresses),
                         ({ONE: PIN, TWO: PIN}, {ONE: 1_800_000_000_123, TWO: 7}, {}, {}))

    def test_another_dict_in_its_place_is_compared(self) -> None:
        """Also where the former one was touched after it was saved."""
        self.fill()
        for other in (Noted({TWO: PIN}), {ONE: PIN}, Noted({TWO: "b" * 51 + "a"})):
            self.state.pins[TWO] = PIN
            self.state.pins = other
            self.successResultOf(self.state.save())
            self.assertEqual(recalled(self.database).pins, other)
            self.state.pins[ONE] = PIN
            self.successResultOf(self.state.save())
            self.assertEqual(recalled(self.database).pins, other)

    def test_a_rule_that_is_allow_and_ban(self) -> None:
        self.fill()
        again = recalled(self.database)
        self.assertEqual((again.allow, len(again.access.rules)), ({ONE}, 2))


class DamageTests(StateCase):
    def refused(self, table: Table, key: Key, row: Row) -> None:
        database = MemoryDatabase()
        database.write({(table, key): row})
        error = self.assertRaises(DamagedStore, recalled, database)
        self.assertIn("qgate store restore", error.advice)

    def test_rows_that_mean_nothing(self) -> None:
        version_4 = UUID("c0ffee00-1234-4abc-9def-0123456789ab")
        for table, key, row in (
            (tables.SETTINGS, ("more",), (b"1",)),
            (tables.SETTINGS, ("replay_floor_ms",), (b"soon",)),
            (tables.SETTINGS, ("rendezvous_key",), (b"ab",)),
            (tables.SETTINGS, ("default_access",), (b"maybe",)),
            (tables.PINS, (ONE,), (b"short",)),
            (tables.PINS, (version_4,), (bytes(32),)),
            (tables.GUARDS, (ONE, "third"), (1,)),
            (tables.GUARDS, (ONE, "first"), (-1,)),
            (tables.RULES, (version_4, "", "allow"), (None,)),
            (tables.RULES, (ONE, "", "perhaps"), (None,)),
            (tables.RULES, (ONE, "", "ban"), (-1.0,)),
            (tables.FILTERS, ("nowhere", True), (None,)),
            (tables.PREFIX_LIMITS, ("ipv5/1",), (0, 0, 0)),
            (tables.PREFIX_LIMITS, ("ipv4/1",), (-1, 0, 0)),
            (tables.REPUTATIONS, ("nobody",), (0.0, 0.0, 0)),
            (tables.REPUTATIONS, (str(ONE),), (1e9, 0.0, 0)),
            (tables.NAMES, (ONE,), ("",)),
            (tables.ADDRESSES, (ONE,), ("x" * 5000,)),
            (tables.INVITATIONS, (bytes(16),), (bytes(33), 1, 2, 3, "", "", False, b"odd")),
        ):
            self.refused(table, key, row)


class WritingTests(StateCase):
    def test_a_failed_write_is_told_to_who_waits_and_nothing_is_lost(self) -> None:
        self.database.trouble = "No space left on device"
        self.state.allow.add(ONE)
        error = self.failureResultOf(self.state.save(), NotWritten).value
        self.assertIsInstance(error, LocalError)
        self.assertIn("No space left", str(error))
        self.database.trouble = ""
        self.state.store._clock.advance(1)
        self.assertEqual(recalled(self.database).allow, {ONE})

    def test_in_the_background_nobody_hears_of_it(self) -> None:
        self.database.trouble = "No space left on device"
        self.state.allow.add(ONE)
        self.state.save_in_background()
        self.successResultOf(self.state.flushed())
        self.assertEqual(self.flushLoggedErrors(), [])
