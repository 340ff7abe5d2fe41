"""qgate invite and qgate join: what they ask of the node, what they print where, and what they refuse."""

from __future__ import annotations

from pathlib import Path

from quantumgate.cli import invitations
from tests.cli.tool import ServedCase, Terminal, qgate
from tests.control.fakenode import FRIEND, INVITATION


class InviteTests(ServedCase):
    async def test_the_word_alone_is_on_stdout(self) -> None:
        outcome = await self.qgate("invite")
        self.assertEqual(outcome.out, f"{INVITATION.text}\n")
        self.assertIn("good once, until ", outcome.err)
        self.assertIn("it leads to 192.0.2.7:9999", outcome.err)
        self.assertIn("note: of this network only", outcome.err)

    async def test_its_terms(self) -> None:
        outcome = await self.qgate("invite", "--name", "bob", "--as", "alice", "--expires", "2h", "--only", "echo",
                                   "--endpoint", "alice.example:9999", "--json")
        made = outcome.json
        self.assertEqual((made["name"], made["proposed_name"], made["only"]), ("bob", "alice", ["echo"]))
        self.assertEqual((made["expires"] - made["made"], made["endpoints"]), (7200, ["alice.example:9999"]))

    async def test_for_several_behind_anchors(self) -> None:
        self.node.anchors = ("one", "two")
        self.assertIn("good for 3 peers", (await self.qgate("invite", "--uses", "3")).err)
        self.assertIn("2 anchors", (await self.qgate("invite")).err)

    async def test_listed_and_taken_back(self) -> None:
        self.assertEqual((await self.qgate("invite", "list")).out, "no invitations\n")
        await self.qgate("invite", "--name", "bob")
        self.assertRegex((await self.qgate("invite", "list")).out, r"00000000 +open +\S+ \S+ +0 of 1 +bob")
        self.assertIn("revoked", (await self.qgate("invite", "revoke", "0000")).out)
        self.assertEqual((await self.qgate("invite", "list", "--json")).json[0]["state"], "revoked")

    async def test_refusals(self) -> None:
        await self.qgate("invite", "--endpoint", "nonsense", code=1)
        await self.qgate("invite", "revoke", "ffff", code=1)
        for words in (("--expires", "soon"), ("--uses", "0"), ("--uses", "65"), ("bob",)):
            await self.qgate("invite", *words, code=2)


class CodeTests(ServedCase):
    async def test_a_code_in_a_pipe_is_black_on_white_paper(self) -> None:
        shown = (await self.qgate("invite", "--qr")).out.splitlines()
        self.assertEqual(shown[-1], INVITATION.text)
        self.assertGreater(len(shown), 20)
        self.assertNotIn("\033", "".join(shown))

    def test_in_a_terminal_that_is_too_narrow(self) -> None:
        self.patch(invitations.shutil, "get_terminal_size", lambda: type("Size", (), {"columns": 30}))
        terminal = Terminal()
        self.patch(invitations.sys, "stdout", terminal)
        noted: list[str] = []
        self.patch(invitations.click, "echo", lambda text="", **_: noted.append(text))
        invitations._show_code(INVITATION.text)
        self.assertEqual(len(noted), 1)
        self.assertIn("the terminal has 30 columns, and the QR code needs", noted[0])


class JoinTests(ServedCase):
    async def test_joined_and_named(self) -> None:
        outcome = await self.qgate("join", INVITATION.text, "--name", "alice")
        self.assertEqual(outcome.out, f"joined alice ({FRIEND}) at tcp:192.0.2.7:9999, direct\n")

    async def test_unnamed_says_how_to_name_it(self) -> None:
        outcome = await self.qgate("join", INVITATION.text)
        self.assertIn(f"it has no name here yet: qgate name {FRIEND} friend", outcome.out)

    async def test_what_it_proposes(self) -> None:
        joined = (await self.qgate("join", INVITATION.text, "--take-name", "--json")).json
        self.assertEqual((joined["name"], joined["proposed_name"], joined["uuid"]), ("friend", "friend", str(FRIEND)))
        self.assertEqual(joined["peer"]["name"], "friend")

    async def test_nobody_is_asked_where_nobody_looks(self) -> None:
        await self.qgate("join", INVITATION.text)
        self.assertEqual(self.node.asked[-1], (INVITATION.text, None, [], False))

    async def test_from_a_file(self) -> None:
        file = Path(self.mktemp())
        file.write_text(f"\n {INVITATION.text.upper()}\n")
        await self.qgate("join", str(file), code=1)
        self.assertEqual(self.node.asked[-1][0], INVITATION.text.upper())

    async def test_hops_and_relays(self) -> None:
        await self.qgate("join", INVITATION.text, "--hops", "2")
        await self.qgate("join", INVITATION.text, "--via", str(FRIEND))
        self.assertEqual([asked[1:3] for asked in self.node.asked], [(2, []), (None, [str(FRIEND)])])

    async def test_the_reason_of_a_refusal(self) -> None:
        outcome = await self.qgate("join", INVITATION.text + "aa", code=1)
        self.assertEqual(outcome.err, "qgate: 192.0.2.7: this invitation was used\n  try: ask again\n")

    async def test_what_is_none(self) -> None:
        for words in (("hello",), (INVITATION.text.removeprefix("qgi:"),)):
            self.assertIn("expected an invitation (qgi:...)", (await self.qgate("join", *words, code=1)).err)
        await self.qgate("join", INVITATION.text, "--name", "a", "--take-name", code=2)


class AgreementTests(ServedCase):
    """What the inviter wants to be called is taken only by who is asked and says yes."""

    def agreed(self, text: str, answer: bool, *, looking: bool = True) -> bool:
        class Person(Terminal):
            def isatty(self) -> bool:
                return looking

        asked: list[str] = []
        self.patch(invitations.sys, "stdin", Person())
        self.patch(invitations.sys, "stdout", Person())
        self.patch(invitations.click, "confirm", lambda words, default: asked.append(words) or answer)
        found = invitations._agreed(text)
        self.asked = asked
        return found

    def test_asked(self) -> None:
        self.assertTrue(self.agreed(INVITATION.text, True))
        self.assertFalse(self.agreed(INVITATION.text, False))
        self.assertEqual(self.asked, ["It would like to be called friend. Call it so?"])

    def test_not_asked(self) -> None:
        for text, looking in ((INVITATION.text, False), (INVITATION.text[:-3], True), (NAMELESS.text, True),
                              (STRANGE.text, True)):
            self.assertFalse(self.agreed(text, True, looking=looking))
            self.assertEqual(self.asked, [])


NAMELESS = INVITATION.__class__(INVITATION.uuid, bytes(32), b"network!", 1, bytes(20))
STRANGE = INVITATION.__class__(INVITATION.uuid, bytes(32), b"network!", 1, bytes(20), name="\033[2J")


class WithoutANodeTests(ServedCase):
    def test_exit_code(self) -> None:
        for words in (("invite",), ("join", INVITATION.text), ("name",)):
            self.assertEqual(qgate(*words, "--data", "/nonexistent").code, 3, words)
