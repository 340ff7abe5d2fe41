"""All guests together: who hears of whom, in which order, and what one of them cannot do to the others."""

from __future__ import annotations

from typing import Any
from uuid import UUID as Uuid
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import LocalError
from quantumgate.extender.host import ExtenderHost
from quantumgate.extender.registry import Registration, registered
from quantumgate.wire.codes import ResetCode
from tests.extender.fakes import FakeLandlord, FakePeer, FakeSession, Link, started
from tests.extender.guests import OTHER_UUID, UUID, Boom, Meeting, Notes, making


class PeersTests(SynchronousTestCase):
    """Arrivals and departures."""

    def setUp(self) -> None:
        self.meeting = Meeting(linked=False)
        self.host, self.guest = self.meeting.left_host, self.meeting.left
        self.peer = FakePeer("peer")
        self.session: Any = FakeSession(None, frozenset())  # type: ignore[arg-type]

    def lists(self, *uuids: str) -> None:
        self.session.peer_extenders = frozenset(map(Uuid, uuids))

    def test_only_those_that_run_it(self) -> None:
        """A peer without the extender is not announced, and cannot be sent to."""
        self.host.session_ready(self.peer, self.session)
        self.assertEqual((self.guest.calls, self.meeting.host.peers()), ([], []))
        self.failureResultOf(self.meeting.host.send(self.peer, b"x"), LocalError)

    def test_arrives_and_leaves(self) -> None:
        self.lists(UUID)
        self.host.session_ready(self.peer, self.session)
        self.host.session_closed(self.peer, "idle")
        self.host.session_closed(self.peer, "idle")
        self.assertEqual(self.guest.calls, [("arrived", self.peer), ("left", self.peer, "idle")])

    def test_list_changes(self) -> None:
        """When the peer switches the extender on or off, it arrives or leaves; once each."""
        self.host.session_ready(self.peer, self.session)
        for uuids in ((UUID,), (UUID, OTHER_UUID), (OTHER_UUID,), (), (UUID,)):
            self.lists(*uuids)
            self.host.extenders_changed(self.peer, self.session)
        words = [call[0] for call in self.guest.calls]
        self.assertEqual(words, ["arrived", "left", "arrived"])
        self.assertEqual(self.guest.calls[1][2], "switched off there")

    def test_newer_session(self) -> None:
        """The same peer with another session: the old one ends before the new one begins."""
        self.lists(UUID)
        self.host.session_ready(self.peer, self.session)
        self.host.session_ready(self.peer, self.session)
        self.assertEqual([call[0] for call in self.guest.calls], ["arrived", "left", "arrived"])

    def test_guest_that_starts_late(self) -> None:
        """It hears of the peers that are there; the node is told that its list changed, both ways."""
        self.host.stop_guest("notes")
        self.lists(UUID)
        self.host.session_ready(self.peer, self.session)
        landlord: Any = self.host._landlord
        changes = landlord.changes
        self.host.start_guest("notes")
        self.assertEqual(self.host.instance("notes").calls, [("arrived", self.peer)])
        self.assertEqual((landlord.changes, self.host.uuids()), (changes + 1, (Uuid(UUID),)))
        self.host.stop_guest("notes")
        self.assertEqual((landlord.changes, self.host.uuids()), (changes + 2, ()))

    def test_nobody_before_the_start_has_finished(self) -> None:
        """No peer is announced, no channel taken, while a guest starts."""
        waiting: Deferred[None] = Deferred()
        factory = type("Slow", (Notes,), {"start": lambda self, host: waiting})
        host = ExtenderHost([registered(making(factory))], FakeLandlord(self.meeting.clock))
        host.start()
        guest = host.instance("notes")
        self.lists(UUID)
        host.session_ready(self.peer, self.session)
        self.assertEqual((guest.calls, host.uuids()), ([], ()))
        waiting.callback(None)
        self.assertEqual(guest.calls, [("arrived", self.peer)])

    def test_nameless_peer_that_lists(self) -> None:
        """A peer without identity is not announced to an extender that is not for such peers, whatever it lists."""
        self.lists(UUID)
        self.host.session_ready(FakePeer("x", anonymous=True), self.session)
        self.assertEqual(self.guest.calls, [])

    def test_leaves_while_it_is_announced(self) -> None:
        """A guest that disconnects a peer inside ``peer_arrived`` harms nobody."""

        class Shy(Notes):
            def peer_arrived(self, peer: Any) -> None:
                host.session_closed(peer, "sent away")

        host = started(Clock(), registered(making(Shy)))
        self.lists(UUID)
        host.session_ready(self.peer, self.session)
        self.assertEqual(host.guest_host("notes").peers(), [])


class ChannelTests(SynchronousTestCase):
    """Channels that nobody takes."""

    def test_nobody_there(self) -> None:
        """Unknown extender, unknown peer: no such service."""
        meeting = Meeting()
        assert meeting.link is not None
        channel = meeting.link.sessions[0].open_channel(uuid4(), stream=True)
        meeting.settle()
        self.assertEqual((channel.closed, channel.twin.reset_code), (True, ResetCode.NO_SUCH_SERVICE))
        channel = meeting.link.sessions[0].open_channel(Uuid(UUID), stream=True)
        meeting.right_host.channel_opened(FakePeer("stranger"), channel.twin)
        self.assertEqual(channel.twin.reset_code, ResetCode.NO_SUCH_SERVICE)

    def test_not_listed(self) -> None:
        """A peer whose list is late arrives with its first channel; a list without it later does not send it away."""
        meeting = Meeting()
        assert meeting.link is not None
        host, peer = meeting.right_host, FakePeer("late")
        session: Any = meeting.link.sessions[1]
        session.peer_extenders = frozenset()
        host.session_ready(peer, session)
        channel = meeting.link.sessions[0].open_channel(Uuid(UUID), stream=False)
        meeting.link.due.clear()
        host.channel_opened(peer, channel.twin)
        host.extenders_changed(peer, session)
        self.assertEqual([call for call in meeting.right.calls if call[1] is peer], [("arrived", peer)])


class NeighboursTests(SynchronousTestCase):
    """Several guests in one node."""

    def setUp(self) -> None:
        self.clock = Clock()

    def test_one_breaks_the_others_run(self) -> None:
        """A guest that fails to start, one that fails later and one that could not be loaded leave the fourth alone."""

        class Bad(Notes):
            def message_received(self, peer: Any, message: bytes) -> None:
                raise Boom

        class Worse(Notes):
            def start(self, host: Any) -> None:
                raise SystemExit(1)

        third = str(uuid4())
        rows = [
            registered(making(Notes)),
            registered(making(Bad, "bad", OTHER_UUID)),
            registered(making(Worse, "worse", third)),
            Registration("broken", "some-package", "1", enabled=True, problem="ImportError: no"),
            Registration("idle", "some-package", "1"),
        ]
        left, right = started(self.clock, *rows), started(self.clock, *rows)
        link = Link(left, right)
        for name in ("notes", "bad"):
            for _ in range(6):
                left.guest_host(name).offer(link.peers[0], b"x")
        link.pump()
        self.clock.advance(0)
        link.pump()
        states = {row.name: row.state for row in right.snapshot()}
        expected = {"notes": "running", "bad": "quarantined", "worse": "failed", "broken": "failed"}
        self.assertEqual(states, {**expected, "idle": "not enabled"})
        self.assertEqual(len(right.instance("notes").messages), 6)
        self.assertEqual(right.uuids(), (Uuid(UUID),))
        self.flushLoggedErrors(Boom, SystemExit)

    def test_snapshot_of_the_unusable(self) -> None:
        rows = [Registration("broken", "some-package", "1", enabled=True, problem="ImportError: no")]
        (row,) = ExtenderHost(rows, FakeLandlord(self.clock)).snapshot()
        self.assertEqual((row.state, row.reason, row.distribution), ("failed", "ImportError: no", "some-package"))

    def test_start_and_stop_together(self) -> None:
        """Both fire when the slowest guest is done."""
        slow: Deferred[None] = Deferred()
        rows = [
            registered(making(Notes)),
            registered(making(type("S", (Notes,), {"stop": lambda self: slow}), "s", OTHER_UUID)),
        ]
        host = started(self.clock, *rows)
        stopped = host.stop()
        self.assertNoResult(stopped)
        self.assertEqual([row.state for row in host.snapshot()], ["stopped", "stopping"])
        slow.callback(None)
        self.successResultOf(stopped)

    def test_streams_and_peers_are_counted(self) -> None:
        meeting = Meeting()
        from tests.extender.guests import Recorder

        meeting.host.open_stream(meeting.peer, Recorder())
        meeting.settle()
        (row,) = meeting.right_host.snapshot()
        self.assertEqual((row.peers, row.streams), (1, 1))
