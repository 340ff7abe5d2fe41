"""One guest's life: it starts and stops within limits, and whatever it raises stays inside and is counted."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import (
    ChannelReset,
    ConnectFailed,
    LimitError,
    LocalError,
    PeerAbsent,
    SessionClosed,
)
from quantumgate.extender.host import ExtenderHost
from quantumgate.extender.lifecycle import START_SECONDS, STOP_SECONDS
from quantumgate.extender.registry import registered
from quantumgate.wire.codes import ResetCode
from tests.extender.fakes import FakeLandlord, started
from tests.extender.guests import Boom, Broken, Meeting, Notes, Recorder, making


def broken(where: str, how: str = "at once", error: Any = Boom) -> type[Broken]:
    """A guest class that raises there."""
    return type("Broke", (Broken,), {"where": where, "how": how, "error": error})


class StartTests(SynchronousTestCase):
    """From made to running, or to failed with its reason."""

    def setUp(self) -> None:
        self.clock = Clock()

    def host(self, factory: Any, **more: Any) -> ExtenderHost:
        return started(self.clock, registered(making(factory, **more), distribution="package"))

    def test_running(self) -> None:
        """A guest that starts is running, its UUID is told, and its row is complete."""
        host = self.host(Notes, version="3", summary="takes notes")
        (row,) = host.snapshot()
        self.assertEqual((row.state, row.reason, row.version, row.distribution), ("running", "", "3", "package"))
        self.assertEqual((row.summary, row.peers, row.failures), ("takes notes", 0, 0))
        self.assertEqual([str(uuid) for uuid in host.uuids()], [row.uuid])

    def test_status(self) -> None:
        """What the guest says of itself is copied; what it cannot say properly is told in its place."""
        figures = {"connections": [1, 2], "state": "ready"}
        (row,) = self.host(type("Telling", (Notes,), {"status": lambda _: figures})).snapshot()
        self.assertEqual((row.status, row.status is figures), (figures, False))
        (row,) = self.host(Notes).snapshot()
        self.assertEqual(row.status, {})
        for wrong in (lambda _: {"object": object()}, lambda _: [1], lambda _: 1 / 0):
            host = self.host(type("Wrong", (Notes,), {"status": wrong}))
            for _ in range(9):
                (row,) = host.snapshot()
            self.assertEqual((list(row.status), row.state), (["error"], "running"))

    def test_failing_to_start(self) -> None:
        """In make and in start, at once or later, with an Exception or SystemExit: failed, with the reason."""
        manners = [(how, error) for how in ("at once", "Deferred", "async") for error in (Boom, SystemExit)]
        cases = [(broken("start", how, error), "start", error) for how, error in manners]

        def no_make() -> Any:
            raise SystemExit(4)

        for factory, where, error in [*cases, (no_make, "make", SystemExit)]:
            (row,) = self.host(factory).snapshot()
            self.assertEqual((row.state, row.failures), ("failed", 1), (where, error))
            self.assertIn(f"{error.__name__}: ", row.reason)
            self.assertTrue(row.reason.endswith(f", in {where}"), row.reason)
            self.assertEqual(len(self.flushLoggedErrors(error)), 1)

    def test_missing_methods(self) -> None:
        """All of them in one message."""

        class Half:
            def start(self) -> None: ...

        (row,) = self.host(Half).snapshot()
        self.assertEqual(row.state, "failed")
        for name in ("stop", "peer_arrived", "peer_left", "message_received", "stream_opened"):
            self.assertIn(f"{name}() is missing", row.reason)
        self.assertIn("start() doesn't allow enough arguments", row.reason)
        self.flushLoggedErrors(TypeError)

    def test_start_takes_too_long(self) -> None:
        """The host's start fires all the same."""
        waiting: Deferred[None] = Deferred()
        factory = type("Slow", (Notes,), {"start": lambda self, host: waiting})
        host = ExtenderHost([registered(making(factory))], FakeLandlord(self.clock))
        begun = host.start()
        self.assertEqual(host.snapshot()[0].state, "starting")
        self.assertNoResult(begun)
        self.clock.advance(START_SECONDS)
        self.successResultOf(begun)
        self.assertEqual(host.snapshot()[0].state, "failed")
        self.assertIn("not finished after 30 seconds", host.snapshot()[0].reason)
        self.flushLoggedErrors()

    def test_again_by_hand(self) -> None:
        """A failed guest can be started again, as a fresh instance."""
        made: list[Any] = []

        def second_time_lucky() -> Any:
            made.append(Notes() if made else broken("start")())
            return made[-1]

        host = self.host(second_time_lucky)
        self.flushLoggedErrors(Boom)
        self.successResultOf(host.start_guest("notes"))
        self.assertEqual((host.snapshot()[0].state, host.instance("notes")), ("running", made[1]))
        self.assertRaises(LocalError, host.start_guest, "nobody")

    def test_not_enabled_and_not_loadable(self) -> None:
        """Rows without a maker are shown, and starting does nothing to them."""
        row = registered(object())
        host = ExtenderHost([row], FakeLandlord(self.clock))
        self.successResultOf(host.start())
        self.assertEqual((host.snapshot()[0].state, host.uuids()), ("failed", ()))
        self.assertIn("IExtenderMaker", host.snapshot()[0].reason)


class StopTests(SynchronousTestCase):
    """Going down in order, whatever the guest does."""

    def test_stop(self) -> None:
        """The guest's stop is called once; then it is stopped, its clock and host are dead."""
        meeting = Meeting()
        meeting.host.clock.callLater(5, lambda: None)
        self.successResultOf(meeting.left_host.stop())
        self.assertEqual(meeting.left.calls[-1], ("stop",))
        self.assertEqual((meeting.left_host.snapshot()[0].state, meeting.left_host.uuids()), ("stopped", ()))
        self.failureResultOf(meeting.host.send(meeting.peer, b"x"), LocalError)
        self.assertFalse(meeting.host.offer(meeting.peer, b"x"))
        self.assertEqual(meeting.clock.getDelayedCalls(), [])
        self.successResultOf(meeting.left_host.stop())
        self.assertEqual(meeting.left.calls.count(("stop",)), 1)

    def test_last_words(self) -> None:
        """What a guest sends in its stop still arrives."""

        class Polite(Notes):
            def stop(self) -> Any:
                return self.host.send(self.host.peers()[0], b"goodbye")

        meeting = Meeting(Polite)
        self.successResultOf(meeting.left_host.stop())
        meeting.settle()
        self.assertEqual(meeting.right.messages, [b"goodbye"])

    def test_stop_raises_or_hangs(self) -> None:
        """It is noted, and the host stops all the same within the limit."""
        for how in ("at once", "Deferred", "async"):
            meeting = Meeting(broken("stop", how))
            self.successResultOf(meeting.left_host.stop())
            self.assertEqual(meeting.left_host.snapshot()[0].state, "stopped")
            self.assertEqual(len(self.flushLoggedErrors(Boom)), 1)
        meeting = Meeting(type("Hangs", (Notes,), {"stop": lambda self: Deferred()}))
        stopped, second = meeting.left_host.stop(), meeting.left_host.stop()
        self.assertEqual(meeting.left_host.snapshot()[0].state, "stopping")
        meeting.clock.advance(STOP_SECONDS)
        self.successResultOf(stopped)
        self.successResultOf(second)
        self.flushLoggedErrors()

    def test_stop_while_starting(self) -> None:
        """The start is cancelled; nothing comes of it later."""
        waiting: Deferred[None] = Deferred(lambda _: None)
        clock = Clock()
        host = ExtenderHost(
            [registered(making(type("Slow", (Notes,), {"start": lambda self, host: waiting})))], FakeLandlord(clock)
        )
        begun = host.start()
        self.successResultOf(host.stop())
        self.successResultOf(begun)
        clock.advance(START_SECONDS)
        self.assertEqual((host.snapshot()[0].state, clock.getDelayedCalls()), ("stopped", []))


class FaultTests(SynchronousTestCase):
    """What a guest raises while it runs."""

    def test_every_method_and_manner(self) -> None:
        """Logged, counted, and the guest runs on; the peer is not touched."""
        for where in ("peer_arrived", "peer_left", "message_received", "stream_opened"):
            for how in ("at once", "Deferred", "async"):
                for error in (Boom, SystemExit):
                    meeting = Meeting(right=broken(where, how, error))
                    assert meeting.link is not None
                    self.successResultOf(meeting.host.send(meeting.peer, b"x"))
                    stream = meeting.host.open_stream(meeting.peer, Recorder())
                    stream.addErrback(lambda _: None)
                    meeting.settle() if where != "stream_opened" else meeting.link.pump()
                    meeting.clock.advance(0)
                    if where == "peer_left":
                        meeting.link.close()
                    (row,) = meeting.right_host.snapshot()
                    self.assertEqual((row.state, row.failures), ("running", 1), (where, how, error))
                    self.assertIn(f"{error.__name__}: broken on purpose, in {where}", row.reason)
                    self.assertEqual(len(self.flushLoggedErrors(error)), 1)

    def test_what_a_peer_can_bring_about_is_no_fault(self) -> None:
        """A guest that answers, and peers that leave before the answer, or never read it: as often as they like."""
        absent = PeerAbsent("not here")
        for error in (SessionClosed("cut"), ChannelReset("no", 0x8000), LimitError("waiting_bytes", 1), absent,
                      ConnectFailed("no-answer", "no answer")):  # fmt: skip
            for how in ("at once", "Deferred", "async"):
                meeting = Meeting(right=broken("message_received", how, staticmethod(lambda _, it=error: it)))
                for _ in range(8):
                    meeting.host.offer(meeting.peer, b"x")
                meeting.settle()
                (row,) = meeting.right_host.snapshot()
                self.assertEqual((row.state, row.failures), ("running", 0), (error, how))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_an_echo_to_who_has_left(self) -> None:
        """The same from a guest that sends: the peer is gone when the answer is ready."""
        meeting = Meeting()
        assert meeting.link is not None
        held: list[Deferred[None]] = []

        async def echo() -> None:
            held.append(Deferred())
            await held[-1]
            await meeting.right.host.send(meeting.back, b"answer")

        meeting.right.answer = echo
        meeting.host.offer(meeting.peer, b"question")
        meeting.settle()
        meeting.link.close()
        self.assertEqual(len(held), 1)
        held[0].callback(None)
        (row,) = meeting.right_host.snapshot()
        self.assertEqual((row.state, row.failures), ("running", 0))

    def test_a_mistake_in_sending_is_the_guests_own(self) -> None:
        meeting = Meeting()
        meeting.right.answer = lambda: meeting.right.host.send(meeting.back, "no bytes")
        meeting.host.offer(meeting.peer, b"x")
        meeting.settle()
        self.assertEqual(meeting.right_host.snapshot()[0].failures, 1)
        self.assertEqual(len(self.flushLoggedErrors(LocalError)), 1)

    def test_interrupt_passes(self) -> None:
        """Ctrl-C belongs to the operator."""
        meeting = Meeting(right=broken("message_received", error=KeyboardInterrupt))
        meeting.host.offer(meeting.peer, b"x")
        self.assertRaises(KeyboardInterrupt, meeting.settle)

    def test_quarantine(self) -> None:
        """The fifth fault ends its service: channels reset with GUEST_FAILED, stop called, the node goes on."""
        meeting = Meeting(right=broken("message_received"))
        assert meeting.link is not None
        stream = meeting.host.open_stream(meeting.peer, protocol := Recorder())
        for number in range(8):
            self.successResultOf(meeting.host.send(meeting.peer, b"%d" % number))
        meeting.settle()
        self.successResultOf(stream)
        (row,) = meeting.right_host.snapshot()
        self.assertEqual((row.state, row.failures), ("quarantined", 5))
        self.assertIn("failed 5 times within 600 seconds, last: Boom: broken on purpose", row.reason)
        self.assertEqual((meeting.right.calls[-1], meeting.right_host.uuids()), (("stop",), ()))
        self.assertEqual(protocol.reasons[0].value.code, ResetCode.GUEST_FAILED)
        self.assertEqual(len(meeting.right.protocols[0].reasons), 1)
        self.assertEqual(len(self.flushLoggedErrors(Boom)), 5)
        self.assertEqual(meeting.link.sessions[1].channels, [])

    def test_out_of_quarantine(self) -> None:
        """By hand, with a fresh instance and a fresh count; peers that are there arrive again."""
        meeting = Meeting(right=broken("message_received"))
        for _ in range(5):
            meeting.host.offer(meeting.peer, b"x")
        meeting.settle()
        self.flushLoggedErrors(Boom)
        self.assertEqual(meeting.right_host.snapshot()[0].state, "quarantined")
        self.successResultOf(meeting.right_host.start_guest("notes"))
        self.assertEqual(meeting.right_host.instance("notes").calls, [("arrived", meeting.back)])
        meeting.clock.advance(2)
        meeting.host.offer(meeting.peer, b"x")
        meeting.settle()
        self.assertEqual(meeting.right_host.snapshot()[0].state, "running")
        self.assertEqual(len(self.flushLoggedErrors(Boom)), 1)

    def test_delayed_call(self) -> None:
        """What a guest's timer raises counts, too."""
        meeting = Meeting()
        meeting.host.clock.callLater(1, int, "x")
        meeting.clock.advance(1)
        self.assertIn("in a delayed call", meeting.left_host.snapshot()[0].reason)
        (fault,) = meeting.left_host.faults("notes")
        self.assertEqual((fault.at_seconds, fault.where), (1, "a delayed call"))
        self.flushLoggedErrors(ValueError)
