"""Row 25 of docs/attacks.md, delegations apart: nameless peers that ask for more, and a clock that jumps by a day."""

from __future__ import annotations

from quantumgate.core.events import ChannelOffered, LinkArrived
from quantumgate.core.handshake import Established
from quantumgate.core.session import Session
from quantumgate.errors import ConnectFailed
from quantumgate.wire import frames, link_frames
from quantumgate.wire.codes import CloseCode
from tests.attacks.reactions import SessionReactionTestCase
from tests.attacks.test_rows_01_13_exchange import ReactionTestCase
from tests.core.handshake.duel import Duel, settings
from tests.core.relay.tower import CELLS
from tests.core.sessions import ECHO, Mallory
from tests.node.circuits import AWAY, HOME
from tests.node.world import NodeCase

HOUR = 3600.0


class Row25HandshakeTests(ReactionTestCase):
    """What somebody without a name may come as."""

    def test_as_a_peer(self) -> None:
        """Refused where peers must have names, which is the default; without asking anybody."""
        duel = Duel(anonymous=True, role=1).run()
        outcome = duel.responder.outcome
        assert isinstance(outcome, Established) and outcome.verdict is not None
        self.assertEqual((outcome.verdict.admitted, outcome.verdict.code), (False, CloseCode.ACCESS_DENIED))

    def test_as_a_relays_client(self) -> None:
        """The only role that is open to the nameless; whether we are a relay is the node's to say."""
        duel = Duel(anonymous=True, role=2).run()
        self.assertEqual([request.role for request in duel.responder.requests] or [duel.responder.outcome.role], [2])

    def test_as_a_carrier(self) -> None:
        duel = Duel(anonymous=True, role=3).run()
        self.assert_responder_drains(duel.responder)

    def test_roles_that_are_not_there(self) -> None:
        for role in (0, 4, 200):
            duel = Duel(r=settings("bob"), anonymous=True, role=role).run()
            self.assert_responder_drains(duel.responder, role)


class Row25ChannelTests(SessionReactionTestCase):
    """A session that is there for links is for nothing else."""

    def test_channels_on_a_session_of_links(self) -> None:
        opening = frames.ChannelOpen(ECHO, True, 2, b"").encode()
        for role, nameless in ((2, True), (2, False), (3, False)):
            for said in (
                frames.frame(frames.CH_OPEN, opening, 1),
                frames.frame(frames.EXT_UPDATE, b"", flags=frames.WHOLE),
            ):
                mallory = Mallory(settings=CELLS, role=role)
                if nameless:
                    mallory.side.session.peer = None
                mallory.say(said)
                self.closed(mallory, CloseCode.VIOLATION, (role, nameless))
                self.assertEqual(mallory.side.of(ChannelOffered), [])

    def test_links_brought_by_a_nameless_client(self) -> None:
        mallory = Mallory(settings=CELLS, role=2)
        mallory.side.session.peer = None
        mallory.say(frames.frame(link_frames.LINK_INCOMING, b"", 1))
        self.closed(mallory, CloseCode.VIOLATION)
        self.assertEqual(mallory.side.of(LinkArrived), [])


class Row25ClockTests(NodeCase):
    """Our clock jumps by a day: sessions run on, new ones as far as the window goes, and then none, with a word."""

    def test_a_day_forward(self) -> None:
        client, node = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(client.connect(self.address(node, AWAY)))
        self.drifts[node].seconds += 24 * HOUR
        pings: list[float] = []
        ping = Session.ping_urgently
        self.patch(Session, "ping_urgently", lambda session, now: (pings.append(now), ping(session, now))[1])
        self.pass_time(5.1)
        self.assertEqual(len(pings), 1)  # at once: is everybody still there?
        self.assertTrue(any("the clock jumped by 86400 s" in line for line in self.lines("warn")), self.lines("warn"))
        self.pass_time(30)
        self.assertEqual((len(client.peers), len(node.peers)), (1, 1))
        other = self.node("192.0.2.9", listen=())
        self.done(other.connect(self.address(node, AWAY)), 1)
        self.assertEqual(len(node.peers), 2)

    def test_beyond_the_window(self) -> None:
        """26 h and more: sessions stand, strangers look like replays and are not answered, and the log has said why."""
        client, node = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(client.connect(self.address(node, AWAY)))
        self.drifts[node].seconds += 27 * HOUR
        self.pass_time(10)
        self.assertEqual((len(client.peers), len(node.peers)), (1, 1))
        self.assertTrue(any("the clock jumped by 97200 s" in line for line in self.lines("warn")))
        other = self.node("192.0.2.9", listen=())
        error = self.failed(other.connect(self.address(node, AWAY)), ConnectFailed, 60)
        self.assertEqual((error.reason, len(node.peers)), ("no-answer", 1))

    def test_a_day_back(self) -> None:
        """Peers are a day ahead of us then: their first flights wait for a time that has not come."""
        client, node = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(client.connect(self.address(node, AWAY)))
        self.drifts[node].seconds -= 24 * HOUR
        self.pass_time(30)
        self.assertEqual((len(client.peers), len(node.peers)), (1, 1))
        other = self.node("192.0.2.9", listen=())
        error = self.failed(other.connect(self.address(node, AWAY)), ConnectFailed, 60)
        self.assertEqual((error.reason, len(node.peers)), ("no-answer", 1))
