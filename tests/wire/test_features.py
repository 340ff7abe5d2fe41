"""Frame types that are agreed on: no number is given away twice. What they do: tests/core/test_incoming_features."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.wire import frames, link_frames
from quantumgate.wire.features import DIRECTORY, EXCHANGE, REACH, TYPES, agreed_on


class FeatureTests(SynchronousTestCase):
    def test_no_number_is_another_types(self) -> None:
        others = frames.LONG_TYPES | frames.CHANNEL_TYPES | frames.SINGLE_TYPES | link_frames.LINK_TYPES
        self.assertEqual(others & TYPES.keys(), frozenset())

    def test_a_feature_has_a_number_that_fits(self) -> None:
        for kind, agreed in TYPES.items():
            self.assertTrue(0 < kind < 256 and 0 < agreed.feature < 65536, kind)


class RoleTests(SynchronousTestCase):
    def test_each_role_agrees_on_its_own(self) -> None:
        ours, theirs = (EXCHANGE, DIRECTORY, REACH), (DIRECTORY, REACH, 99)
        self.assertEqual(agreed_on(1, ours, theirs, named=True), {REACH})
        self.assertEqual(agreed_on(1, ours, theirs, named=False), frozenset())
        for named in (True, False):
            self.assertEqual(agreed_on(2, ours, theirs, named=named), {DIRECTORY})
            self.assertEqual(agreed_on(3, ours, theirs, named=named), frozenset())
