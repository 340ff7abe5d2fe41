"""``qgate find`` over a real socket, against a node that keeps the law of ``control/api.py``."""

from __future__ import annotations

from tests.cli.tool import ServedCase
from tests.control.fakenode import FRIEND, ME, STRANGER


class FindTests(ServedCase):
    words = ("find",)

    async def test_one_that_is_found(self) -> None:
        text = (await self.qgate(str(FRIEND))).out
        for part in (str(FRIEND), "found (11 of 12 relays answered, 0.8 s)", "192.0.2.7:9999"):
            self.assertIn(part, text)

    async def test_one_that_is_not(self) -> None:
        text = (await self.qgate(str(STRANGER), code=1)).out
        for part in ("nobody knows it", "it is offline"):
            self.assertIn(part, text)

    async def test_as_json(self) -> None:
        self.assertEqual((await self.qgate(str(FRIEND), "--json")).json["record"], "qgr:AAAA")
        self.assertFalse((await self.qgate(str(STRANGER), "--json", code=1)).json["found"])

    async def test_what_is_no_uuid(self) -> None:
        self.assertIn("not a peer UUID", (await self.qgate("nobody", code=1)).err)

    async def test_one_of_the_two(self) -> None:
        for words in ((), (str(FRIEND), "--extender", "echo")):
            self.assertIn("and not both", (await self.qgate(*words, code=2)).err)


class ProviderTests(ServedCase):
    words = ("find", "--extender")

    async def test_some(self) -> None:
        """Told by name, for it runs here, and by UUID."""
        for named in ("echo", str(ME)):
            lines = (await self.qgate(named)).out.splitlines()
            self.assertEqual(lines[0].split(), ["extender", str(ME)])
            self.assertIn("found (11 of 12 relays answered, 0.8 s)", lines[1])
            self.assertEqual(lines[2].split(), ["PEER", "WHERE", "SAID", "SO", "LONG", "AGO"])
            self.assertEqual(lines[3].split(), [str(FRIEND), "at", "192.0.2.7:9999", "2", "min", "5", "s"])
            self.assertEqual(lines[4].split(), [str(STRANGER), "behind", "anchors", str(FRIEND), "5.0", "s"])
            self.assertEqual(len(lines), 5)

    async def test_nobody(self) -> None:
        lines = (await self.qgate(str(STRANGER), code=1)).out.splitlines()
        self.assertEqual((len(lines), lines[2]), (3, "advice    nobody who runs it"))

    async def test_as_json(self) -> None:
        found = (await self.qgate("echo", "--json")).json
        self.assertEqual([one["uuid"] for one in found["providers"]], [str(FRIEND), str(STRANGER)])
        self.assertFalse((await self.qgate(str(STRANGER), "--json", code=1)).json["found"])

    async def test_what_is_none(self) -> None:
        self.assertIn("neither the UUID of an extender nor the name", (await self.qgate("chess", code=1)).err)
