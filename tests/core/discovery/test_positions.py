"""Where things stand on the ring: the same for everybody, moved by the day, and nearest means nearest."""

from __future__ import annotations

import re
from hashlib import sha512
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery.positions import (
    RING,
    Chart,
    Charts,
    Located,
    Ring,
    apart,
    day_of,
    host_of,
    position_of,
)
from quantumgate.core.peer_records import network_of
from tests.house import ROOT
from tests.simulation.people import NETWORK, record_of

WALL_SECONDS = 1_700_000_000.0
DAY = day_of(WALL_SECONDS)


def at(number: int, position: int, within: int = 0) -> Located:
    """A node that stands just there."""
    host = f"10.{number}.0.1"
    known = record_of(number, host, WALL_SECONDS, keeper=True)
    return Located(known.identity.uuid, known.identity.fingerprint, host, 9999, position, within, known)


class ChartTests(SynchronousTestCase):
    def test_a_key_by_hand(self) -> None:
        """SHA-512(label || lp(network || u32 day) || lp(kind || what)), cut to 32 octets."""
        uuid = UUID("11111111-2222-8333-9444-555555555555")
        day = (19_675).to_bytes(4, "big")
        for kind, key in ((1, Chart(bytes(32), 19_675).peer(uuid)), (2, Chart(bytes(32), 19_675).extender(uuid))):
            text = b"QuantumGate/1 directory" + (36).to_bytes(4, "big") + bytes(32) + day
            text += (17).to_bytes(4, "big") + bytes([kind]) + uuid.bytes
            self.assertEqual(key, sha512(text).digest()[:32])

    def test_groups_and_hosts_by_hand(self) -> None:
        chart = Chart(NETWORK, 7)
        host = "198.51.100.7"
        for kind, text, position in ((3, "4:c633", chart.group("4:c633")), (4, host, chart.host(host))):
            root, value = NETWORK + (7).to_bytes(4, "big"), bytes([kind]) + text.encode()
            sized = b"".join(len(one).to_bytes(4, "big") + one for one in (root, value))
            whole = b"QuantumGate/1 directory" + sized
            self.assertEqual(position, int.from_bytes(sha512(whole).digest()[:8], "big"))

    def test_the_examples_of_the_page(self) -> None:
        """docs/spec/discovery.md section 8."""
        page = (ROOT / "docs" / "spec" / "discovery.md").read_text()
        said = dict(re.findall(r"^\| the \w+ `?([^ `]+)`? \| `([0-9a-f]+)` \|$", page, re.MULTILINE))
        chart = Chart(network_of(b"QuantumGate"), 19_675)
        for what, told in said.items():
            known = {16: lambda text: chart.group(text) if ":" in text else chart.host(text)}.get(len(told))
            if known is not None:
                self.assertEqual(f"{known(what):016x}", told)
            else:
                self.assertIn(bytes.fromhex(told), (chart.peer(UUID(what)), chart.extender(UUID(what))))
        self.assertEqual(len(said), 4)

    def test_another_day_or_network_is_another_place(self) -> None:
        charts = [Chart(NETWORK, 7), Chart(NETWORK, 8), Chart(bytes(32), 7)]
        self.assertEqual(len({chart.group("4:c633") for chart in charts}), 3)
        self.assertEqual(len({chart.peer(UUID(int=1)) for chart in charts}), 3)

    def test_keys_do_not_move_a_node(self) -> None:
        """Two identities at one address stand at one place."""
        charts = Charts(NETWORK)
        one, other = (charts.locate(record_of(n, "198.51.100.7", WALL_SECONDS, keeper=True), DAY) for n in (1, 2))
        assert one is not None and other is not None
        self.assertEqual((one.at, one.within), (other.at, other.within))

    def test_names_have_no_place(self) -> None:
        known = record_of(1, "node.example", WALL_SECONDS, keeper=True)
        self.assertEqual(host_of(known), "")
        self.assertIsNone(Charts(NETWORK).locate(known, DAY))

    def test_the_first_address_counts(self) -> None:
        self.assertEqual(host_of(record_of(1, "198.51.100.7", WALL_SECONDS, keeper=True)), "198.51.100.7")

    def test_what_is_remembered_is_bounded(self) -> None:
        charts = Charts(NETWORK, remembered=2)
        for number in range(5):
            charts.locate(record_of(number, f"198.51.{number}.7", WALL_SECONDS, keeper=True), DAY)
        self.assertEqual(len(charts._located), 2)

    def test_charts_of_other_days_are_dropped(self) -> None:
        charts = Charts(NETWORK)
        first = charts.chart(7)
        self.assertIs(charts.chart(7), first)
        charts.chart(9)
        self.assertIsNot(charts.chart(7), first)


class RingTests(SynchronousTestCase):
    def test_the_shorter_way_around(self) -> None:
        self.assertEqual(apart(1, RING - 1), 2)
        self.assertEqual(apart(RING - 1, 1), 2)
        self.assertEqual(apart(5, 5), 0)
        self.assertEqual(position_of((7).to_bytes(8, "big") + bytes(24)), 7)

    @given(st.lists(st.integers(0, RING - 1), max_size=12, unique=True), st.integers(0, RING - 1), st.integers(0, 14))
    def test_nearest_is_nearest(self, positions: list[int], target: int, count: int) -> None:
        ring = Ring()
        for number, position in enumerate(positions):
            ring.add(at(number, position))
        wanted = sorted(apart(one, target) for one in positions)[:count]
        self.assertEqual([apart(one.at, target) for one in ring.nearest(target, count)], wanted)

    def test_one_of_each_network_the_nearest_address(self) -> None:
        ring = Ring()
        for number, (position, within) in enumerate(((100, 90), (100, 10), (200, 1))):
            ring.add(at(number, position, within))
        self.assertEqual([one.within for one in ring.nearest(0, 9)], [10, 1])
        self.assertEqual((len(ring), ring.groups()), (3, 2))

    def test_who_moves_is_in_one_place(self) -> None:
        ring = Ring()
        ring.add(at(1, 100))
        ring.add(at(1, 200))
        self.assertEqual([one.at for one in ring.nearest(0, 9)], [200])
        ring.remove(at(1, 0).uuid)
        ring.remove(at(1, 0).uuid)
        self.assertEqual((ring.nearest(0, 9), len(ring), ring.groups()), ([], 0, 0))

    def test_rank(self) -> None:
        ring = Ring()
        for number in range(6):
            ring.add(at(number, 10 * number))
        self.assertEqual(ring.rank(30, 0, 16), 3)
        self.assertEqual(ring.rank(30, 0, 2), 2)
        self.assertEqual(ring.rank(0, 0, 16), 0)
