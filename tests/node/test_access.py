"""Access: the whole table of rules, dialling, rules by hand that last."""

from __future__ import annotations

from collections.abc import Set
from itertools import product
from pathlib import Path
from uuid import UUID

from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import LocalError
from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.node.access import Access
from quantumgate.node.state import State

ONE = parse_peer_uuid("c0ffee00-1234-8abc-9def-0123456789ab")
TWO = parse_peer_uuid("deadbeef-1234-8abc-9def-0123456789ab")


class AccessCase(SynchronousTestCase):
    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        self.state = State(directory / "state.json", execute)
        self.changed: list[PeerUUID] = []

    def access(
        self, default: str = "deny", allow: Set[PeerUUID] = frozenset(), deny: Set[PeerUUID] = frozenset()
    ) -> Access:
        access = Access(self.state, default=default, allow=allow, deny=deny)
        access.changed = self.changed.append
        return access


class DecisionTests(AccessCase):
    def test_every_combination_against_the_rule_in_one_sentence(self) -> None:
        for file_allow, file_deny, hand, default, dialled in product(
            (False, True), (False, True), ("", "allow", "deny"), ("deny", "allow"), (False, True)
        ):
            self.state.allow = {ONE} if hand == "allow" else set()
            self.state.deny = {ONE} if hand == "deny" else set()
            access = self.access(default, {ONE} if file_allow else set(), {ONE} if file_deny else set())
            denied = file_deny or hand == "deny"
            expected = not denied and (file_allow or hand == "allow" or dialled or default == "allow")
            decision = access.decide(ONE, dialled=dialled)
            self.assertEqual(decision.admitted, expected, (file_allow, file_deny, hand, default, dialled))
            self.assertTrue(decision.why)

    def test_a_rule_is_about_one_peer(self) -> None:
        access = self.access(allow={ONE})
        self.assertFalse(access.decide(TWO, dialled=False).admitted)


class ByHandTests(AccessCase):
    def test_allow_deny_and_remove_last_over_a_restart(self) -> None:
        access = self.access()
        self.successResultOf(access.allow(ONE))
        self.assertEqual(State.load(self.state.path, execute).allow, {ONE})
        self.successResultOf(access.deny(ONE))
        again = State.load(self.state.path, execute)
        self.assertEqual((again.allow, again.deny), (set(), {ONE}))
        self.successResultOf(access.remove(ONE))
        self.assertEqual(State.load(self.state.path, execute).deny, set())
        self.assertEqual(self.changed, [ONE, ONE, ONE])

    def test_the_configuration_cannot_be_overruled_by_allow(self) -> None:
        with self.assertRaises(LocalError) as caught:
            self.access(deny={ONE}).allow(ONE)
        self.assertIn("access.deny", caught.exception.advice)

    def test_removing_what_is_not_there(self) -> None:
        with self.assertRaises(LocalError):
            self.access().remove(ONE)
        with self.assertRaises(LocalError) as caught:
            self.access(allow={ONE}).remove(ONE)
        self.assertIn("[access]", caught.exception.advice)

    def test_a_uuid_of_another_version_is_refused(self) -> None:
        with self.assertRaises(LocalError):
            self.access().allow(UUID("c0ffee00-1234-4abc-9def-0123456789ab"))

    def test_the_list_has_both_kinds_of_rules(self) -> None:
        access = self.access("allow", allow={ONE})
        self.successResultOf(access.deny(TWO))
        report = access.list()
        self.assertEqual((report.default, report.allow, report.deny), ("allow", [str(ONE)], [str(TWO)]))
