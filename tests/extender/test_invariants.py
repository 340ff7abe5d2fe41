"""Whatever two guests do, in whatever order, and wherever it is cut off: every Deferred that they were handed fires,
every connected protocol is told of its end exactly once, streams deliver a beginning of what was written, messages a
beginning of what was sent, and no delayed call is left. Once over fake sessions, once over real ones.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from quantumgate.testing.nodes import pair
from tests.extender.guests import Meeting, Notes, Recorder, making

SIZES = st.sampled_from([0, 1, 100, 5000, 70_000])
STEPS = st.one_of(
    st.tuples(st.just("send"), st.booleans(), SIZES, st.sampled_from([1, 2, 3]), st.sampled_from([0, 0, 5])),
    st.tuples(st.just("offer"), st.booleans(), SIZES),
    st.tuples(st.just("open"), st.booleans(), st.booleans()),
    st.tuples(st.just("write"), st.integers(0, 9), SIZES),
    st.tuples(st.sampled_from(["pause", "resume", "lose", "half", "abort", "feed", "unfeed"]), st.integers(0, 9)),
    st.tuples(st.just("cancel"), st.integers(0, 99)),
    st.tuples(st.just("busy"), st.booleans()),
    st.tuples(st.just("free"), st.booleans()),
    st.tuples(st.just("pump"), st.integers(1, 40)),
    st.tuples(st.just("settle")),
    st.tuples(st.just("wait"), st.sampled_from([1, 6, 61])),
    st.tuples(st.just("stop"), st.booleans()),
    st.tuples(st.just("cut"), st.booleans()),
)


class Ear(Recorder):
    """One end of a stream; ``twin_sent`` is what the other end wrote, as far as it was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.twin: Ear | None = None
        self.aborted = False


@implementer(IHalfCloseableProtocol)
class HalfEar(Ear):
    """One that keeps its own half open."""

    def readConnectionLost(self) -> None:
        self.events.append("read lost")

    def writeConnectionLost(self) -> None:
        self.events.append("write lost")


class Idle:
    """A producer that produces nothing."""

    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def stopProducing(self) -> None: ...


class Listener(Notes):
    """A guest that keeps order of what it gets, and can be busy."""

    def __init__(self) -> None:
        super().__init__()
        self.busy: Deferred[None] | None = None
        self.ears: list[Ear] = []

    def message_received(self, peer: Any, message: bytes) -> Any:
        self.messages.append(message)
        return self.busy

    def stream_opened(self, peer: Any, label: bytes) -> Any:
        number = int(label)
        if number % 5 == 4:
            return None
        ear = (Ear, HalfEar)[number % 2]()
        ear.number = number  # type: ignore[attr-defined]
        self.ears.append(ear)
        return ear


class Run:
    """Plays the steps on one meeting and keeps what was handed out."""

    def __init__(self, stage: Any) -> None:
        self.stage = stage
        self.handed: list[Deferred[Any]] = []
        self.fired: list[int] = []
        self.ears: list[Ear] = []
        self.sent: dict[tuple[bool, int], list[bytes]] = {}
        self.serial = 0

    def keep(self, deferred: Deferred[Any]) -> None:
        number = len(self.handed)
        self.handed.append(deferred)
        deferred.addBoth(lambda _: self.fired.append(number))

    def side(self, left: bool) -> tuple[Any, Any, Any]:
        stage = self.stage
        return (stage.host, stage.peer, stage.left) if left else (stage.other, stage.back, stage.right)

    def play(self, step: tuple[Any, ...]) -> None:
        getattr(self, f"do_{step[0]}")(*step[1:])

    def message(self, size: int) -> bytes:
        self.serial += 1
        return b"%06d" % self.serial + bytes(size)

    def do_send(self, left: bool, size: int, priority: int, delay: int) -> None:
        host, peer, _ = self.side(left)
        self.keep(host.send(peer, self.message(size), priority=priority, delay=delay))

    def do_offer(self, left: bool, size: int) -> None:
        host, peer, _ = self.side(left)
        host.offer(peer, self.message(size))

    def do_open(self, left: bool, halves: bool) -> None:
        host, peer, _ = self.side(left)
        ear = HalfEar() if halves else Ear()
        self.ears.append(ear)
        self.keep(host.open_stream(peer, ear, b"%d" % len(self.ears)))

    def ear(self, number: int) -> Any:
        ears = [ear for ear in (*self.ears, *self.stage.left.ears, *self.stage.right.ears) if ear.transport is not None]
        return ears[number % len(ears)] if ears else None

    def do_write(self, number: int, size: int) -> None:
        if ear := self.ear(number):
            ear.transport.write(self.message(size))

    def do_pause(self, number: int) -> None:
        if ear := self.ear(number):
            ear.transport.pauseProducing()

    def do_resume(self, number: int) -> None:
        if ear := self.ear(number):
            ear.transport.resumeProducing()

    def do_lose(self, number: int) -> None:
        if ear := self.ear(number):
            ear.transport.loseConnection()

    def do_half(self, number: int) -> None:
        if ear := self.ear(number):
            ear.transport.loseWriteConnection()

    def do_abort(self, number: int) -> None:
        if ear := self.ear(number):
            ear.transport.abortConnection()

    def do_feed(self, number: int) -> None:
        if (ear := self.ear(number)) and not ear.transport._tap.busy:
            ear.transport.registerProducer(Idle(), True)

    def do_unfeed(self, number: int) -> None:
        if ear := self.ear(number):
            ear.transport.unregisterProducer()

    def do_cancel(self, number: int) -> None:
        if self.handed:
            self.handed[number % len(self.handed)].cancel()

    def do_busy(self, left: bool) -> None:
        guest = self.side(left)[2]
        guest.busy = guest.busy or Deferred()

    def do_free(self, left: bool) -> None:
        guest = self.side(left)[2]
        busy, guest.busy = guest.busy, None
        if busy is not None:
            busy.callback(None)

    def do_pump(self, count: int) -> None:
        self.stage.pump(count)

    def do_settle(self) -> None:
        self.stage.settle()

    def do_wait(self, seconds: int) -> None:
        self.stage.wait(seconds)

    def do_stop(self, left: bool) -> None:
        self.stage.stop(left)

    def do_cut(self, gently: bool) -> None:
        self.stage.cut(gently)

    def faults(self) -> list[str]:
        """What broke a promise, after everything is over."""
        found = []
        if sorted(self.fired) != list(range(len(self.handed))):
            found.append(f"of {len(self.handed)} Deferreds these fired: {sorted(self.fired)}")
        theirs = (*self.stage.left.ears, *self.stage.right.ears)
        for ear in (*self.ears, *theirs):
            ends = ear.events.count("lost")
            if ends != ear.events.count("made") or ends > 1 or (ends and ear.events[-1] != "lost"):
                found.append(f"a protocol lived through {ear.events}")
        for guest in (self.stage.left, self.stage.right):
            numbers = [int(message[:6]) for message in guest.messages]
            if len(set(numbers)) != len(numbers):
                found.append(f"messages came twice: {numbers}")
        for row in (*self.stage.left_host.snapshot(), *self.stage.right_host.snapshot()):
            if row.failures:
                found.append(f"a guest failed: {row.reason}")
        if left_over := self.stage.delayed_calls():
            found.append(f"delayed calls are left: {left_over}")
        return found


class FakeStage(Meeting):
    """Two guests over fake sessions."""

    def __init__(self) -> None:
        super().__init__(Listener, Listener)
        self.gone = False

    def pump(self, count: int) -> None:
        assert self.link is not None
        for _ in range(count):
            self.link.step()
        self.clock.advance(0)

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def stop(self, left: bool) -> None:
        (self.left_host if left else self.right_host).stop()

    def cut(self, gently: bool) -> None:
        assert self.link is not None
        self.link.close(0 if gently else None)

    def end(self) -> None:
        self.cut(True)
        for host in (self.left_host, self.right_host):
            host.stop()
        self.clock.advance(0)

    def delayed_calls(self) -> list[Any]:
        return list(self.clock.getDelayedCalls())


class RealStage:
    """Two guests over real sessions."""

    def __init__(self) -> None:
        self.nodes = nodes = pair(making(Listener))
        self.left_host, self.right_host = nodes.left.extenders, nodes.right.extenders
        self.left, self.right = nodes.left.guest("notes"), nodes.right.guest("notes")
        self.host, self.other = nodes.left.host("notes"), nodes.right.host("notes")
        self.peer, self.back = nodes.left.peer(), nodes.right.peer()

    def pump(self, count: int) -> None:
        for _ in range(count // 10 + 1):
            self.nodes.advance(0)

    def settle(self) -> None:
        self.nodes.settle()

    def wait(self, seconds: float) -> None:
        self.nodes.advance(seconds)

    def stop(self, left: bool) -> None:
        (self.left_host if left else self.right_host).stop()

    def cut(self, gently: bool) -> None:
        if not gently:
            self.nodes.network.cut()
        for contact in list(self.nodes.left.contacts.values()):
            contact.close()

    def end(self) -> None:
        self.nodes.stop()

    def delayed_calls(self) -> list[Any]:
        return list(self.nodes.clock.getDelayedCalls())


class InvariantTests(SynchronousTestCase):
    """Hypothesis chooses the steps."""

    def check(self, stage: Any, steps: list[tuple[Any, ...]]) -> None:
        run = Run(stage)
        for step in steps:
            run.play(step)
        stage.end()
        self.assertEqual(run.faults(), [], steps)

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(STEPS, max_size=40))
    def test_over_fakes(self, steps: list[tuple[Any, ...]]) -> None:
        self.check(FakeStage(), steps)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(STEPS, max_size=40))
    def test_over_real_sessions(self, steps: list[tuple[Any, ...]]) -> None:
        self.check(RealStage(), steps)


class DeliveryInvariantTests(SynchronousTestCase):
    """What arrives is what was sent, wherever it is cut."""

    def check(self, stage: Any, sizes: list[int], cut_after: int, clean: bool) -> None:
        ear = HalfEar()
        stage.host.open_stream(stage.peer, ear, b"1").addErrback(lambda _: None)
        messages, written = [], b""
        for number, size in enumerate(sizes):
            messages.append(b"%06d" % number + bytes(size))
            stage.host.send(stage.peer, messages[-1]).addErrback(lambda _: None)
            ear.transport.write(messages[-1])
            written += messages[-1]
        if clean:
            ear.transport.loseConnection()
            stage.settle()
        stage.pump(cut_after)
        stage.end()
        self.assertEqual(stage.right.messages, messages[: len(stage.right.messages)])
        for there in stage.right.ears:
            self.assertTrue(written.startswith(there.received))
            if clean:
                self.assertEqual(len(there.received), len(written))
        if clean:
            self.assertEqual(stage.right.messages, messages)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(SIZES, max_size=12), st.integers(0, 60), st.booleans())
    def test_over_fakes(self, sizes: list[int], cut_after: int, clean: bool) -> None:
        sizes = [min(size, 5000) for size in sizes]  # the fakes' queue ends at 64 KiB
        self.check(FakeStage(), sizes, cut_after, clean)

    @settings(max_examples=25, deadline=None)
    @given(st.lists(SIZES, max_size=12), st.integers(0, 60), st.booleans())
    def test_over_real_sessions(self, sizes: list[int], cut_after: int, clean: bool) -> None:
        self.check(RealStage(), sizes, cut_after, clean)

    def test_clean_end_is_called_clean(self) -> None:
        """Over real sessions, too."""
        stage = RealStage()
        ear = Ear()
        stage.host.open_stream(stage.peer, ear, b"2").addErrback(lambda _: None)
        ear.transport.loseConnection()
        stage.settle()
        self.assertIsInstance(ear.reasons[0].value, ConnectionDone)
        self.assertIsInstance(stage.right.ears[0].reasons[0].value, ConnectionDone)
        stage.end()
