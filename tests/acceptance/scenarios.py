"""What a driving party does with the peer that it dials; each scenario says its results as JSON lines.

``async def name(driver, *numbers)``: runs on the reactor, raises when something is not as it must be.
"""

from __future__ import annotations

import os
import random
import time
import zlib
from collections.abc import Callable
from typing import Any

from twisted.internet import protocol, task
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from zope.interface import implementer

SIZES = (0, 1, 2, 63, 64, 127, 128, 1000, 4095, 4096, 16_347, 16_348, 16_349, 65_535, 65_536, 65_537, 262_107, 262_144)
LIMIT = 1 << 20


class Driver:
    """A node, its guest and the peer that it dialled."""

    def __init__(self, node: Any, guest: Any, say: Callable[..., None], watch: Any = None) -> None:
        from twisted.internet import reactor

        self.node, self.guest, self.host, self.say, self.watch = node, guest, guest.host, say, watch
        self.reactor: Any = reactor
        self.peer: Any = None
        self.address, self.dial_seconds = "", 0.0

    def pause(self, seconds: float) -> Deferred[None]:
        return task.deferLater(self.reactor, seconds, lambda: None)

    async def until(self, what: str, ask: Callable[[], object], seconds: float = 60) -> float:
        """Wait for a true answer; the seconds it took."""
        start = time.monotonic()
        while not ask():
            if time.monotonic() - start > seconds:
                raise TimeoutError(f"{what}: not in {seconds} s")
            await self.pause(0.02)
        return time.monotonic() - start

    def snapshot(self) -> Any:
        return self.node.peers_snapshot()[0]


class Collector(protocol.Protocol):
    """The near end of a stream: sends all of ``data`` in pieces, keeps what comes back, fires ``done`` at its end.

    With ``gate`` the last piece and the end of the stream wait for it.
    """

    def __init__(self, data: bytes, piece: int, gate: Deferred[None] | None = None) -> None:
        self.data, self.piece, self.back, self.gate = data, piece, bytearray(), gate
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        pieces = [self.data[at : at + self.piece] for at in range(0, len(self.data), self.piece)]
        for piece in pieces[:-1]:
            self.transport.write(piece)
        if self.gate is None:
            self._finish(pieces[-1])
        else:
            self.gate.chainDeferred(Deferred().addCallback(lambda _: self._finish(pieces[-1])))

    def _finish(self, last: bytes) -> None:
        self.transport.write(last)
        self.transport.loseWriteConnection()

    def dataReceived(self, data: bytes) -> None:
        self.back += data

    def connectionLost(self, reason: Any = None) -> None:
        self.done.callback(bytes(self.back))


implementer(IHalfCloseableProtocol)(Collector)
Collector.readConnectionLost = Collector.writeConnectionLost = lambda self: None  # type: ignore[attr-defined]


@implementer(IPushProducer, IHalfCloseableProtocol)
class Pouring(protocol.Protocol):
    """Writes ``total`` bytes as fast as it may, then ends its half; ``answer`` is what the other side says then."""

    def __init__(self, total: int) -> None:
        self.total, self.sent, self.check, self.paused = total, 0, 0, True
        self.block, self.answer = os.urandom(1 << 18), b""
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self.paused = False
        while not self.paused and self.sent < self.total:
            data = self.block[: self.total - self.sent]
            self.sent += len(data)
            self.check = zlib.crc32(data, self.check)
            self.transport.write(data)
        if not self.paused:
            self.transport.unregisterProducer()
            self.transport.loseWriteConnection()

    def pauseProducing(self) -> None:
        self.paused = True

    def stopProducing(self) -> None:
        self.paused = True

    def dataReceived(self, data: bytes) -> None:
        self.answer += data

    def readConnectionLost(self) -> None:
        """All is said."""

    def writeConnectionLost(self) -> None:
        """All is sent."""

    def connectionLost(self, reason: Any = None) -> None:
        self.done.callback(self.answer)


class Messages:
    """Sends messages to be echoed and checks that they come back whole and in order."""

    def __init__(self, driver: Driver) -> None:
        self.driver, self.waiting, self.back = driver, [], 0  # type: ignore[var-annotated]
        self.wrong = 0
        driver.guest.heard = self.heard

    def heard(self, peer: Any, message: bytes) -> None:
        self.back += 1
        if not self.waiting or self.waiting.pop(0) != message:
            self.wrong += 1

    async def send(self, message: bytes) -> None:
        self.waiting.append(message)
        await self.driver.host.send(self.driver.peer, message)

    async def all_back(self) -> None:
        await self.driver.until("echoes of all messages", lambda: not self.waiting)


async def interleaved(driver: Driver, streams: str = "1000") -> None:
    """Messages of many sizes while so many echo streams run; none ends before all messages are back."""
    messages, luck, gates = Messages(driver), random.Random(1), [Deferred() for _ in range(int(streams))]
    collectors = [Collector(luck.randbytes(luck.randrange(1, 40_000)), 4096, gate) for gate in gates]
    await messages.send(b"the channel of messages is open before the streams take all that the peer allows")
    await messages.all_back()
    opened = [driver.host.open_stream(driver.peer, one, b"echo") for one in collectors]
    most_open, sizes = 0, [*SIZES, LIMIT - 1, LIMIT]
    for _ in range(3):
        luck.shuffle(sizes)
        for size in sizes:
            await messages.send(luck.randbytes(size))
            await driver.pause(0)
            most_open = max(most_open, driver.snapshot().streams)
    await messages.all_back()
    await driver.pause(1)
    most_open = max(most_open, driver.snapshot().streams)
    for gate in gates:
        gate.callback(None)
    answers = await DeferredList([one.done for one in collectors], consumeErrors=True)
    whole = sum(good and back == one.data for (good, back), one in zip(answers, collectors, strict=True))
    failed = sum(not good for good, _ in await DeferredList(opened, consumeErrors=True))
    driver.say(
        messages=messages.back, wrong=messages.wrong, streams_whole=whole, streams_failed=failed, most_open=most_open
    )


async def pour(driver: Driver, total: str) -> None:
    """One stream of so many bytes."""
    pouring, start = Pouring(int(total)), time.monotonic()
    await driver.host.open_stream(driver.peer, pouring, b"sink")
    answer = await pouring.done
    count, check = map(int, answer.split())
    driver.say(count=count, whole=check == pouring.check, seconds=time.monotonic() - start)


async def stuck(driver: Driver) -> None:
    """A reader that stops: its writer stops, everything else goes on; then it reads again."""
    messages, pouring = Messages(driver), Pouring(64 << 20)
    await driver.host.open_stream(driver.peer, pouring, b"stuck")
    await driver.until("the writer to be paused", lambda: pouring.paused)
    await driver.pause(1)
    before = pouring.sent
    other = Collector(os.urandom(8 << 20), 65_536)
    await driver.host.open_stream(driver.peer, other, b"echo")
    for size in SIZES:
        await messages.send(os.urandom(size))
    await messages.all_back()
    back = await other.done
    driver.say(
        written_while_stuck=pouring.sent, went_on=pouring.sent - before, messages=messages.back, wrong=messages.wrong,
        other_whole=back == other.data,
    )  # fmt: skip
    await messages.send(b"go")
    answer = await pouring.done
    driver.say(whole_after=answer == b"%d %d" % (64 << 20, pouring.check))


async def rekey(driver: Driver, seconds: str) -> None:
    """Echo messages and a sink stream for so many seconds, and say how the epochs rise."""
    messages, luck, end = Messages(driver), random.Random(2), time.monotonic() + float(seconds)
    first = driver.snapshot().key_epoch
    poured = checked = 0
    while time.monotonic() < end:
        pouring = Pouring(16 << 20)
        await driver.host.open_stream(driver.peer, pouring, b"sink")
        while not pouring.done.called:
            await messages.send(luck.randbytes(luck.choice((0, 100, 5000, 70_000))))
            await driver.until("some echoes", lambda: len(messages.waiting) < 200)
        checked += (await pouring.done) == b"%d %d" % (16 << 20, pouring.check)
        poured += 1
        driver.say(epoch=driver.snapshot().key_epoch, at=time.time())
    await messages.all_back()
    driver.say(
        epochs=driver.snapshot().key_epoch - first, messages=messages.back, wrong=messages.wrong, poured=poured,
        checked=checked, seconds=float(seconds), arrivals=len(driver.guest.arrived),
    )  # fmt: skip


async def meet(driver: Driver, _: str = "") -> None:
    """Nothing but the handshake and one echo; the suite, and the longest turn of the reactor since before the dial."""
    messages = Messages(driver)
    await messages.send(b"hello")
    await messages.all_back()
    await driver.pause(2)
    used = driver.snapshot().algorithms
    driver.say(
        suite=(used.primary, used.secondary, used.symmetric), wrong=messages.wrong,
        longest=driver.watch.longest_seconds, busiest=driver.watch.busiest_seconds, dial=driver.dial_seconds,
    )  # fmt: skip


async def steady(driver: Driver, size: str, waiting: str) -> None:
    """Messages for ever, so many on their way at once; how many came back is said four times a second."""
    message, back, wrong = os.urandom(int(size)), 0, 0

    def heard(peer: Any, answer: bytes) -> None:
        nonlocal back, wrong
        back, wrong = back + 1, wrong + (answer != message)
        driver.host.send(peer, message, compress=False).addErrback(lambda _: None)

    driver.guest.heard = heard
    for _ in range(int(waiting)):
        driver.host.send(driver.peer, message, compress=False).addErrback(lambda _: None)
    while True:
        await driver.pause(0.25)
        driver.say(echoes=back, wrong=wrong, at=time.monotonic(), sessions=len(driver.guest.arrived))


async def redial(driver: Driver, dials: str) -> None:
    """End the session and dial anew, until there were so many dials, the first one included."""
    for _ in range(int(dials) - 1):
        await driver.host.disconnect(driver.peer)
        driver.peer = await driver.host.connect(driver.address)
    driver.say(dials=int(dials), arrivals=len(driver.guest.arrived))


SCENARIOS: dict[str, Any] = {one.__name__: one for one in (interleaved, pour, stuck, rekey, meet, redial, steady)}


def begin(name: str, node: Any, guest: Any, rest: list[str], say: Callable[..., None], watch: Any = None) -> None:
    """Dial, wait until the guests have met, run, stop the reactor."""
    driver = Driver(node, guest, say, watch)

    async def run() -> None:
        try:
            start = time.monotonic()
            driver.address = rest[0]
            driver.peer = await driver.host.connect(driver.address)
            driver.dial_seconds = time.monotonic() - start
            await driver.until("the guests to meet", lambda: driver.peer in driver.guest.arrived, 10)
            await SCENARIOS[name](driver, *rest[1:])
        except BaseException as error:
            say(error=f"{type(error).__name__}: {error}")
        driver.reactor.stop()

    ensureDeferred(run())
