"""How a node is reached, as one part: what hears which frame, and who is told when something is confirmed."""

from __future__ import annotations

from quantumgate.wire.reach_frames import PLACES, REACH_ANSWER, REACH_ASK
from tests.node.lines import LinesCase

PUBLIC = "91.37.113.29"


class ReachingTests(LinesCase):
    def test_each_frame_has_its_ear_and_none_where_it_is_off(self) -> None:
        for on in (True, False):
            node = self.line("91.1.1.1" if on else "91.2.1.1", reach=on)
            ears = set(node._parts.desk.ears)  # type: ignore[union-attr]
            kinds = {REACH_ASK, REACH_ANSWER, PLACES}
            self.assertEqual(kinds & ears, kinds if on else set())

    def test_who_passes_it_on_asks_for_what_is_confirmed(self) -> None:
        node, relays = self.line(PUBLIC), self.relays()
        author = node._parts.author  # type: ignore[union-attr]
        self.assertEqual(tuple(author.public_endpoints()), ())
        self.meet(node, *relays)
        self.pass_time(8)
        self.assertEqual(tuple(author.public_endpoints()), (f"{PUBLIC}:9999",))

    def test_a_relay_needs_no_anchors_and_one_that_hides_no_direct_ways(self) -> None:
        parts = [self.line(f"91.{at}.1.1", **how)._parts.reaching  # type: ignore[union-attr]
                 for at, how in enumerate(({}, {"relay": True}, {"hops": 1}))]
        self.assertEqual([one._rendezvous is None for one in parts], [False, True, True])  # type: ignore[union-attr]
        self.assertEqual([one._directly is None for one in parts], [False, False, True])  # type: ignore[union-attr]
