"""Two cores under a hostile scheduler: cuts at every byte, delays, damage, and everything that owners can ask for.

A hypothesis state machine chooses; ``two_cores.py`` keeps the model and says what must hold. Deterministic and short by
default; ``QG_TWO_CORES=5000`` tries so many random runs of each machine instead.
"""

from __future__ import annotations

import os
import random
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.channel import Channel
from quantumgate.core.credit import CreditPool
from quantumgate.core.liveness import Liveness
from quantumgate.core.session import Session
from quantumgate.core.state import SessionPhase
from tests.core.two_cores import ECHOED, REFUSED, TwoCores

RUNS = int(os.environ.get("QG_TWO_CORES", "0"))
IGNORED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
SHORT = settings(
    derandomize=True, database=None, deadline=None, max_examples=16, stateful_step_count=30,
    suppress_health_check=IGNORED, print_blob=False, phases=(Phase.generate,), report_multiple_bugs=False,
)  # fmt: skip
LONG = settings(
    database=None, deadline=None, max_examples=RUNS or 1, stateful_step_count=80, suppress_health_check=IGNORED,
    print_blob=False, report_multiple_bugs=False,
)  # fmt: skip
SIDES = some.integers(0, 1)
SIZES = some.sampled_from([0, 1, 5, 100, 127, 128, 1000, 16_000, 16_384, 16_385, 64_000, 65_408, 65_536, 100_000])
LENGTHS = some.one_of(some.integers(1, 100), some.sampled_from([500, 5000, 20_000, 200_000, 1 << 30]))
TIMES = some.sampled_from([1, 1, 3, 20])
KINDS = some.sampled_from([b"", b"", ECHOED, REFUSED])
CHUNKS = some.sampled_from([1, 2, 19, 20, 21, 1000, 1 << 30])
PATIENCE_SECONDS = 4.0
"""Standing still for so long is no reason to give a peer up."""


class Honest(RuleBasedStateMachine):
    """Nobody changes a byte: nothing is lost, all is in order, and both ends finish with the same word."""

    HANDSHAKE: ClassVar[bool] = False

    @initialize(padding=some.sampled_from(["off", "padme"]), compression=some.booleans(), met=some.integers(0, 7))
    def begin(self, padding: str, compression: bool, met: int) -> None:
        """Seven times in eight they have met, and two channels are open."""
        self.two = TwoCores(handshake=self.HANDSHAKE, padding=padding, compression=compression)
        self.count = 0
        self.still = 0.0
        if met:
            self.two.pump()
            self.open(met % 2, met % 3 == 0, 2, b"")
            self.open(1, True, met % 3 + 1, ECHOED)

    @property
    def meeting(self) -> bool:
        """Somebody could still open a channel."""
        return any(port.session is not None and port.session.phase is SessionPhase.READY for port in self.two.ports)

    def label(self, choice: int) -> bytes:
        """One of the channels that there are."""
        return list(self.two.lines)[choice % len(self.two.lines)]

    @property
    def opened(self) -> bool:
        return bool(self.two.lines)

    # -- owners --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.meeting)
    @rule(seed=some.integers(0, 1 << 32))
    def bustle(self, seed: int) -> None:
        """A while of everything that goes on in a healthy session, the wires half full all the time."""
        luck = random.Random(seed)
        for _ in range(luck.randrange(5, 40)):
            side, choice, word = luck.randrange(2), luck.randrange(30), luck.random()
            if word < 0.1:
                self.open(side, luck.random() < 0.5, luck.randrange(1, 4), luck.choice([b"", b"", ECHOED, REFUSED]))
            elif word < 0.5 and self.opened:
                size = luck.choice([luck.randrange(300), luck.randrange(20_000), luck.randrange(100_000)])
                self.say(side, choice, size, luck.choice([1, 2, 5]), luck.random() < 0.5)
            elif word < 0.55 and self.opened:
                luck.choice([self.finish, self.reset])(side, choice)
            elif word < 0.65 and self.opened:
                self.read_or_not(side, choice, luck.random() < 0.5)
            elif word < 0.7:
                self.rekey(side)
                self.ping(side, luck.random() < 0.2)
                self.announce(side, luck.randrange(2))
            elif word < 0.85:
                self.two.write(side, luck.choice([100, 5000, 1 << 30]))
            else:
                most = luck.choice([luck.randrange(1, 100), 5000, 1 << 30])
                self.two.deliver(side, most, luck.choice([21, 1000, 1 << 30]))

    @precondition(lambda self: self.meeting)
    @rule(side=SIDES, stream=some.booleans(), priority=some.integers(1, 3), kind=KINDS)
    def open(self, side: int, stream: bool, priority: int, kind: bytes) -> None:
        self.count += 1
        self.two.open(side, kind + b"%d" % self.count, stream=stream, priority=priority)

    @precondition(lambda self: self.opened)
    @rule(side=SIDES, choice=some.integers(0, 30), size=SIZES, times=TIMES, flat=some.booleans())
    def say(self, side: int, choice: int, size: int, times: int, flat: bool) -> None:
        label = self.label(choice)
        for number in range(times):
            self.count += 1
            word = b"%d " % self.count if flat else bytes((self.count * k * k + number) % 251 for k in range(50))
            self.two.say(side, label, (word * (size // len(word) + 1))[:size])

    @precondition(lambda self: self.opened)
    @rule(side=SIDES, choice=some.integers(0, 30))
    def finish(self, side: int, choice: int) -> None:
        self.two.finish(side, self.label(choice))

    @precondition(lambda self: self.opened)
    @rule(side=SIDES, choice=some.integers(0, 30))
    def reset(self, side: int, choice: int) -> None:
        self.two.reset(side, self.label(choice))

    @precondition(lambda self: self.opened)
    @rule(side=SIDES, choice=some.integers(0, 30), pause=some.booleans())
    def read_or_not(self, side: int, choice: int, pause: bool) -> None:
        port, label = self.two.ports[side], self.label(choice)
        if pause:
            port.paused.add(label)
        elif label in port.channels:
            port.resume(label)

    @rule(side=SIDES)
    def rekey(self, side: int) -> None:
        self.two.rekey(side)

    @rule(side=SIDES, urgent=some.booleans())
    def ping(self, side: int, urgent: bool) -> None:
        session = self.two.ports[side].session
        if session is not None and session.ready and not session.closing:
            session.ping_urgently(self.two.now) if urgent else session.ping(self.two.now)

    @rule(side=SIDES, count=some.integers(0, 3))
    def announce(self, side: int, count: int) -> None:
        session = self.two.ports[side].session
        if session is not None and session.ready:
            session.set_extenders(tuple(session.block.extenders) * bool(count))

    @precondition(lambda self: self.count > 8)
    @rule(side=SIDES, graceful=some.booleans(), really=some.integers(0, 7))
    def close(self, side: int, graceful: bool, really: int) -> None:
        if not really:
            self.two.close(side, graceful=graceful)

    # -- wire and clock ------------------------------------------------------------------------------------------

    @rule(side=SIDES, most=LENGTHS)
    def write(self, side: int, most: int) -> None:
        self.two.write(side, most)

    @rule(side=SIDES, most=LENGTHS, chunk=CHUNKS)
    def deliver(self, side: int, most: int, chunk: int) -> None:
        if chunk < 19:
            most = min(most, 5000)
        self.two.deliver(side, most, chunk)

    @rule(chunk=some.sampled_from([1000, 1 << 30]))
    def pump(self, chunk: int) -> None:
        self.two.pump(chunk)
        self.still = 0.0
        if not self.two.tampered:
            self.two.check_credit_between()

    @rule(seconds=some.sampled_from([0.01, 0.3, 1.0]))
    def stand_still(self, seconds: float) -> None:
        if self.still + seconds <= PATIENCE_SECONDS:
            self.still += seconds
            self.two.advance(seconds, pump=False)

    @rule(seconds=some.sampled_from([0.05, 1.0, 35.0, 100.0, 1000.0]), really=some.integers(0, 4))
    def wait(self, seconds: float, really: int) -> None:
        if seconds < 100 or not really:
            self.two.advance(seconds, pump=True)
            self.still = 0.0

    # -- what holds ----------------------------------------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "two"):
            self.two.check()

    def teardown(self) -> None:
        if not hasattr(self, "two"):
            return
        two = self.two
        two.pump()
        for port in two.ports:
            for label in list(port.channels):
                port.resume(label)
        two.pump()
        two.advance(2, pump=True)  # what waits for its pace goes too
        two.check()
        if not any(port.end for port in two.ports):
            two.check_credit_between()
            two.check_all_arrived()
            two.close(0, graceful=True)
        two.advance(20, pump=True)
        two.check()
        two.check_over()
        words = {(end.reason, end.code, end.clean) for port in two.ports if (end := port.end) is not None}
        if len(words) != 1 or not words <= {("bye", 0, True), ("idle", 1, True)}:
            raise AssertionError(f"they do not end alike: {words}")


class HonestFromTheFirstByte(Honest):
    """The handshake too."""

    HANDSHAKE = True

    def teardown(self) -> None:
        """A dial that was given up before the session: its own side knows why, the other lost it."""
        if hasattr(self, "two") and any(port.session is None and port.end for port in self.two.ports):
            self.two.advance(1000, pump=True)
            self.two.check()
            self.two.check_over()
            return
        super().teardown()


class Tampered(Honest):
    """Somebody sits on the wire: what was delivered is right all the same, and both sides come to an end."""

    def tamper(self, side: int, change: bytearray) -> None:
        """The wire of that side holds ``change`` now."""
        wire = self.two.wires[side]
        if bytes(wire) != bytes(change):
            self.two.tampered = True
            wire[:] = change

    @rule(side=SIDES, at=some.integers(0, 1 << 20), bit=some.integers(0, 7))
    def flip(self, side: int, at: int, bit: int) -> None:
        wire = bytearray(self.two.wires[side])
        if wire:
            wire[at % len(wire)] ^= 1 << bit
            self.tamper(side, wire)

    @rule(side=SIDES, at=some.integers(0, 1 << 20), size=LENGTHS)
    def repeat(self, side: int, at: int, size: int) -> None:
        wire = self.two.wires[side]
        at %= len(wire) + 1
        self.tamper(side, wire[:at] + wire[at : at + min(size, 50_000)] + wire[at:])

    @rule(side=SIDES, at=some.integers(0, 1 << 20), size=LENGTHS)
    def take_out(self, side: int, at: int, size: int) -> None:
        wire = self.two.wires[side]
        at %= len(wire) + 1
        self.tamper(side, wire[:at] + wire[at + size :])

    @rule(side=SIDES, first=some.integers(0, 1 << 20), second=some.integers(0, 1 << 20), size=LENGTHS)
    def exchange(self, side: int, first: int, second: int, size: int) -> None:
        wire = self.two.wires[side]
        a, b = sorted((first % (len(wire) + 1), second % (len(wire) + 1)))
        size = min(size, b - a)
        self.tamper(side, wire[:a] + wire[b : b + size] + wire[a + size : b] + wire[a : a + size] + wire[b + size :])

    @rule(side=SIDES, size=LENGTHS)
    def reflect(self, side: int, size: int) -> None:
        """Bytes of one direction in the other."""
        self.tamper(side, self.two.wires[1 - side][: min(size, 50_000)] + self.two.wires[side])

    @rule(side=SIDES, really=some.integers(0, 5))
    def cut(self, side: int, really: int) -> None:
        """The rest is dropped, and one side sees the end of the connection; the other hears nothing any more."""
        if not really:
            self.two.tampered = True
            self.two.wires[side].clear()
            self.two.ports[1 - side].eof(self.two.now)

    @rule(seconds=some.sampled_from([5.0, 30.0, 70.0]))
    def hold(self, seconds: float) -> None:
        """Long enough for a peer to be given up."""
        self.two.tampered = True
        self.two.advance(seconds, pump=False)

    def teardown(self) -> None:
        if not hasattr(self, "two"):
            return
        if not self.two.tampered:
            super().teardown()
            return
        two = self.two
        two.advance(1000, pump=True)  # an idle session is closed after 900 s; everything else is faster
        for port in two.ports:
            if not port.connection.finished:
                two.close(port.number, graceful=True)  # what was changed was on a wire that nobody read any more
        two.advance(100, pump=True)
        two.check()
        two.check_over()


class TamperedFromTheFirstByte(Tampered):
    """The handshake too."""

    HANDSHAKE = True


def run_machine(machine: type[Honest], profile: settings) -> None:
    """Raises what the machine found, with the steps that led there: trial shows no notes of an exception."""
    try:
        run_state_machine_as_test(machine, settings=profile)  # type: ignore[no-untyped-call]
    except Exception as found:
        steps = "\n".join(getattr(found, "__notes__", ()))
        raise AssertionError(f"{type(found).__name__}: {found}\n{steps}") from found


class TwoCoresTests(SynchronousTestCase):
    """Each machine, for a short while."""

    def run_machine(self, machine: type[Honest]) -> None:
        run_machine(machine, LONG if RUNS else SHORT)

    def test_honest_sessions(self) -> None:
        self.run_machine(Honest)

    def test_honest_from_the_first_byte(self) -> None:
        self.run_machine(HonestFromTheFirstByte)

    def test_tampered_sessions(self) -> None:
        self.run_machine(Tampered)

    def test_tampered_from_the_first_byte(self) -> None:
        self.run_machine(TamperedFromTheFirstByte)



class PlantedBugTests(SynchronousTestCase):
    """A machine that finds nothing proves nothing: these must be found, in the short profile."""

    def finds(self, machine: type[Honest]) -> None:
        self.assertRaises(AssertionError, run_machine, machine, SHORT)

    def test_credit_that_is_not_used(self) -> None:
        self.patch(Channel, "window", lambda channel, limit: None)
        self.finds(Honest)

    def test_credit_that_is_given_twice(self) -> None:
        self.patch(CreditPool, "repay", lambda pool, size_bytes: None)
        self.finds(Honest)

    def test_nobody_is_woken(self) -> None:
        self.patch(Session, "wake", lambda session: None)
        self.finds(Honest)

    def test_silence_is_not_noticed(self) -> None:
        self.patch(Liveness, "expire", lambda liveness, now: None)
        self.finds(Tampered)

    def test_the_end_of_a_channel_is_told_twice(self) -> None:
        told_once = Channel.end

        def end(channel: Channel, reason: object) -> None:
            told = channel.on_closed
            told_once(channel, reason)  # type: ignore[arg-type]
            told(None)

        self.patch(Channel, "end", end)
        self.finds(Honest)
