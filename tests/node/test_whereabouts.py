"""Where peers were reached: the newest of so many, and a bare UUID completed with anchors alone."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.relay.path import Gateway
from quantumgate.crypto.identity import Identity
from quantumgate.ids import PeerUUID
from quantumgate.node.dialling import Route, Target
from quantumgate.node.whereabouts import ADDRESSES_REMEMBERED, Whereabouts

HOSTS = (("192.0.2.1", 9999),)


def target(uuid: PeerUUID | None, **more: Any) -> Target:
    return Target(str(uuid), uuid, None, (), **more)


class WhereaboutsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.whereabouts = Whereabouts()
        self.peer, self.anchor = (Identity.generate().public.uuid for _ in range(2))
        self.anchored = target(self.peer, anchors=(Gateway(self.anchor, HOSTS),), rendezvous_key=b"k" * 32)

    def test_hosts(self) -> None:
        self.assertEqual(self.whereabouts.hosts(self.peer), ())
        self.whereabouts.remember(target(self.peer, hosts=HOSTS))
        self.assertEqual((self.whereabouts.hosts(self.peer), self.whereabouts.hosts(None)), (HOSTS, ()))

    def test_nobody_and_nowhere_are_not_remembered(self) -> None:
        for one in (target(None, hosts=HOSTS), target(self.peer)):
            self.whereabouts.remember(one)
        self.assertEqual(self.whereabouts._reached, {})

    def test_a_bare_uuid_gets_the_anchors(self) -> None:
        bare = target(self.peer)
        self.assertIs(self.whereabouts.completed(bare), bare)
        self.whereabouts.remember(self.anchored)
        whole = self.whereabouts.completed(bare)
        self.assertEqual((whole.anchors, whole.rendezvous_key), (self.anchored.anchors, b"k" * 32))
        self.assertEqual((whole.route.hops, whole.route.why), (1, "through its anchor"))
        self.assertEqual(self.whereabouts.completed(target(self.peer, route=Route(3))).route.hops, 3)

    def test_whoever_says_where_is_taken_at_their_word(self) -> None:
        self.whereabouts.remember(self.anchored)
        for one in (target(self.peer, hosts=HOSTS), target(self.anchor), target(None), self.anchored):
            self.assertIs(self.whereabouts.completed(one), one)

    def test_no_more_than_so_many(self) -> None:
        for _ in range(ADDRESSES_REMEMBERED):
            self.whereabouts.remember(target(Identity.generate().public.uuid, hosts=HOSTS))
        self.whereabouts.remember(self.anchored)
        self.assertEqual(len(self.whereabouts._reached), ADDRESSES_REMEMBERED)
        self.assertIn(self.peer, self.whereabouts._reached)
