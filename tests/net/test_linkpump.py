"""A relayed session on a fake clock: the same events and the same end as over a socket, at two depths."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.connection import Connection
from quantumgate.core.events import ChannelOffered, Closed, LinkArrived, LinkAsked, Ready
from quantumgate.core.padding import cell_body_bytes
from quantumgate.core.relay.link import Link, splice
from quantumgate.core.session import Session
from quantumgate.core.session_settings import SessionSettings
from quantumgate.net.linkpump import LinkPump
from quantumgate.node.connections import circuit_limits
from quantumgate.wire.codes import LinkCode
from quantumgate.wire.limits import LINK_LAYER_BYTES
from tests.core.handshake.duel import SeededRandom
from tests.core.relay.tower import TARGET, TERMS, Tower
from tests.core.sessions import ECHO, PLAIN, Finished, established


class Owner:
    """What a node would be told."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.lost = 0
        self.received = bytearray()

    def connection_event(self, pump: Any, event: Any) -> None:
        self.events.append(event)
        if isinstance(event, ChannelOffered):
            channel = event.channel
            channel.on_data = lambda data: (self.received.extend(data), channel.consumed(len(data)))
            channel.accept()

    def was_lost(self) -> None:
        self.lost += 1

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class PumpTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.tower = Tower()
        self.clock.advance(self.tower.near.now)
        near, far = self.links()
        settings = replace(PLAIN, limits=circuit_limits(PLAIN.limits)).in_cells(1)
        self.ours, self.theirs = Owner(), Owner()
        self.here = self.pump(near, self.ours, True, settings)
        self.there = self.pump(far, self.theirs, False, settings)
        self.turn()

    def links(self) -> tuple[Link, Link]:
        tower = self.tower
        near = tower.alice.session.all_links.ask(TARGET)
        tower.pump()
        onward = tower.gate_far.session.all_links.bring()
        tower.pump()
        asked = tower.gate_near.of(LinkAsked)[0].link
        asked.answer(LinkCode.CONNECTED, TERMS)
        splice(asked, onward)
        tower.pump()
        return near, tower.dora.of(LinkArrived)[0].link

    def pump(self, link: Link, owner: Owner, initiator: bool, settings: SessionSettings) -> LinkPump:
        block = settings.block()
        changes: dict[str, Any] = {} if initiator else {"peer_session": block.encode()}
        shake: Any = Finished(established(initiator, **changes))
        luck = SeededRandom(("inner", initiator))
        connection = Connection(shake, settings, block, luck, self.clock.seconds())
        pump = LinkPump(connection, owner, link, self.clock, lost=owner.was_lost)
        pump.start()
        return pump

    def turn(self, rounds: int = 20) -> None:
        for _ in range(rounds):
            self.clock.advance(0)
            self.tower.pump(2000)

    def session(self, pump: LinkPump) -> Any:
        return pump.connection.session

    def test_both_are_ready(self) -> None:
        self.assertEqual((len(self.ours.of(Ready)), len(self.theirs.of(Ready))), (1, 1))

    def test_a_stream_through_the_relay(self) -> None:
        channel = self.session(self.here).open_channel(ECHO, stream=True)
        self.turn()
        data = SeededRandom("stream").bytes(700_000)
        for at in range(0, len(data), 70_000):
            channel.write(data[at : at + 70_000])
        self.turn()
        self.assertEqual(bytes(self.theirs.received), data)

    def test_every_record_on_the_outer_wire_is_a_cell(self) -> None:
        sizes: set[int] = set()
        outer, seal = self.tower.alice.session, Session.seal_next

        def watched(session: Session, buffer: memoryview, now: float) -> int:
            size = seal(session, buffer, now)
            if session is outer and size:
                sizes.add(size)
            return size

        self.patch(Session, "seal_next", watched)
        channel = self.session(self.here).open_channel(ECHO, stream=True)
        for size in (1, 900, 1000, 5000, 100_000):
            channel.write(bytes(size))
            self.turn()
        self.assertEqual(sizes, {1024, 16_384})
        self.assertEqual(len(self.theirs.received), 106_901)

    def test_cells_go_out_several_at_a_time_but_never_more_than_may_wait(self) -> None:
        connection, sizes = self.tower.alice.connection, []
        ask = Connection.data_to_send

        def watched(it: Connection, now: float) -> memoryview | None:
            data = ask(it, now)
            if data is not None and it is connection:
                sizes.append(len(data))
            return data

        self.patch(Connection, "data_to_send", watched)
        channel = self.session(self.here).open_channel(ECHO, stream=True)
        self.turn()
        for _ in range(6):
            channel.write(bytes(100_000))
        self.turn()
        self.assertEqual(len(self.theirs.received), 600_000)
        self.assertTrue(16_384 < max(sizes) <= 128 * 1024, sizes)

    def test_inner_records_are_made_and_opened_in_the_outer_ones(self) -> None:
        """No buffer of their own: in bulk every byte of a circuit is copied once for all layers."""
        channel = self.session(self.here).open_channel(ECHO, stream=True)
        self.turn()
        sealed, opened = [], []
        seal, receive = Connection._seal, Connection.receive
        self.patch(Connection, "_seal", lambda it, *rest: (sealed.append(it), seal(it, *rest)))
        self.patch(Connection, "receive", lambda it, *rest: (opened.append(it), receive(it, *rest))[1])
        for _ in range(6):
            channel.write(bytes(100_000))
        self.turn()
        self.assertEqual(len(self.theirs.received), 600_000)
        inner = (self.here.connection, self.there.connection)
        self.assertLess(sum(it in inner for it in sealed), 10)
        self.assertEqual(sum(it in inner for it in opened), 0)

    def test_close_reaches_the_other_end_then_the_link_goes(self) -> None:
        self.here.connection.close(now=self.clock.seconds())
        self.turn()
        self.assertEqual([(event.by, event.clean) for event in self.theirs.of(Closed)], [("remote", True)])
        self.assertEqual((self.ours.lost, self.theirs.lost), (1, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_lost_hop_is_told_with_a_reason(self) -> None:
        for side in self.tower.far.sides:
            side.connection.eof(self.tower.far.now)
        self.turn()
        self.assertEqual([event.clean for event in self.ours.of(Closed)], [False])
        self.assertEqual((self.ours.lost, self.theirs.lost), (1, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_dead_circuit_is_closed_at_once(self) -> None:
        """A flipped byte: the next honest end says nothing more and gives the link up, without a drain. [A30]"""
        self.there.link.receive(memoryview(bytes(2000)))
        self.turn()
        self.assertEqual(self.theirs.of(Closed)[0].reason, "damaged")
        self.assertEqual((self.ours.lost, self.theirs.lost), (1, 1))

    def test_timers_of_the_inner_session_run(self) -> None:
        """Circuits are asked for life after 60 to 120 s of silence."""
        self.session(self.here).keep = True
        for second in range(121):
            self.clock.advance(1)
            self.turn(3)
            if second < 59:
                self.assertIsNone(self.session(self.here).rtt_seconds)
        self.assertIsNotNone(self.session(self.here).rtt_seconds)

    def test_abort(self) -> None:
        self.here.abort()
        self.turn()
        self.assertEqual((self.ours.lost, self.theirs.lost), (1, 1))


class DeeperTests(SynchronousTestCase):
    def test_cells_of_each_depth_nest(self) -> None:
        for depth in range(5):
            outer, inner = cell_body_bytes(depth), cell_body_bytes(depth + 1)
            self.assertEqual([a - b for a, b in zip(outer, inner, strict=True)], [LINK_LAYER_BYTES] * 2)
