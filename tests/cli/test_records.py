"""``qgate id record`` and what ``qgate connect`` takes, over a real socket, against a node that keeps the law."""

from __future__ import annotations

import io
import stat
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli.records import given
from quantumgate.errors import LocalError
from quantumgate.wire.record_text import TEXT_LETTERS_MAX
from tests.cli.tool import Outcome, ServedCase, qgate_beside
from tests.control.fakenode import FRIEND, ME, STRANGER


class RecordTests(ServedCase):
    async def record(self, *arguments: str, code: int = 0) -> Outcome:
        return await self.qgate("id", "record", *arguments, code=code)

    async def test_printed(self) -> None:
        """The record alone on stdout; that it leads nowhere is said beside it."""
        outcome = await self.record()
        self.assertEqual(outcome.out, "qgr:AAAA\n")
        self.assertIn("names no way to this node", outcome.err)
        self.node.anchors = [str(STRANGER)]
        self.assertEqual((await self.record()).err, "")
        self.node.anchors = []
        self.assertEqual((await self.record("--endpoint", "bob.example:1")).err, "")

    async def test_as_json(self) -> None:
        report = (await self.record("--endpoint", "a:1", "--endpoint", "b:2", "--json")).json
        self.assertEqual((report["uuid"], report["endpoints"], report["record"]), (str(ME), ["a:1", "b:2"], "qgr:AAAA"))

    async def test_into_a_file(self) -> None:
        file = self.data / "me.qgr"
        outcome = await self.record("--out", str(file), "--endpoint", "a:1")
        self.assertEqual(file.read_text(), "qgr:AAAA\n")
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.assertIn(f"written to {file}, good until 2030-03-17 17:46 UTC", outcome.out)
        again = await self.record("--out", str(file), "--endpoint", "a:1", code=1)
        self.assertIn("File exists", again.err)

    async def test_a_place_that_is_none(self) -> None:
        self.assertIn("expected host:port", (await self.record("--endpoint", "nonsense", code=1)).err)
        many = [word for n in range(9) for word in ("--endpoint", f"a:{n + 1}")]
        await self.record(*many, code=1)

    async def test_no_node(self) -> None:
        outcome = await qgate_beside("id", "record", "--data", "/nonexistent")
        self.assertEqual(outcome.code, 3)

    async def test_connect_sends_what_the_file_holds(self) -> None:
        file = self.data / "friend"
        file.write_text(f"\n  qg://{FRIEND}@192.0.2.7\n")
        self.node.connected = [FRIEND]
        outcome = await qgate_beside("connect", str(file), "--data", str(self.data))
        self.assertEqual((outcome.code, self.node.asked[0][0]), (0, f"qg://{FRIEND}@192.0.2.7"), outcome)
        long = "qgr:" + "A" * 40_000
        refused = await qgate_beside("connect", long, "--data", str(self.data))
        self.assertEqual((refused.code, self.node.asked[1][0]), (1, long))


class GivenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = Path(self.mktemp())

    def test_what_is_no_file_goes_as_it_is(self) -> None:
        self.file.mkdir()
        for address in ("qgr:AAAA", f"qg://{FRIEND}@host", str(FRIEND), "tcp:host:1", str(self.file), "", "no-file"):
            self.assertEqual(given(address), address)

    def test_a_file(self) -> None:
        for text in ("qgr:AAAA", "qgr:AAAA\nqgr:BBBB", f"qg://{FRIEND}@host"):
            self.file.write_text(f"\n{text} \n")
            self.assertEqual(given(str(self.file)), text)

    def test_stdin(self) -> None:
        self.patch(sys, "stdin", io.StringIO("qgr:AAAA\n"))
        self.assertEqual(given("-"), "qgr:AAAA")

    def test_a_file_with_something_else(self) -> None:
        """Whatever it is, it is not sent to the node and not shown."""
        for content in (b"", b"secret", b"\xff\xfe\x00" * 50, b"qgr:" + b"A" * TEXT_LETTERS_MAX):
            self.file.write_bytes(content)
            error = self.assertRaises(LocalError, given, str(self.file))
            self.assertIn("expected a record", str(error))
            self.assertNotIn("secret", str(error))
