"""The state file of before the store: taken over once, kept aside, and refused where it is damaged."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.node import state_file
from quantumgate.node.state_file import StateFileError, take_over
from quantumgate.store.interface import NotWritten
from quantumgate.store.memory import MemoryDatabase
from tests.node.remembering import recalled
from tests.node.test_state import ONE, TWO, everything

OLD = """{
 "format": 1,
 "pins": {"c0ffee00-1234-8abc-9def-0123456789ab": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
 "allow": ["c0ffee00-1234-8abc-9def-0123456789ab"], "deny": ["deadbeef-1234-8abc-9def-0123456789ab"],
 "rendezvous_key": "abababababababababababababababababababababababababababababababab",
 "replay_floor_ms": 1700000000000,
 "guards": {"deadbeef-1234-8abc-9def-0123456789ab": 1800000000}, "middles": {}, "dropped": {},
 "access": {"default": "allow",
            "rules": [{"peer": "deadbeef-1234-8abc-9def-0123456789ab", "word": "ban", "until": 5.5}],
            "filters": [{"network": "192.0.2.0/24", "block": true}], "limits": [{"prefix": "ipv4/24", "links": 3}]},
 "scores": {"at": 1800000000.5, "rows": [{"of": "192.0.2.1/32", "score": -12.5, "refused_seconds": 3.5, "times": 1}]}
}"""
"""As the version before the store wrote it."""


def _refuse(path: Path) -> None:
    raise OSError(30, "Read-only file system")


class FileCase(SynchronousTestCase):
    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        self.path, self.aside = directory / "state.json", directory / "state.json.imported"
        self.database = MemoryDatabase()
        self.state = recalled(self.database)


class TakingTests(FileCase):
    def test_everything_is_in_the_store_and_the_file_aside(self) -> None:
        self.path.write_text(OLD)
        self.successResultOf(take_over(self.path, self.state))
        self.assertEqual((self.path.exists(), self.aside.read_text()), (False, OLD))
        again = recalled(self.database)
        self.assertEqual(everything(again), everything(self.state))
        self.assertEqual((again.pins, again.allow, again.deny), ({ONE: "a" * 52}, {ONE}, {TWO}))
        self.assertEqual((again.guards, again.replay_floor_ms), ({TWO: 1_800_000_000}, 1_700_000_000_000))
        self.assertEqual((again.access.default, len(again.access.rules), len(again.access.filters),
                          len(again.access.limits)), ("allow", 1, 1, 1))
        self.assertEqual((again.scores.at, again.scores.rows[0].score), (1_800_000_000.5, -12.5))

    def test_beside_a_sealed_store_nothing_stays(self) -> None:
        self.database.sealed = True
        self.path.write_text(OLD)
        kept = self.path.with_name("same disk blocks")
        os.link(self.path, kept)
        self.successResultOf(take_over(self.path, self.state))
        self.assertEqual([one.name for one in self.path.parent.iterdir()], [kept.name])
        self.assertEqual(kept.read_bytes(), bytes(len(OLD)))
        self.assertEqual(recalled(self.database).pins, {ONE: "a" * 52})

    def test_nor_of_what_was_taken_before_it_was_sealed(self) -> None:
        self.path.write_text(OLD)
        self.successResultOf(take_over(self.path, self.state))
        self.assertTrue(self.aside.exists())
        self.database.sealed = True
        self.successResultOf(take_over(self.path, recalled(self.database)))
        self.assertFalse(self.aside.exists())

    def test_what_was_never_taken_is_not_thrown_away(self) -> None:
        self.successResultOf(take_over(self.path, self.state))
        self.successResultOf(self.state.save())
        self.path.write_text(OLD)
        self.aside.write_text("mine")
        self.database.sealed = True
        self.successResultOf(take_over(self.path, recalled(self.database)))
        self.assertEqual((self.path.with_name("state.json.unread").read_text(), self.aside.read_text()), (OLD, "mine"))

    def test_not_before_it_is_durable(self) -> None:
        self.database.sealed, self.database.trouble = True, "the disk is full"
        self.path.write_text(OLD)
        self.failureResultOf(take_over(self.path, self.state), NotWritten)
        self.assertEqual(self.path.read_text(), OLD)
        self.database.trouble = ""

    def test_a_disk_that_keeps_it_is_told(self) -> None:
        self.database.sealed = True
        self.path.write_text(OLD)
        self.patch(state_file, "forget_content", _refuse)
        self.successResultOf(take_over(self.path, self.state))
        self.assertTrue(self.aside.exists())

    def test_once(self) -> None:
        self.path.write_text(OLD)
        self.successResultOf(take_over(self.path, self.state))
        self.state.pins.clear()
        self.successResultOf(self.state.save())
        self.path.write_text(OLD)
        again = recalled(self.database)
        self.successResultOf(take_over(self.path, again))
        self.assertEqual(again.pins, {})
        self.assertEqual((self.path.exists(), len(list(self.path.parent.iterdir()))), (False, 2))

    def test_a_kill_between_the_store_and_the_name(self) -> None:
        """The rows are durable before the file moves: the next start only moves it."""
        self.path.write_text(OLD)
        self.successResultOf(take_over(self.path, self.state))
        self.aside.rename(self.path)
        again = recalled(self.database)
        self.successResultOf(take_over(self.path, again))
        self.assertEqual((again.pins, self.path.exists()), ({ONE: "a" * 52}, False))

    def test_no_file(self) -> None:
        self.successResultOf(take_over(self.path, self.state))
        self.assertEqual(list(self.path.parent.iterdir()), [])

    def test_a_store_that_cannot_be_written_leaves_the_file(self) -> None:
        self.path.write_text(OLD)
        self.database.trouble = "full"
        self.failureResultOf(take_over(self.path, self.state), NotWritten)
        self.assertEqual(self.path.read_text(), OLD)


class DamageTests(FileCase):
    def refused(self, data: bytes) -> StateFileError:
        self.path.write_bytes(data)
        error = self.failureResultOf(take_over(self.path, recalled()), StateFileError).value
        self.assertEqual(self.path.read_bytes(), data)
        self.assertIn(str(self.path), str(error))
        return error

    def test_every_truncation(self) -> None:
        whole = OLD.encode()
        for length in range(len(whole)):
            self.refused(whole[:length])

    def test_empty_and_foreign_files(self) -> None:
        for data in (b"", b"[]", b"null", b"{}", b"\x00" * 500):
            self.assertIn("copy", self.refused(data).advice)

    def test_unknown_key_wrong_format_and_wrong_values(self) -> None:
        good = '{"format":1,"pins":{},"allow":[],"deny":[],"replay_floor_ms":0}'
        for old, new in (
            ('"format":1', '"format":2'),
            ('"deny":[]', '"deny":[],"more":1'),
            ('"allow":[]', '"allow":["c0ffee00-1234-4abc-9def-0123456789ab"]'),
            ('"allow":[]', '"allow":["nobody"]'),
            ('"pins":{}', '"pins":{"c0ffee00-1234-8abc-9def-0123456789ab":"short"}'),
            ('"replay_floor_ms":0', '"replay_floor_ms":-1'),
            ('"replay_floor_ms":0', '"replay_floor_ms":0,"guards":{"nobody":1}'),
        ):
            self.assertIn(old, good)
            self.refused(good.replace(old, new).encode())
        self.path.write_text(good)
        self.successResultOf(take_over(self.path, recalled()))

    def test_a_file_that_cannot_be_read(self) -> None:
        self.path.mkdir()
        self.failureResultOf(take_over(self.path, self.state), StateFileError)
