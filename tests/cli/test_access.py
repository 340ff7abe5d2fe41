"""``qgate access`` against real rules behind a real socket: what is shown, what is refused, and how it is said."""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli.access import Moment, Span, Subject
from tests.cli.tool import ServedCase, qgate
from tests.control.fakenode import FAKE_WALL_SECONDS, FRIEND, ME

PEER = str(FRIEND)


class AccessTests(ServedCase):
    words = ("access",)

    async def test_allow_deny_and_remove(self) -> None:
        self.assertEqual((await self.qgate("allow", PEER, "--json")).json["allow"], [PEER])
        self.assertIn(f"deny   {PEER}\n", (await self.qgate("deny", PEER)).out)
        self.assertEqual((await self.qgate("remove", PEER, "--json")).json, (await self.qgate("list", "--json")).json)
        self.assertIn("there is no rule by hand", (await self.qgate("remove", PEER, code=1)).err)

    async def test_only(self) -> None:
        out = (await self.qgate("deny", PEER, "--only", "echo", "--only", "relay")).out
        self.assertIn(f"deny   {PEER}  only echo\n", out)
        self.assertIn(f"deny   {PEER}  only relay\n", out)
        outcome = await self.qgate("deny", PEER, "--only", "chess", code=1)
        self.assertIn("try: one of connect, relay, reserve, echo", outcome.err)

    async def test_ban_and_unban(self) -> None:
        await self.qgate("allow", PEER)
        (rule,) = [one for one in (await self.qgate("ban", PEER, "--for", "12h", "--json")).json["rules"]
                   if one["word"] == "ban"]
        self.assertEqual(rule["until"], FAKE_WALL_SECONDS + 12 * 3600)
        self.assertIn("until 2027-", (await self.qgate("list")).out)
        outcome = await self.qgate("allow", PEER, code=1)
        self.assertIn(f"try: qgate access unban {PEER}", outcome.err)
        await self.qgate("unban", PEER)
        self.assertEqual((await self.qgate("list", "--json")).json["allow"], [PEER])
        self.assertIn("is not banned", (await self.qgate("unban", PEER, code=1)).err)

    async def test_a_ban_of_a_network_until_a_date(self) -> None:
        (row,) = (await self.qgate("ban", "198.51.100.0/24", "--until", "2040-01-31", "--json")).json["filters"]
        self.assertEqual(row["until"], time.mktime((2040, 1, 31, 0, 0, 0, 0, 0, -1)))
        self.assertIn("2040-01-31 00:00:00", (await self.qgate("filters", "list")).out)
        self.assertIn("this end date is over", (await self.qgate("ban", PEER, "--until", "2020-01-01", code=1)).err)
        self.assertEqual((await self.qgate("unban", "198.51.100.0/24", "--json")).json["filters"], [])

    async def test_the_default(self) -> None:
        self.assertIn("allow (by hand)", (await self.qgate("default", "allow")).out)
        self.assertEqual((await self.qgate("default", "configured", "--json")).json["default_by"], "configuration")

    async def test_filters(self) -> None:
        await self.qgate("filters", "add", "block", "198.51.100.0/24")
        await self.qgate("filters", "add", "allow", "::ffff:192.0.2.0/120")
        out = (await self.qgate("filters", "list")).out
        self.assertIn("block   198.51.100.0/24  hand", out)
        self.assertIn("allow   192.0.2.0/24     hand", out)
        outcome = await self.qgate("filters", "add", "block", "198.51.100.7/24", code=1)
        self.assertIn("try: did you mean 198.51.100.0/24?", outcome.err)
        await self.qgate("filters", "remove", "allow", "192.0.2.0/24")
        self.assertEqual(len((await self.qgate("filters", "list", "--json")).json), 1)

    async def test_limits(self) -> None:
        self.assertIn("no limits", (await self.qgate("limits", "list")).out)
        await self.qgate("limits", "set", "ipv4/24", "--connections", "16", "--links", "8")
        self.assertEqual((await self.qgate("limits", "list", "--json")).json, [
            {"prefix": "ipv4/24", "connections": 16, "attempts": 0, "links": 8, "made_by": "hand"}])
        for wrong in ("ipv4/33", "ipv4/288", "24"):
            await self.qgate("limits", "set", wrong, "--connections", "1", code=1)
        self.assertIn("a limit limits something", (await self.qgate("limits", "set", "ipv4/8", code=1)).err)
        await self.qgate("limits", "remove", "ipv4/24")
        self.assertEqual((await self.qgate("limits", "list", "--json")).json, [])

    async def test_reputation(self) -> None:
        self.assertEqual((await self.qgate("reputation", "list")).out, "no scores\n")
        await self.qgate("reputation", "set", PEER, "50")
        out = (await self.qgate("reputation", "set", "198.51.100.7", "-1200")).out
        self.assertIn("198.51.100.7/32  ", out)
        self.assertIn("-1200", out)
        self.assertIn("no score", (await self.qgate("reputation", "reset", "198.51.100.8", code=1)).err)
        await self.qgate("reputation", "reset", "198.51.100.7")
        self.assertEqual(len((await self.qgate("reputation", "list", "--json")).json), 1)
        await self.qgate("reputation", "reset", "--all")
        self.assertEqual((await self.qgate("reputation", "list", "--json")).json, [])

    async def test_explain(self) -> None:
        await self.qgate("ban", PEER, "--for", "1h")
        out = (await self.qgate("explain", PEER)).out
        for part in ("refused", "ban (made by: hand)", "banned by hand", f"qgate access unban {PEER}", "ends"):
            self.assertIn(part, out)
        found = (await self.qgate("explain", PEER, "echo", "--json")).json
        self.assertEqual((found["about"], found["admitted"], found["rule"]), ("echo", False, "ban"))
        found = (await self.qgate("explain", "::ffff:198.51.100.7", "--json")).json
        self.assertEqual((found["admitted"], found["rule"], found["until"]), (True, "no-filter", None))
        self.assertIn("there is no extender 'chess'", (await self.qgate("explain", PEER, "chess", code=1)).err)
        self.assertEqual((await self.qgate("explain", PEER, str(ME), "--json")).json["rule"], "ban")


class WordTests(SynchronousTestCase):
    def test_spans(self) -> None:
        self.assertEqual([Span().convert(text, None, None) for text in ("90s", "10m", "1.5h", "7d", "2w")],
                         [90, 600, 5400, 604_800, 1_209_600])

    def test_moments(self) -> None:
        self.assertEqual(Moment().convert("2030-01-31T18:00+00:00", None, None), 1_896_112_800)

    def test_subjects(self) -> None:
        for text in (PEER, "192.0.2.7", "2001:db8::/32", "::ffff:10.0.0.1"):
            self.assertEqual(Subject().convert(text, None, None), text)

    def test_slips_of_the_pen_are_wrong_use(self) -> None:
        for arguments in (("ban", "me"), ("ban", PEER[:-1]), ("ban", PEER, "--for", "soon"),
                          ("ban", PEER, "--for", "0s"), ("ban", PEER, "--until", "tomorrow"),
                          ("ban", PEER, "--for", "1h", "--until", "2040-01-01"),
                          ("explain", "fe80::1%eth0"), ("filters", "add", "drop", "10.0.0.0/8"),
                          ("limits", "set", "ipv4/24", "--connections", "-1"), ("default", "maybe"),
                          ("reputation", "set", PEER, "101"), ("reputation", "set", PEER, "--much"),
                          ("reputation", "reset"),
                          ("reputation", "reset", PEER, "--all"), ("allow", "192.0.2.7")):
            outcome = qgate("access", *arguments)
            self.assertEqual((outcome.code, outcome.out), (2, ""), arguments)
