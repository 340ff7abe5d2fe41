"""Before a node starts: its identity first, then its store, then the file of before; and a stop in the middle of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred

from quantumgate.errors import KeyFileError, LocalError
from quantumgate.extender.api import Extender, maker
from quantumgate.ids import parse_peer_uuid
from quantumgate.node.data_directory import IDENTITY_FILE, STATE_FILE
from quantumgate.store.interface import NotWritten, StoreError
from quantumgate.store.memory import MemoryDatabase
from quantumgate.store.opening import STORE_FILE
from quantumgate.store.store import Store
from quantumgate.store.thread import Inline
from tests.node.remembering import recalled
from tests.node.test_state_file import OLD
from tests.node.world import MEMORIES, NodeCase, node_settings

HOME = "127.0.0.1"


class Late(Inline):
    """The first call, the opening, is done when the test says so."""

    def __init__(self) -> None:
        self.first: Deferred[Any] | None = None
        self.stopped = False

    def run(self, function: Any, *arguments: Any) -> Deferred[Any]:
        if self.first is None:
            self.first = Deferred()
            self.opening = function
            return self.first
        return super().run(function, *arguments)

    def stop(self) -> None:
        self.stopped = True


class LateTests(NodeCase):
    """A store that takes its time, as one does while the reactor runs."""

    def setUp(self) -> None:
        super().setUp()
        self.runner = Late()
        self.late = self.node(HOME, start=False)
        store = Store(MemoryDatabase(), self.runner, self.clock)
        object.__setattr__(self.late._world, "store", lambda *_: store)
        self.late.startService()

    def test_the_node_is_ready_when_it_has_opened(self) -> None:
        ready = self.late.when_ready()
        self.assertNoResult(ready)
        self.assertEqual(self.late.status().phase, "starting")
        self.runner.first.callback(None)  # type: ignore[union-attr]
        self.done(ready)
        self.assertEqual(len(self.late.listening), 1)

    def test_and_fails_when_it_does_not(self) -> None:
        ready = self.late.when_ready()
        self.runner.first.errback(StoreError("damaged"))  # type: ignore[union-attr]
        self.failureResultOf(ready, StoreError)
        self.assertEqual((self.late.status().phase, self.late.running), ("failed", 0))
        self.assertTrue(self.runner.stopped)
        self.node(HOME, data=self.late.data_directory)

    def test_a_stop_meanwhile_waits_for_it(self) -> None:
        self.late.when_ready().addErrback(lambda _: None)
        stopped = self.late.stopService()
        self.assertNoResult(stopped)
        self.runner.first.callback(None)  # type: ignore[union-attr]
        self.done(stopped)
        self.assertEqual((self.late.status().phase, self.late.listening), ("stopped", []))
        self.node(HOME, data=self.late.data_directory)

    def test_a_stop_meanwhile_of_one_that_fails(self) -> None:
        stopped = self.late.stopService()
        self.runner.first.errback(StoreError("damaged"))  # type: ignore[union-attr]
        self.done(stopped)
        self.assertEqual(self.late.status().phase, "stopped")


class SpacesTests(NodeCase):
    def test_what_an_extender_keeps_is_there_after_a_restart(self) -> None:
        keeping = maker(Extender, name="keeping", uuid=UUID(int=7))
        first = self.node(HOME, keeping)
        self.settle()
        space = first.guests.guest_host("keeping").store
        space["key"] = b"value"
        self.done(space.flushed())
        self.done(first.stopService(), 1)
        second = self.node(HOME, keeping, data=first.data_directory)
        self.settle()
        self.assertEqual(dict(second.guests.guest_host("keeping").store), {"key": b"value"})

    def test_a_store_that_cannot_be_written_is_seen_in_status(self) -> None:
        node = self.node(HOME)
        self.assertEqual(node.status().notices, [])
        memory = MEMORIES[node.data_directory]
        memory.trouble = "the disk is full"
        self.failed(node.access.allow(parse_peer_uuid("c0ffee00-1234-8abc-9def-0123456789ab")), NotWritten)
        self.assertIn("the disk is full", node.status().notices[0])
        memory.trouble = ""
        self.pass_time(2)
        self.assertEqual((node.status().notices, len(recalled(memory).allow)), ([], 1))


class FilesTests(NodeCase):
    """With files as a node of a user has them."""

    def files(self) -> Path:
        data = Path(self.mktemp()).absolute()
        self.settings = node_settings(store=f"sqlite:///{data / STORE_FILE}")
        return data

    def test_the_file_of_before_is_taken_over(self) -> None:
        data = self.files()
        first = self.node(HOME, data=data)
        self.done(first.stopService(), 1)
        MEMORIES.pop(data)
        (data / STATE_FILE).write_text(OLD)
        again = self.node(HOME, data=data)
        self.assertEqual(len(again._parts.state.pins), 1)  # type: ignore[union-attr]
        self.assertFalse((data / STATE_FILE).exists())

    def test_a_lost_identity_makes_no_store(self) -> None:
        data = self.files()
        data.mkdir()
        (data / STATE_FILE).write_text(OLD)
        with self.assertRaises(LocalError):
            self.node(HOME, data=data)
        self.assertFalse((data / STORE_FILE).exists() or (data / IDENTITY_FILE).exists())

    def test_a_store_elsewhere_is_not_given_to_a_stranger(self) -> None:
        """The disk with the data directory is lost, the database server is not."""
        first = self.node(HOME)
        self.done(first.stopService(), 1)
        key = first.data_directory / IDENTITY_FILE
        key.rename(key.with_name("copy"))
        for _ in range(2):
            with self.assertRaises(KeyFileError) as caught:
                self.node(HOME, data=first.data_directory)
            self.assertIn("restore the key", caught.exception.advice)
            self.assertFalse(key.exists())
        key.with_name("copy").rename(key)
        self.assertEqual(self.node(HOME, data=first.data_directory).uuid, first.uuid)

    def test_a_disk_that_takes_no_key_lets_the_directory_go(self) -> None:
        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        data = self.files()
        self.patch(os, "fsync", full)
        with self.assertRaises(OSError):
            self.node(HOME, data=data)
        self.patch(os, "fsync", lambda descriptor: None)
        self.node(HOME, data=data)
