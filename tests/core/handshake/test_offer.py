"""Choosing among offers: the first id of the dialler's that the listener has, in each list."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.handshake.offer import check_choice, check_lengths, choose
from quantumgate.errors import MalformedError
from quantumgate.wire.codes import RefuseCode
from quantumgate.wire.messages import Init, KeyShare, Lists, Select

OURS = Lists((1, 2), (1, 2), (1,))


def init(lists: Lists, versions: tuple[int, ...] = (1,)) -> Init:
    """An offer."""
    return Init(lists, KeyShare(1, b""), KeyShare(1, b""), bytes(48), versions)


class OfferTests(SynchronousTestCase):
    """docs/spec/handshake.md section 5."""

    def test_the_diallers_order_decides(self) -> None:
        self.assertEqual(choose(init(Lists((99, 2, 1), (2, 1), (2, 1))), OURS), Select(2, 2, 1))

    def test_nothing_in_common(self) -> None:
        for lists in (Lists((3,), (1,), (1,)), Lists((1,), (16,), (1,)), Lists((1,), (1,), (2,))):
            self.assertEqual(choose(init(lists), OURS), RefuseCode.NO_COMMON_SUITE)

    def test_versions(self) -> None:
        self.assertEqual(choose(init(OURS, (2, 3)), OURS), RefuseCode.VERSION)
        self.assertEqual(choose(init(OURS, (2, 1)), OURS), Select(1, 1, 1))

    def test_a_choice_must_be_offered_and_above_the_floor(self) -> None:
        check_choice(Select(1, 1, 1), OURS, OURS)
        floor = Lists((2,), (2,), (1,))
        for select in (Select(3, 1, 1), Select(1, 3, 1), Select(1, 1, 2), Select(1, 1, 1, version=2)):
            self.assertRaises(MalformedError, check_choice, select, OURS, OURS)
        for select in (Select(1, 2, 1), Select(2, 1, 1)):
            self.assertRaises(MalformedError, check_choice, select, OURS, floor)

    def test_lengths_are_exact(self) -> None:
        check_lengths(KeyShare(1, bytes(32)), KeyShare(1, bytes(1184)), ciphertext=False)
        check_lengths(KeyShare(1, bytes(32)), KeyShare(1, bytes(1088)), ciphertext=True)
        for primary, secondary in ((31, 1184), (33, 1184), (32, 1183), (32, 1185), (32, 1088)):
            shares = KeyShare(1, bytes(primary)), KeyShare(1, bytes(secondary))
            self.assertRaises(MalformedError, check_lengths, *shares, ciphertext=False)
        for groups in ((4, 1), (1, 15)):
            shares = KeyShare(groups[0], bytes(32)), KeyShare(groups[1], bytes(1184))
            self.assertRaises(MalformedError, check_lengths, *shares, ciphertext=False)
