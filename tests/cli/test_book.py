"""``qgate book`` over a real socket, against a node that keeps the law of ``control/api.py``."""

from __future__ import annotations

from quantumgate.cli.book import SHOWN
from quantumgate.control.book_reports import BookReport
from tests.cli.tool import ServedCase
from tests.control.fakenode import FRIEND, STRANGER

FULL = BookReport(
    enabled=True, known=30, tried=4, named=2, public=28, groups=17, bytes_held=123_000, exchanging=3,
    outcomes={"new": 31, "crowded": 5}, connections=[str(FRIEND)], peers=[str(FRIEND)] + [str(STRANGER)] * 29,
)


class BookTests(ServedCase):
    words = ("book",)

    async def test_a_node_without_one(self) -> None:
        self.assertIn("keeps no address book", (await self.qgate()).out)

    async def test_numbers_and_the_last_reached(self) -> None:
        self.node.book = FULL
        text = (await self.qgate()).out
        for part in ("30 peers in 17 groups of networks, 123.0 kB", "5 crowded, 31 new", "with 3 connected peers",
                     str(FRIEND), f"and {30 - SHOWN} more"):
            self.assertIn(part, text)
        self.assertEqual(text.count(str(STRANGER)), SHOWN - 1)

    async def test_one_peer_and_why_it_is_not_called(self) -> None:
        text = (await self.qgate(str(FRIEND))).out
        for part in ("192.0.2.7:9999", "a relay, public", "calls in vain since   2", "4:c633", "it is connected"):
            self.assertIn(part, text)

    async def test_by_its_name(self) -> None:
        self.node.pairing.names.put(FRIEND, "friend")
        self.assertIn("192.0.2.7:9999", (await self.qgate("friend")).out)
        self.assertIn("expected a name", (await self.qgate("No Such Thing", code=2)).err)

    async def test_one_that_nobody_knows(self) -> None:
        outcome = await self.qgate(str(STRANGER), code=1)
        self.assertIn("knows nothing of", outcome.err)

    async def test_as_json(self) -> None:
        self.node.book = FULL
        self.assertEqual((await self.qgate("--json")).json["outcomes"], {"new": 31, "crowded": 5})
        self.assertTrue((await self.qgate(str(FRIEND), "--json")).json["tried"])
