"""Row 21 of docs/attacks.md, the patient half: ten thousand links at a pace that is no flood, a relay that is full, and
circuits that come through the same relay again and again. What is counted has a bound, and is back where it was after.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from quantumgate.errors import ConnectFailed
from quantumgate.node.node import Node
from quantumgate.wire.codes import LinkCode
from quantumgate.wire.limits import CIRCUIT_HOPS_MAX, DEFAULT_LIMITS
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget
from tests.core.relay.tower import Outlet
from tests.node.asking import AskingCase
from tests.node.circuits import AWAY, CircuitCase, with_relay
from tests.node.world import node_settings

LINKS = 10_000
AT_ONCE, EVERY_SECONDS = 20, 10.0
"""Two a second, in bursts that ``link_create_rate`` allows."""


class Row21PaceTests(AskingCase):
    def held(self) -> tuple[int, ...]:
        """What the gate holds: links it carries, links of its client, accounts, sockets, timers."""
        parts: Any = self.gate._parts
        (session,) = [one.session for one in parts.desk.contacts if one.session is not None and one.session.role == 2]
        return (len(self.relays.carried), len(session.links.by_id), len(self.relays.quota._clients),
                len(parts.desk.contacts), len(self.clock.getDelayedCalls()))

    def test_ten_thousand_at_a_legal_pace(self) -> None:
        """Eight a minute are tried; the others hear 7 at once, and 5 when it has cost the address its score."""
        target = LinkTarget(self.gates[4].uuid, (LinkEndpoint("46.4.0.4", 9999),))
        codes: Counter[int] = Counter()
        before, most = self.held(), [0] * 5
        for _ in range(LINKS // AT_ONCE):
            entry = self.entry
            outlets = [Outlet(entry.session.all_links.ask(target)) for _ in range(AT_ONCE)]
            entry.protocol.wake()
            self.pass_time(0.2)
            at_once = [end for outlet in outlets for end in outlet.ends]
            self.assertLessEqual(set(at_once), {LinkCode.LIMIT, LinkCode.POLICY})
            most = list(map(max, most, self.held()))
            self.pass_time(EVERY_SECONDS - 0.2)
            codes.update(at_once)
        self.pass_time(13)
        tried = LINKS - codes.total()
        seconds = LINKS / AT_ONCE * EVERY_SECONDS
        rate, burst = DEFAULT_LIMITS.links_prefix_rate
        self.assertLessEqual(tried, burst + seconds * rate)
        self.assertTrue(codes[LinkCode.LIMIT] > 40 and codes[LinkCode.POLICY] > 1000, codes)
        self.assertLessEqual(len(self.dialled), tried)
        carried, links, accounts, contacts, timers = most
        self.assertLessEqual(carried, before[0] + burst + 2)
        self.assertLessEqual(links, DEFAULT_LIMITS.links_client)
        self.assertLessEqual((accounts, contacts), (2, before[3] + burst + 2))
        self.assertLessEqual(timers, before[4] + 4 * burst)
        self.assertFalse(self.entry.over)
        self.assertEqual((len(self.relays.carried), self.relays.quota.carried), (0, 0), "its own circuit was idle")
        self.assertEqual(self.held()[1], 0)


class Row21FullTests(CircuitCase):
    """A relay that carries all that it can."""

    MOST: ClassVar[int] = 6

    def setUp(self) -> None:
        super().setUp()
        settings = with_relay(node_settings(relay=True, limits={"links_node": self.MOST}))
        self.full = self.node("19.9.0.1", settings=settings)
        self.relays: Any = self.full._parts.relays  # type: ignore[union-attr]
        self.address_of_full = self.address(self.full, "19.9.0.1")

    def client_at(self, place: str, *more: str) -> Node:
        return self.node(place, settings=with_relay(node_settings(listen=()), gateways=(self.address_of_full, *more)))

    def test_clients_from_everywhere(self) -> None:
        """Each within its own quota: the last ones hear 12, and no socket is opened for them."""
        clients = [self.client_at(f"7{number}.1.0.1") for number in range(4)]
        tries = [client.connect(self.address(self.end, AWAY), via=self.full.uuid) for client in clients for _ in "123"]
        self.pass_time(2)
        results: list[Any] = []
        for each in tries:
            each.addBoth(results.append)
        errors = [one.value for one in results if hasattr(one, "value")]
        self.assertEqual((len(results), len(errors)), (12, 12 - self.MOST))
        self.assertTrue(all(isinstance(one, ConnectFailed) and one.reason == "limit" for one in errors))
        self.assertEqual((len(self.relays.carried), self.relays.quota.refused), (self.MOST, {"links_node": 6}))
        carriers = [one for one in self.full._parts.desk.contacts if one.outbound]  # type: ignore[union-attr]
        self.assertEqual(len(carriers), 1, "all of them share one session with the end")
        for client in clients:
            client.stopService()
        self.pass_time(40)
        self.assertEqual((len(self.relays.carried), self.relays.quota.carried), (0, 0))

    def test_through_it_again_and_again(self) -> None:
        """No relay can see how long a circuit is; each time that one comes through it is one link more, and counted."""
        other = self.gates[0]
        client = self.client_at("71.1.0.1", self.address(other, "11.1.0.1"))
        twice = [self.full.uuid, other.uuid] * 2
        for number in range(self.MOST // 2):
            self.done(client.connect(self.address(self.end, AWAY), via=twice), 2)
            self.assertEqual(self.relays.quota.carried, 2 * (number + 1))
        error = self.failed(client.connect(self.address(self.end, AWAY), via=twice), ConnectFailed, 2)
        self.assertEqual((error.reason, self.relays.quota.carried), ("limit", self.MOST))
        self.done(client.disconnect(self.end.uuid), 3)
        self.pass_time(3)
        self.assertEqual([len(node._parts.relays.carried) for node in (self.full, other)], [0, 0])  # type: ignore[union-attr]
        self.assertEqual([node._parts.relays.quota.carried for node in (self.full, other)], [0, 0])  # type: ignore[union-attr]

    def test_the_middle_of_a_long_one_is_full(self) -> None:
        """What was built in front of it is taken down again, and nothing of it is counted any more."""
        other = self.gates[0]
        client = self.client_at("71.1.0.1", self.address(other, "11.1.0.1"))
        four_times = [self.full.uuid, other.uuid] * (CIRCUIT_HOPS_MAX // 2)
        self.done(client.connect(self.address(self.end, AWAY), via=four_times), 3)
        self.assertEqual(self.relays.quota.carried, 4)
        error = self.failed(client.connect(self.address(self.end, AWAY), via=four_times), ConnectFailed, 5)
        self.assertEqual((error.reason, self.relays.quota.carried), ("limit", 4))
        self.assertEqual(len(other._parts.relays.carried), 4)  # type: ignore[union-attr]

    def test_our_own_circuits_have_an_end(self) -> None:
        """Also those whose relays are named."""
        via = [self.gates[number % 5].uuid for number in range(CIRCUIT_HOPS_MAX + 1)]
        error = self.failed(self.client.connect(self.address(self.end, AWAY), via=via), ConnectFailed)
        self.assertEqual((error.reason, len(self.network.connections)), ("bad-path", 0))
        self.assertEqual(len(self.connect(via=via[:-1], seconds=3).path), CIRCUIT_HOPS_MAX)
