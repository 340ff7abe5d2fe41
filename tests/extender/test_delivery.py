"""Messages: taken or waiting in order, bounded, failing with a reason, and held back while the receiver is busy."""

from __future__ import annotations

from traceback import walk_tb
from typing import Any
from uuid import UUID

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import ChannelReset, LimitError, LocalError, SessionClosed
from quantumgate.extender import delivery
from quantumgate.wire.codes import ResetCode
from tests.extender.fakes import MAX_MESSAGE_BYTES, FakeChannel
from tests.extender.guests import Boom, Meeting, Notes

BIG = bytes(FakeChannel.mark_bytes)
UUID_OF_NOTES = UUID(int=1)


class Case(SynchronousTestCase):
    """Two guests that take notes."""

    def setUp(self) -> None:
        self.meeting = Meeting()
        self.host, self.peer, self.right = self.meeting.host, self.meeting.peer, self.meeting.right
        assert self.meeting.link is not None
        self.link = self.meeting.link
        self.ours, self.theirs = self.link.sessions

    def hold(self) -> Deferred[None]:
        """The receiver is busy with its next message until this fires."""
        busy: Deferred[None] = Deferred()
        self.right.answer = lambda: busy
        return busy

    def fill(self) -> list[Deferred[None]]:
        """One message taken, three that wait."""
        return [self.host.send(self.peer, b"%d" % number + BIG) for number in range(4)]


class SendTests(Case):
    """``send``, the way that waits."""

    def test_taken(self) -> None:
        """Fires at once while there is room; arrives whole and in order, empty ones too."""
        messages = [b"", b"one", bytearray(b"two"), memoryview(b"three"), type("B", (bytes,), {})(b"four")]
        for message in messages:
            self.successResultOf(self.host.send(self.peer, message))
        self.meeting.settle()
        self.assertEqual(self.right.messages, [b"", b"one", b"two", b"three", b"four"])
        self.assertEqual(len(self.ours.channels), 1)

    def test_waits_in_order(self) -> None:
        """While the channel is full Deferreds wait; each fires when its message was taken, first come, first served."""
        order: list[int] = []
        for number, sent in enumerate(self.fill()):
            sent.addCallback(lambda _, number=number: order.append(number))
        self.assertEqual(order, [0])
        self.meeting.settle()
        self.assertEqual(order, [0, 1, 2, 3])
        self.assertEqual([message[:1] for message in self.right.messages], [b"0", b"1", b"2", b"3"])

    def test_offer_does_not_overtake(self) -> None:
        """While a send waits, offer is refused; afterwards it goes the fast way again."""
        self.fill()
        self.assertFalse(self.host.offer(self.peer, b"late"))
        self.meeting.settle()
        self.assertTrue(self.host.offer(self.peer, b"late"))
        self.assertIn(self.peer, self.host._senders)
        self.meeting.settle()
        self.assertEqual(self.right.messages[-1], b"late")

    def test_withdrawn(self) -> None:
        """A cancelled send is not sent; the others are."""
        sent = self.fill()
        sent[2].cancel()
        self.failureResultOf(sent[2], CancelledError)
        self.meeting.settle()
        self.assertEqual([message[:1] for message in self.right.messages], [b"0", b"1", b"3"])

    def test_bounds(self) -> None:
        """The queue has a number for messages and one for bytes; both are named when they are reached."""
        waiting = [self.host.send(self.peer, BIG)]
        waiting += [self.host.send(self.peer, b"x") for _ in range(delivery.WAITING_MESSAGES)]
        error = self.failureResultOf(self.host.send(self.peer, b"x"), LimitError).value
        self.assertEqual((error.name, error.value), ("waiting_messages", delivery.WAITING_MESSAGES))
        self.meeting.settle()
        for sent in waiting:
            self.successResultOf(sent)

    def test_bytes_bound(self) -> None:
        self.patch(delivery, "WAITING_BYTES", 3 * len(BIG))
        waiting = [self.host.send(self.peer, BIG) for _ in range(4)]
        error = self.failureResultOf(self.host.send(self.peer, b"x"), LimitError).value
        self.assertEqual(error.name, "waiting_bytes")
        self.assertTrue(all(not sent.called for sent in waiting[1:]))

    def test_too_long_a_message(self) -> None:
        """Fails with the limit's name, and the channel goes on; offer says no."""
        sent = self.host.send(self.peer, bytes(MAX_MESSAGE_BYTES + 1))
        self.assertEqual(self.failureResultOf(sent, LimitError).value.name, "max_message_bytes")
        self.assertFalse(self.host.offer(self.peer, bytes(MAX_MESSAGE_BYTES + 1)))
        self.assertTrue(self.host.offer(self.peer, b"x"))

    def test_wrong_arguments(self) -> None:
        """Each fails with what was expected; nothing is sent."""
        forever = float("inf")
        wrong = [("text",), (None,), (b"", True, 0), (b"", True, 4), (b"", True, 2, -1), (b"", True, 2, forever)]
        for arguments in wrong:
            self.failureResultOf(self.host.send(self.peer, *arguments), LocalError)
        self.assertFalse(self.host.offer(self.peer, "text"))
        self.failureResultOf(self.host.send(object(), b"x"), LocalError)
        self.assertFalse(self.host.offer(object(), b"x"))
        self.assertEqual(self.ours.sent, [])

    def test_priorities(self) -> None:
        """A channel for each priority."""
        for priority in (3, 1, 2, 1):
            self.host.send(self.peer, b"x", priority=priority)
        self.assertEqual([channel.priority for channel in self.ours.channels], [3, 1, 2])

    def test_no_room_for_a_channel(self) -> None:
        """The core's refusal is the Deferred's failure."""
        self.ours.most_channels = 0
        self.failureResultOf(self.host.send(self.peer, b"x"), LimitError)
        self.assertFalse(self.host.offer(self.peer, b"x"))
        self.ours.most_channels = 1
        self.successResultOf(self.host.send(self.peer, b"x"))

    def test_compression(self) -> None:
        """On by default, off for one message, or for all of an extender that says so."""
        self.host.send(self.peer, b"a")
        self.host.send(self.peer, b"b", compress=False)
        self.assertEqual(self.ours.sent, [(b"a", True), (b"b", False)])
        quiet = Meeting(compression=False)
        assert quiet.link is not None
        quiet.host.send(quiet.peer, b"a")
        quiet.host.offer(quiet.peer, b"b")
        quiet.host.offer(quiet.peer, b"c")
        self.assertEqual({compress for _, compress in quiet.link.sessions[0].sent}, {False})


class DelayTests(Case):
    """``send`` with a delay."""

    def test_later(self) -> None:
        """Not queued before, then at the lowest class."""
        sent = self.host.send(self.peer, b"x", delay=3)
        self.meeting.clock.advance(2.9)
        self.assertEqual((self.ours.channels, sent.called), ([], False))
        self.meeting.clock.advance(0.1)
        self.successResultOf(sent)
        self.assertEqual(self.ours.channels[0].priority, 3)

    def test_withdrawn(self) -> None:
        sent = self.host.send(self.peer, b"x", delay=3)
        sent.cancel()
        self.failureResultOf(sent, CancelledError)
        self.assertEqual(self.meeting.clock.getDelayedCalls(), [])

    def test_waits_when_due(self) -> None:
        """A full channel then holds it like any other."""
        sent = self.host.send(self.peer, b"x", delay=3)
        for _ in range(2):
            self.host.send(self.peer, BIG, priority=3)
        self.meeting.clock.advance(3)
        self.assertNoResult(sent)
        self.meeting.settle()
        self.successResultOf(sent)

    def test_bound(self) -> None:
        for _ in range(delivery.WAITING_MESSAGES):
            self.host.send(self.peer, b"x", delay=3).addErrback(lambda _: None)
        self.failureResultOf(self.host.send(self.peer, b"x", delay=3), LimitError)

    def test_peer_leaves(self) -> None:
        sent = self.host.send(self.peer, b"x", delay=3)
        self.link.close()
        self.failureResultOf(sent, SessionClosed)
        self.assertEqual(self.meeting.clock.getDelayedCalls(), [])


class EndTests(Case):
    """Every Deferred fires, with a reason."""

    def test_session_closes(self) -> None:
        """What waits fails; later sends fail, too."""
        waiting = self.fill()
        self.link.close(reason="bye")
        for sent in waiting[1:]:
            self.assertIn("bye", str(self.failureResultOf(sent, SessionClosed).value))
        self.failureResultOf(self.host.send(self.peer, b"x"), LocalError)
        self.assertFalse(self.host.offer(self.peer, b"x"))

    def test_send_from_an_errback(self) -> None:
        """A guest that tries again at once gets its answer at once."""
        again: list[Any] = []
        for sent in self.fill():
            sent.addErrback(lambda _: again.append(self.host.send(self.peer, b"x")))
        self.link.close()
        for late in again[1:]:
            self.failureResultOf(late)
        self.failureResultOf(again[0])

    def test_peer_resets_the_channel(self) -> None:
        """What waits fails with the code; so do sends for a second, then a new channel is opened."""
        waiting = self.fill()
        self.link.due.clear()
        self.theirs.channels[0].reset(ResetCode.LIMIT, "too much")
        self.link.due.popleft()()
        for sent in waiting[1:]:
            self.assertEqual(self.failureResultOf(sent, ChannelReset).value.code, ResetCode.LIMIT)
        self.failureResultOf(self.host.send(self.peer, b"x"), ChannelReset)
        self.assertFalse(self.host.offer(self.peer, b"x"))
        self.assertEqual(self.ours.channels, [])
        self.meeting.clock.advance(delivery.REOPEN_SECONDS)
        self.assertTrue(self.host.offer(self.peer, b"x"))
        self.assertEqual(len(self.ours.channels), 1)

    def test_peer_finishes_the_channel(self) -> None:
        """Not a reset, but nothing can be sent either."""
        self.host.send(self.peer, b"x")
        self.ours.channels[0].end(None)
        self.failureResultOf(self.host.send(self.peer, b"x"), LocalError)


class RefusalTests(SynchronousTestCase):
    def test_a_thousand_sends_after_the_end_do_not_make_its_reason_longer(self) -> None:
        """A peer that pours in what is to be echoed, and is gone, decides how many there are."""
        outbox = delivery.Outbox(object(), (UUID_OF_NOTES, 2), Clock(), True, lambda _: None)  # type: ignore[arg-type]
        outbox.end(SessionClosed("over"))
        for _ in range(1000):
            error = self.failureResultOf(outbox.send(b"x")).value
        self.assertLess(len(list(walk_tb(error.__traceback__))), 5)


class ReceiveTests(Case):
    """What ``message_received`` returns is back-pressure."""

    def test_one_at_a_time(self) -> None:
        """While its Deferred is unfired, nothing more is delivered from that peer."""
        busy = self.hold()
        for number in range(3):
            self.host.send(self.peer, b"%d" % number)
        self.meeting.settle()
        self.assertEqual(self.right.messages, [b"0"])
        self.right.answer = None
        busy.callback(None)
        self.meeting.settle()
        self.assertEqual(self.right.messages, [b"0", b"1", b"2"])

    def test_stops_the_sender(self) -> None:
        """A reader that is stuck leaves the writer's sends waiting once window and queue are full; nothing is lost."""
        busy = self.hold()
        sent = [self.host.send(self.peer, b"x" * 1000) for _ in range(40)]
        self.meeting.settle()
        taken = sum(each.called for each in sent)
        self.assertLess(taken, 20)
        self.right.answer = None
        busy.callback(None)
        self.meeting.settle()
        self.assertEqual((sum(each.called for each in sent), len(self.right.messages)), (40, 40))

    def test_done_already(self) -> None:
        """A Deferred that has fired, or a coroutine that ran through, holds nothing."""

        async def work() -> None:
            pass

        for answer in (work, lambda: self.meeting.other.send(self.meeting.back, b"answer"), lambda: 5):
            self.right.answer = answer
            self.host.send(self.peer, b"x")
            self.meeting.settle()
        self.assertFalse(self.theirs.channels[0].busy)
        self.assertEqual(len(self.right.messages), 3)

    def test_fails_later(self) -> None:
        """The fault is noted, and the next message comes."""
        busy = self.hold()
        self.host.send(self.peer, b"a")
        self.host.send(self.peer, b"b")
        self.meeting.settle()
        self.right.answer = None
        busy.errback(Boom())
        self.meeting.settle()
        self.assertEqual(self.right.messages, [b"a", b"b"])
        self.assertEqual(len(self.flushLoggedErrors(Boom)), 1)

    def test_generator(self) -> None:
        """A method that forgot its inlineCallbacks is told so; the peer is not held up."""
        self.right.answer = lambda: (x for x in ())
        self.host.send(self.peer, b"a")
        self.host.send(self.peer, b"b")
        self.meeting.settle()
        self.assertEqual(len(self.right.messages), 2)
        self.assertIn("inlineCallbacks", self.meeting.right_host.snapshot()[0].reason)
        self.flushLoggedErrors(TypeError)

    def test_done_after_the_end(self) -> None:
        """A guest that finishes when its peer has gone disturbs nobody."""
        busy = self.hold()
        self.host.send(self.peer, b"x")
        self.meeting.settle()
        self.link.close()
        busy.callback(None)
        self.assertEqual(self.right.messages, [b"x"])

    def test_both_ways_at_once(self) -> None:
        """An echo of a thousand messages, each returned Deferred waited for."""
        self.right.answer = lambda: self.meeting.other.send(self.meeting.back, self.right.messages[-1])
        sent = [self.host.send(self.peer, b"%d" % number) for number in range(1000)]
        self.meeting.settle()
        for each in sent:
            self.successResultOf(each)
        self.assertEqual(self.meeting.left.messages, [b"%d" % number for number in range(1000)])


class AnonymousTests(SynchronousTestCase):
    """Peers without identity."""

    def test_only_where_it_is_allowed(self) -> None:
        """An extender that is not marked anonymous never hears of them; the channel is reset."""
        meeting = Meeting(anonymous_left=True)
        assert meeting.link is not None
        meeting.host.send(meeting.peer, b"x")
        meeting.settle()
        self.assertEqual((meeting.right.calls, meeting.right.messages), ([], []))
        self.failureResultOf(meeting.host.send(meeting.peer, b"y"), ChannelReset)

    def test_marked(self) -> None:
        """It arrives with its first channel, before its first message, and can be answered."""
        meeting = Meeting(anonymous_left=True, anonymous=True)
        self.assertEqual(meeting.right.calls, [])
        meeting.host.send(meeting.peer, b"x")
        meeting.settle()
        self.assertEqual((meeting.right.calls, meeting.right.messages), ([("arrived", meeting.back)], [b"x"]))
        self.successResultOf(meeting.other.send(meeting.back, b"answer"))
        meeting.settle()
        self.assertEqual(meeting.left.messages, [b"answer"])


class NotesTests(SynchronousTestCase):
    """The fakes themselves keep the contract where the tests rely on it."""

    def test_full_channel_takes_one_of_any_size(self) -> None:
        meeting = Meeting(Notes)
        self.successResultOf(meeting.host.send(meeting.peer, bytes(4 * len(BIG))))
        self.assertNoResult(meeting.host.send(meeting.peer, b"x"))
