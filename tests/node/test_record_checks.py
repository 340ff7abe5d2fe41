"""Records in LINK_CREATE: what a relay does by a good one, and what records can cost it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from quantumgate.core.peer_records import network_of, sign
from quantumgate.crypto.identity import Identity
from quantumgate.node.node import Node
from quantumgate.node.record_checks import CHECKS_MAX
from quantumgate.wire.codes import LinkCode
from quantumgate.wire.limits import PEER_RECORD_DELEGATED_BYTES
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget
from quantumgate.wire.peer_records import PeerRecord
from tests.node.asking import AskingCase
from tests.node.circuits import AWAY
from tests.node.delegated import online_record
from tests.node.world import node_settings

LOW, LOW_PORT = "45.33.32.9", 443


def record_of(node: Node, *places: tuple[str, int], **changes: Any) -> bytes:
    """What this node would say of itself, good for an hour; ``changes`` are fields of the record."""
    identity, wall = node._parts.identity, int(node._world.wall_seconds())  # type: ignore[union-attr]
    plain = PeerRecord(network_of(b"QuantumGate"), identity.public.bundle, wall * 1000, wall + 3600,
                       endpoints=tuple(LinkEndpoint(*place) for place in places))
    return sign(identity, replace(plain, **changes)).encode()


class RecordCase(AskingCase):
    """``low`` listens at a port below 1024."""

    def setUp(self) -> None:
        super().setUp()
        self.low = self.node(LOW, settings=node_settings(listen=(f"tcp:{LOW_PORT}",), default_access="allow"))

    def by_record(self, record: bytes, node: Node | None = None, seconds: float = 1.0) -> tuple[list[int], list[int]]:
        """The codes of the gate's answers and ends, when it was asked for a node by this record."""
        outlet, _ = self.ask_for(LinkTarget((node or self.low).uuid, record=record))
        self.pass_time(seconds)
        return [code for code, _ in outlet.answers], outlet.ends

    def watch_looks(self) -> list[int]:
        """One item for each record that the gate looks at from now on."""
        looked: list[int] = []

        def watched(function: Any, *arguments: Any) -> Any:
            looked.append(1)
            return self.gate._world.elsewhere(function, *arguments)

        self.relays.record_checks._world = replace(self.gate._world, elsewhere=watched)
        return looked


class ReachingTests(RecordCase):
    def test_a_port_that_the_record_names(self) -> None:
        """The same place without a record is refused; with it a carrier is dialled."""
        outlet, _ = self.ask((LOW, LOW_PORT), uuid=self.low.uuid)
        self.pass_time(1)
        self.assertEqual((outlet.ends, self.dialled), ([LinkCode.POLICY], []))
        self.assertEqual(self.by_record(record_of(self.low, (LOW, LOW_PORT))), ([LinkCode.CONNECTED], []))
        self.assertEqual(self.dialled, [(LOW, LOW_PORT)])

    def test_a_carrier_that_stands_needs_no_look_at_it(self) -> None:
        self.by_record(record_of(self.low, (LOW, LOW_PORT)))
        self.relays.record_checks = None  # type: ignore[assignment]
        self.assertEqual(self.by_record(b"no record"), ([LinkCode.CONNECTED], []))

    def test_a_record_that_names_no_place(self) -> None:
        self.assertEqual(self.by_record(record_of(self.low)), ([LinkCode.POLICY], [LinkCode.POLICY]))
        self.assertEqual((self.dialled, self.relays.refused["policy"]), ([], 1))

    def test_one_by_an_online_key_that_was_replaced(self) -> None:
        root = self.low._parts.identity  # type: ignore[union-attr]
        wall, place = self.gate.wall_seconds(), (LOW, LOW_PORT)
        (old, _), (new, serial) = (online_record(root, wall, place, later_serial=more) for more in (0, 1))
        state = self.gate._parts.state  # type: ignore[union-attr]
        state.pins[self.low.uuid], state.serials[self.low.uuid] = root.public.fingerprint_text, serial
        self.assertEqual(self.by_record(old), ([LinkCode.POLICY], [LinkCode.POLICY]))
        self.assertEqual((self.dialled, self.relays.refused["record"]), ([], 1))
        self.assertEqual(self.by_record(new), ([LinkCode.CONNECTED], []))

    def test_the_longest_record_there_is(self) -> None:
        """Of a peer that is not there: a carrier is dialled at its place, which only the record tells."""
        root = Identity.generate(4)
        record, _ = online_record(root, self.gate.wall_seconds(), (LOW, LOW_PORT), fill=PEER_RECORD_DELEGATED_BYTES)
        self.ask_for(LinkTarget(root.public.uuid, record=record))
        self.pass_time(1)
        self.assertEqual((self.dialled, self.relays.refused["record"]), ([(LOW, LOW_PORT)], 0))

    def test_a_node_of_another_network_takes_none_of_ours(self) -> None:
        other = record_of(self.low, (LOW, LOW_PORT), network=network_of(b"Another"))
        self.assertEqual(self.by_record(other), ([LinkCode.POLICY], [LinkCode.POLICY]))
        self.assertEqual((self.dialled, self.relays.refused["record"]), ([], 1))


class BudgetTests(RecordCase):
    def test_so_many_for_each_session(self) -> None:
        """Eight at once and one a second; beyond, code 3 and no look. Another session has its own."""
        looked = self.watch_looks()
        wrong = record_of(self.end, (AWAY, 9999))
        self.relays._client_of = lambda _: ("", True)  # type: ignore[method-assign]  # as over links: nothing by prefix
        codes = [self.by_record(wrong, seconds=0)[1] for _ in range(10)]
        self.pass_time(0.1)
        self.assertEqual((len(looked), [code for code in codes if code]), (8, [[LinkCode.POLICY]] * 8))
        self.assertEqual(self.relays.refused["link_record_rate"], 2)
        self.pass_time(12)
        self.assertEqual([code for code in codes if code == [LinkCode.UNREACHABLE]], [[LinkCode.UNREACHABLE]] * 2)
        self.by_record(wrong)
        self.assertEqual(len(looked), 9)
        self.entry.close()
        self.pass_time(20)
        self.assertEqual(self.relays.record_checks._budgets, {})

    def test_few_at_a_time(self) -> None:
        """Each holds a thread; a link that is given up meanwhile does not give its thread back before it is done."""
        waiting: list[Deferred[Any]] = []

        def slow(*_: Any) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        checks = self.relays.record_checks
        checks._world = replace(self.gate._world, elsewhere=slow)
        record = record_of(self.low, (LOW, LOW_PORT))
        links = [self.ask_for(LinkTarget(self.low.uuid, record=record))[0].link for _ in range(6)]
        self.pass_time(1)
        for link in links:
            link.close()
        self.entry.protocol.wake()
        self.pass_time(1)
        self.assertEqual((len(waiting), checks._under_way), (CHECKS_MAX, CHECKS_MAX))
        for one in waiting:
            one.callback(())
        self.assertEqual((checks._under_way, self.relays.quota.carried, self.dialled), (0, 1, []))

    def test_a_mistake_of_ours_is_told_in_the_log(self) -> None:
        """Found by reading: whatever broke on the way to a target looked like one that cannot be reached."""
        self.relays.record_checks.endpoints = lambda *_: Deferred()  # type: ignore[method-assign]
        _, ends = self.by_record(record_of(self.low, (LOW, LOW_PORT)), seconds=0)
        (carried,) = [one for one in self.relays.carried if not one.pipes]
        carried.way.errback(TypeError("an own one"))  # type: ignore[union-attr]
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.pass_time(13)
        self.assertEqual(ends, [LinkCode.UNREACHABLE])
