"""qgate name, and names wherever a UUID is asked for."""

from __future__ import annotations

from tests.cli.tool import ServedCase
from tests.control.fakenode import FRIEND, STRANGER


class NameTests(ServedCase):
    async def test_given_shown_and_forgotten(self) -> None:
        self.assertEqual((await self.qgate("name")).out, "no peer has a name\n")
        self.assertIn(f"bob   {FRIEND}", (await self.qgate("name", str(FRIEND), "Bob")).out)
        self.assertEqual((await self.qgate("name", "--json")).json, [{"name": "bob", "uuid": str(FRIEND)}])
        self.assertEqual((await self.qgate("name", "bob", "rob", "--json")).json[0]["name"], "rob")
        self.assertEqual((await self.qgate("name", "--forget", "rob", "--json")).json, [])

    async def test_wrong_use(self) -> None:
        for words in ((str(FRIEND),), ("--forget",), (str(FRIEND), "bob", "--forget"), ("no uuid!", "bob")):
            await self.qgate("name", *words, code=2)

    async def test_what_cannot_be_a_name(self) -> None:
        await self.qgate("name", str(STRANGER), "bob")
        for wrong, reason in (("b0b", "which looks like it"), ("me", "qgate uses itself"), ("two words", "a name has")):
            outcome = await self.qgate("name", str(FRIEND), wrong, code=1)
            self.assertIn(reason, outcome.err)


class WhereverTests(ServedCase):
    async def call_bob(self) -> None:
        await self.qgate("name", str(FRIEND), "bob")

    async def test_in_access(self) -> None:
        await self.call_bob()
        for command in ("allow", "deny"):
            self.assertIn(f"{command:<5}  {FRIEND}  bob", (await self.qgate("access", command, "bob")).out)
        await self.qgate("access", "remove", "Bob")
        self.assertIn(f"ban    {FRIEND}  bob", (await self.qgate("access", "ban", "bob")).out)
        self.assertIn(f"bob ({FRIEND})", (await self.qgate("access", "explain", "bob")).out)
        await self.qgate("access", "unban", "bob")
        self.assertIn(str(FRIEND), (await self.qgate("access", "reputation", "set", "bob", "-5")).out)

    async def test_in_sessions(self) -> None:
        await self.call_bob()
        self.node.connected.append(FRIEND)
        self.assertIn("bob", (await self.qgate("peers")).out.splitlines()[1])
        self.assertEqual((await self.qgate("disconnect", "bob", "--json")).json, {"uuid": str(FRIEND)})

    async def test_of_nobody(self) -> None:
        for words in (("access", "allow", "carol"), ("disconnect", "carol"), ("access", "explain", "carol")):
            self.assertIn("nobody is called carol here", (await self.qgate(*words, code=1)).err)

    async def test_a_ping_says_who_answers(self) -> None:
        await self.call_bob()
        shown = (await self.qgate("ping", str(FRIEND), "--count", "1")).out
        self.assertIn(f"from bob ({FRIEND}) at", shown)
