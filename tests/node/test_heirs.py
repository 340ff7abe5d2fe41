"""Heirs: verified, told of, and taken only where somebody says so; what the old identity had is the new one's."""

from __future__ import annotations

from typing import Any

from quantumgate.core.successions import Succession, succeed
from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.node.heirs import Heirs
from quantumgate.node.node import Node
from tests.core.handshake.duel import identity
from tests.node.circuits import AWAY, HOME
from tests.node.delegated import DelegatedCase
from tests.node.remembering import recalled
from tests.node.world import BEGINNING_SECONDS, MEMORIES, NodeCase

ALICE, NEXT = identity("alice"), identity("alice next")
OLD, NEW = ALICE.public.uuid, NEXT.public.uuid


def told(**times: int) -> Succession:
    return succeed(ALICE, NEXT, now_seconds=times.get("now", int(BEGINNING_SECONDS)))


class HeirsTests(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.at = self.node(HOME)
        self.state: Any = self.at._parts.state  # type: ignore[union-attr]
        self.heirs: Heirs = self.at._parts.pairing.heirs  # type: ignore[union-attr]

    def met(self) -> None:
        """Alice is pinned, named and allowed."""
        self.state.pins[OLD] = ALICE.public.fingerprint_text
        self.state.serials[OLD] = 7
        self.done(self.at.access.allow(OLD))
        self.done(self.at.access.allow(OLD, ["relay"]))
        self.state.names[OLD] = "alice"

    def test_looking_changes_nothing(self) -> None:
        self.met()
        report = self.heirs.look(told().text)
        self.assertEqual((report.old_uuid, report.new_uuid, report.name, report.rules, report.pinned, report.taken),
                         (str(OLD), str(NEW), "alice", 2, True, False))
        self.assertNotIn(NEW, self.state.pins)
        self.assertEqual(self.at.status().notices, [])

    def test_what_the_old_one_had_is_the_new_ones(self) -> None:
        self.met()
        report = self.done(self.heirs.take(told().text))
        self.assertTrue(report.taken)
        state = self.state
        self.assertEqual(state.pins, {NEW: NEXT.public.fingerprint_text})
        self.assertEqual((state.serials, state.names), ({}, {NEW: "alice"}))
        self.assertTrue(self.at.access.decide(NEW).admitted and self.at.access.decide(NEW, "relay").admitted)
        self.assertFalse(self.at.access.decide(OLD).admitted)
        self.assertEqual(state.allow, {NEW})
        self.assertEqual(len([one for one in self.at.status().notices if one.startswith("succession: ")]), 1)
        (line,) = [line for line in self.lines("error") if "security: succession" in line]
        self.assertFalse(str(OLD) in line or str(NEW) in line)

    def test_a_kill_leaves_all_of_it_or_nothing(self) -> None:
        self.met()
        memory = MEMORIES[self.at.data_directory]
        before = memory.transactions
        self.done(self.heirs.take(told().text))
        self.assertEqual(memory.transactions, before + 1)
        kept = recalled(memory)
        self.assertEqual((kept.pins, kept.names, kept.allow), (self.state.pins, {NEW: "alice"}, {NEW}))

    def test_who_is_only_allowed_has_an_heir_too(self) -> None:
        self.done(self.at.access.allow(OLD))
        self.done(self.heirs.take(told().text))
        self.assertTrue(self.at.access.names(NEW))

    def test_a_deny_and_a_ban_go_along(self) -> None:
        self.done(self.at.access.deny(OLD))
        self.done(self.at.access.ban(OLD))
        self.done(self.heirs.take(told().text))
        self.assertEqual((self.at.access.decide(NEW).admitted, self.at.access.decide(OLD).admitted), (False, False))

    def test_who_was_never_met_has_nothing_to_pass_on(self) -> None:
        self.assertIn("nothing to inherit", str(self.assertRaises(LocalError, self.heirs.look, told().text)))

    def test_another_key_than_the_pinned_one(self) -> None:
        """Never in silence: whoever has a second key for this UUID is up to something."""
        for uuid in (OLD, NEW):
            self.met()
            self.state.pins[uuid] = identity("mallory").public.fingerprint_text
            error = self.assertRaises(LocalError, self.heirs.take, told().text)
            self.assertIn("another key", str(error))
            self.assertTrue(self.at.status().notices[-1].startswith("pin: "))

    def test_what_is_none(self) -> None:
        self.met()
        for wrong in ("", "qgs:", told().text[:-2], told(now=int(BEGINNING_SECONDS) - 91 * 86_400).text):
            self.assertIn("cannot be used", str(self.assertRaises(LocalError, self.heirs.take, wrong)))
        self.assertEqual(set(self.state.pins), {OLD})


class NodesTests(DelegatedCase):
    def test_the_heir_comes_in_by_the_old_rule(self) -> None:
        """Alice changes her root; her friend takes the heir, and she is who she was."""
        friend = self.node(AWAY)
        alice = self.delegated(HOME, root=ALICE, listen=())
        self.done(friend.access.allow(OLD))
        self.done(alice.connect(self.address(friend, AWAY)))
        self.stop(alice)
        new = self.delegated("192.0.2.33", root=NEXT, listen=())
        self.assertEqual(self.failed(new.connect(self.address(friend, AWAY)), ConnectFailed, 5).reason, "access-denied")
        self.done(friend._parts.pairing.heirs.take(told().text))  # type: ignore[union-attr]
        self.done(new.connect(self.address(friend, AWAY)), 5)
        self.assertEqual(self.uuids(friend), [NEW])

    def uuids(self, node: Node) -> list[Any]:
        return [peer.uuid for peer in node.peers]
