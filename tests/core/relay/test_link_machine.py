"""Links under a hostile scheduler: a client, a relay and a target, and everything that the three can do, in any order.

A hypothesis state machine chooses; ``Crowd`` keeps what was said and heard. Deterministic and short by default;
``QG_TWO_CORES=5000`` tries so many random runs instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

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

from quantumgate.core.credit import CreditPool
from quantumgate.core.events import LinkArrived
from quantumgate.core.relay.link import MERGED_BYTES, Link, Pipe, splice
from quantumgate.wire.codes import LinkCode
from quantumgate.wire.limits import KIB
from tests.core.relay.tower import CELLS, TARGET, TERMS, Outlet, Tower
from tests.core.sessions import Pair, tuned

RUNS = int(os.environ.get("QG_TWO_CORES", "0"))
SHORT = settings(
    derandomize=True, database=None, deadline=None, max_examples=100, stateful_step_count=40, phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck), print_blob=False, report_multiple_bugs=False,
)  # fmt: skip
LONG = settings(
    database=None, deadline=None, max_examples=RUNS or 1, stateful_step_count=80,
    suppress_health_check=list(HealthCheck), print_blob=False, report_multiple_bugs=False,
)  # fmt: skip
WHICH = some.integers(0, 9)
SIZES = some.sampled_from([1, 1, 7, 500, 980, 981, 16_340, 16_341, 40_000, 65_536, 200_000, 200_000])
TIGHT = tuned(
    CELLS, link_window_max_bytes=128 * KIB, link_pool_client_bytes=256 * KIB, link_pool_egress_bytes=128 * KIB
)


class End(Outlet):
    """One end of a link: what it said from the beginning, and how it ended it, if it did."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.said = bytearray()
        self.ended_by_us = ""
        self.was_open = not link.closed

    def utter(self, data: bytes) -> None:
        if not self.link.closed and not self.ended_by_us:
            self.said += data
            self.say(data)

    def resume(self) -> None:
        self.holding = False
        self.link.consumed(len(self.received) - self.link.consumed_bytes)


class Line:
    """One link from end to end, as far as it got."""

    def __init__(self, ours: End) -> None:
        self.ours = ours
        self.theirs: End | None = None
        self.asked: Link | None = None
        self.onward: Link | None = None
        self.pipes: tuple[Pipe, ...] = ()

    @property
    def ends(self) -> Iterator[End]:
        yield self.ours
        if self.theirs is not None:
            yield self.theirs


class Links(RuleBasedStateMachine):
    """Bytes are in order and none is lost before a polite end; a relay holds its windows, and nothing afterwards."""

    @initialize(tight=some.booleans())
    def begin(self, tight: bool) -> None:
        self.tower = Tower(TIGHT if tight else CELLS)
        self.lines: list[Line] = []
        self.cut = False
        self.said = 0
        self.ask()
        self.settle()
        self.connect(0)
        self.settle()

    def line(self, which: int) -> Line:
        return self.lines[which % len(self.lines)]

    def end(self, which: int) -> End:
        ends = [end for line in self.lines for end in line.ends]
        return ends[which % len(ends)]

    # -- what the three do ---------------------------------------------------------------------------------------

    @precondition(lambda self: not self.cut and len(self.lines) < 6)
    @rule()
    def ask(self) -> None:
        self.lines.append(Line(End(self.tower.alice.session.all_links.ask(TARGET))))
        self.settle()

    @rule(which=WHICH)
    def connect(self, which: int) -> None:
        """The relay has reached the target."""
        line = self.line(which)
        self.settle()
        if self.waits(line):
            line.onward = self.tower.gate_far.session.all_links.bring()
            line.asked.answer(LinkCode.CONNECTED, TERMS)  # type: ignore[union-attr]
            line.pipes = splice(line.asked, line.onward)  # type: ignore[arg-type]

    @rule(which=WHICH, code=some.sampled_from([LinkCode.POLICY, LinkCode.UNREACHABLE]))
    def refuse(self, which: int, code: LinkCode) -> None:
        line = self.line(which)
        if which > 6 and self.waits(line):
            line.asked.answer(code)  # type: ignore[union-attr]

    def waits(self, line: Line) -> bool:
        return not self.cut and line.asked is not None and not line.asked.closed and line.onward is None

    def utter(self, which: int, size: int) -> None:
        self.said += 1
        self.end(which).utter(bytes((self.said % 251,)) * size)

    @rule(which=WHICH, size=SIZES, then=some.sampled_from(["nothing", "settle", "settle", "carry"]))
    def say(self, which: int, size: int, then: str) -> None:
        self.utter(which, size)
        if then == "settle":
            self.settle()
        elif then == "carry":
            for number in range(4):
                self.carry(far=number > 1, back=bool(number % 2), most=3, chunk=1 << 30)

    @rule(which=WHICH, pieces=some.integers(2, 60), then=some.booleans())
    def mutter(self, which: int, pieces: int, then: bool) -> None:
        """One of a cell's size and many small ones, each in a record of its own on the first wire."""
        for number in range(pieces):
            self.utter(which, 1 if number else 900)
            self.carry(far=False, back=False, most=1, chunk=1 << 30)
        if then:
            self.settle()

    @rule(which=WHICH)
    def hold(self, which: int) -> None:
        self.end(which).holding = True

    @rule(which=WHICH)
    def resume(self, which: int) -> None:
        self.end(which).resume()

    @rule(which=WHICH, size=SIZES)
    def finish(self, which: int, size: int) -> None:
        """Behind some last words."""
        end = self.end(which)
        self.utter(which, size)
        if not end.link.closed:
            end.ended_by_us = end.ended_by_us or "finish"
            end.link.finish()

    @rule(which=WHICH, code=some.sampled_from([LinkCode.RESET, LinkCode.FAILURE]))
    def close(self, which: int, code: LinkCode) -> None:
        end = self.end(which)
        if which > 4 and not end.link.closed:
            end.ended_by_us = "close"
            end.link.close(code)

    @precondition(lambda self: not self.cut)
    @rule(which=WHICH, far=some.booleans())
    def cut_a_session(self, which: int, far: bool) -> None:
        if which == 9 and len(self.lines) > 2:
            self.cut = True
            pair = self.tower.far if far else self.tower.near
            for side in pair.sides:
                side.connection.eof(pair.now)

    # -- what the network does -----------------------------------------------------------------------------------

    @rule(far=some.booleans(), back=some.booleans(), most=some.integers(1, 8), chunk=some.sampled_from([1000, 1 << 30]))
    def carry(self, far: bool, back: bool, most: int, chunk: int) -> None:
        """A few pieces one way on one of the two wires."""
        pair = self.tower.far if far else self.tower.near
        source, target = reversed(pair.sides) if back else pair.sides
        for _ in range(most):
            data = source.connection.data_to_send(pair.now)
            if data is None:
                break
            copy = bytes(data)
            source.connection.taken(len(copy), pair.now)
            for at in range(0, len(copy), chunk):
                target.connection.receive(copy[at : at + chunk], pair.now)
        self.notice(pair)

    @rule(seconds=some.sampled_from([0.01, 0.3, 5.0]))
    def wait(self, seconds: float) -> None:
        for pair in (self.tower.near, self.tower.far):
            pair.now += seconds

    @rule()
    def settle(self) -> None:
        self.tower.pump(5000)
        self.notice(self.tower.near)

    def notice(self, pair: Pair) -> None:
        """Owners hear of links: the relay of what is asked, the target of what is brought."""
        for side in (*pair.sides, *self.tower.far.sides):
            side.meet()
        for line in self.lines:
            line.asked = line.asked or self.tower.gate_near.session.all_links.by_id.get(line.ours.link.id)
            if line.onward is not None and line.theirs is None:
                found = [event.link for event in self.tower.dora.of(LinkArrived) if event.link.id == line.onward.id]
                line.theirs = End(found[0]) if found else None

    # -- what must hold ------------------------------------------------------------------------------------------

    @invariant()
    def in_order(self) -> None:
        for line in self.lines:
            if line.theirs is not None:
                assert line.ours.said.startswith(line.theirs.received), "to the target"
                assert line.theirs.said.startswith(line.ours.received), "to the client"
            for end in line.ends:
                assert len(end.ends) == int(end.link.closed and end.was_open), end.ends
                assert len(end.answers) <= 1

    @invariant()
    def within_credit(self) -> None:
        for link in self.halves():
            assert link.sent_bytes <= link.send_limit
            assert link.consumed_bytes <= link.received_bytes <= link.receive_limit
            assert link.receive_limit <= link.consumed_bytes + link.window_bytes
        for line in self.lines:
            for pipe, source in zip(line.pipes, (line.asked, line.onward), strict=False):
                held = sum(map(len, pipe._queue)) - pipe._sent
                assert source is not None
                assert held == source.received_bytes - source.consumed_bytes <= source.window_bytes
                assert len(pipe._queue) <= 2 + 2 * (held + pipe._sent) // MERGED_BYTES

    def halves(self) -> Iterator[Link]:
        for line in self.lines:
            yield from (end.link for end in line.ends)
            yield from (half for half in (line.asked, line.onward) if half is not None)

    @invariant()
    def lent(self) -> None:
        for pool, links in self.pools():
            assert pool.grown_bytes <= pool.size_bytes
            assert pool.grown_bytes == sum(link.window_bytes for link in links if link._lent)

    def pools(self) -> Iterator[tuple[CreditPool, list[Link]]]:
        for side in (self.tower.gate_near, self.tower.gate_far):
            yield side.session.all_links.pool, list(side.session.all_links.by_id.values())

    def teardown(self) -> None:
        if not hasattr(self, "lines"):
            return
        for line in self.lines:
            for end in line.ends:
                end.resume()
        self.settle()
        for line in self.lines:
            self.complete(line)
            if line.theirs is not None and not self.cut:
                assert line.ours.link.closed == line.theirs.link.closed, "the end of one is the end of the other"
        for line in self.lines:
            line.ours.link.finish()
            if self.waits(line):
                line.asked.answer(LinkCode.UNREACHABLE)  # type: ignore[union-attr]
        self.settle()
        self.in_order()
        assert all(link.closed for link in self.halves()), [link.id for link in self.halves() if not link.closed]
        for side in (*self.tower.near.sides, *self.tower.far.sides):
            assert side.session.all_links.by_id == {}
            assert side.session.all_links.pool.grown_bytes == 0

    def complete(self, line: Line) -> None:
        """Who alone ended it politely, or nobody: all that was said is there."""
        if line.theirs is None or self.cut:
            return
        for speaker, hearer in ((line.ours, line.theirs), (line.theirs, line.ours)):
            if not hearer.was_open:
                continue  # over before its owner heard of it: INCOMING, data and CLOSE in one go
            if not hearer.ended_by_us and speaker.ended_by_us != "close":
                assert hearer.received == speaker.said, (len(hearer.received), len(speaker.said))


class LinkMachineTests(SynchronousTestCase):
    """Deterministic, so that a failure is the same for everybody."""

    def test_links_between_three(self) -> None:
        run_state_machine_as_test(Links, settings=LONG if RUNS else SHORT)  # type: ignore[no-untyped-call]
