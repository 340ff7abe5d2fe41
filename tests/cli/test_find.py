"""``qgate find`` over a real socket, against a node that keeps the law of ``control/api.py``."""

from __future__ import annotations

from tests.cli.tool import ServedCase
from tests.control.fakenode import FRIEND, STRANGER


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
