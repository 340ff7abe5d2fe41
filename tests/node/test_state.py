"""The state file: round trip, mode, one write at a time, and damage that is never silently replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import LocalError
from quantumgate.ids import parse_peer_uuid
from quantumgate.node.state import State, StateFileError

ONE = parse_peer_uuid("c0ffee00-1234-8abc-9def-0123456789ab")
TWO = parse_peer_uuid("deadbeef-1234-8abc-9def-0123456789ab")
PIN = "a" * 52


class StateCase(SynchronousTestCase):
    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        self.path = directory / "state.json"

    def filled(self) -> State:
        state = State(self.path, execute)
        state.pins[ONE] = PIN
        state.allow.add(ONE)
        state.deny.add(TWO)
        state.replay_floor_ms = 1_700_000_000_000
        state.guards[TWO] = 1_800_000_000
        self.successResultOf(state.save())
        return state


class RoundTripTests(StateCase):
    def test_what_was_saved_is_loaded(self) -> None:
        self.filled()
        again = State.load(self.path, execute)
        self.assertEqual((again.pins, again.allow, again.deny), ({ONE: PIN}, {ONE}, {TWO}))
        self.assertEqual((again.replay_floor_ms, again.guards), (1_700_000_000_000, {TWO: 1_800_000_000}))

    def test_mode_0600(self) -> None:
        self.filled()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_no_file_is_an_empty_state(self) -> None:
        state = State.load(self.path, execute)
        self.assertEqual((state.pins, state.allow, state.deny, state.replay_floor_ms), ({}, set(), set(), 0))
        self.assertFalse(self.path.exists())


class DamageTests(StateCase):
    def refused(self, data: bytes) -> StateFileError:
        self.path.write_bytes(data)
        with self.assertRaises(StateFileError) as caught:
            State.load(self.path, execute)
        self.assertEqual(self.path.read_bytes(), data)
        self.assertIn(str(self.path), str(caught.exception))
        return caught.exception

    def test_every_truncation(self) -> None:
        whole = self.filled().encoded()
        for length in range(len(whole)):
            self.refused(whole[:length])

    def test_empty_and_foreign_files(self) -> None:
        for data in (b"", b"[]", b"null", b"{}", b"\x00" * 500):
            self.assertIn("copy", self.refused(data).advice)

    def test_unknown_key_wrong_format_and_wrong_values(self) -> None:
        good = '{"format":1,"pins":{},"allow":[],"deny":[],"replay_floor_ms":0}'
        self.path.write_text(good)
        State.load(self.path, execute)
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

    def test_a_file_that_cannot_be_read(self) -> None:
        self.path.mkdir()
        with self.assertRaises(StateFileError):
            State.load(self.path, execute)


class WritingTests(StateCase):
    def setUp(self) -> None:
        super().setUp()
        self.jobs: list[tuple[Deferred[Any], bytes]] = []
        self.state = State(self.path, self.elsewhere)

    def elsewhere(self, write: Any, path: Path, data: bytes) -> Deferred[Any]:
        job: Deferred[Any] = Deferred()
        self.jobs.append((job, data))
        return job

    def test_one_write_at_a_time_and_the_last_has_everything(self) -> None:
        first = self.state.save()
        self.state.allow.add(ONE)
        second, third = self.state.save(), self.state.save()
        self.assertEqual(len(self.jobs), 1)
        self.jobs[0][0].callback(None)
        self.successResultOf(first)
        self.assertNoResult(second)
        self.assertEqual(len(self.jobs), 2)
        self.assertIn(str(ONE).encode(), self.jobs[1][1])
        self.jobs[1][0].callback(None)
        self.successResultOf(second)
        self.successResultOf(third)
        self.successResultOf(self.state.flushed())
        self.assertEqual(len(self.jobs), 2)

    def test_a_failed_write_is_told_to_who_waits(self) -> None:
        saved = self.state.save()
        self.jobs[0][0].errback(OSError(28, "No space left on device"))
        self.assertIn("No space left", str(self.failureResultOf(saved, LocalError).value))

    def test_and_does_not_stop_the_next(self) -> None:
        self.state.save_in_background()
        self.jobs[0][0].errback(OSError(28, "No space left on device"))
        again = self.state.save()
        self.jobs[1][0].callback(None)
        self.successResultOf(again)
