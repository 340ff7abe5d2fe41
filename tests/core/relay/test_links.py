"""Links over real sessions: bytes in order both ways, credit that bounds a relay, ends that reach the other side."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.events import LinkArrived
from quantumgate.core.relay.link import Link
from quantumgate.errors import LocalError, SessionClosed
from quantumgate.wire import frames, link_frames
from quantumgate.wire.codes import CloseCode, LinkCode
from quantumgate.wire.limits import DEFAULT_LIMITS, KIB, MIB
from tests.core.relay.tower import CELLS, TARGET, TERMS, Outlet, Tower
from tests.core.sessions import PLAIN, Mallory, Pair, tuned

WINDOW = DEFAULT_LIMITS.link_window_bytes


class CarriedTests(SynchronousTestCase):
    """What one end says the other hears, and nothing else."""

    def test_a_link_is_asked_brought_and_answered(self) -> None:
        tower = Tower()
        ours, theirs = tower.ask()
        self.assertEqual(tower.asked().target, TARGET)
        self.assertEqual(ours.answers, [(LinkCode.CONNECTED, TERMS)])
        self.assertTrue(ours.link.connected and theirs.link.connected)

    def test_bytes_both_ways_in_order(self) -> None:
        tower = Tower()
        ours, theirs = tower.ask()
        there, back = bytes(range(256)) * 4000, b"pong" * 200_000
        ours.say(there)
        theirs.say(back)
        tower.pump(2000)
        self.assertEqual((bytes(theirs.received), bytes(ours.received)), (there, back))

    def test_many_links_share_a_carrier_fairly(self) -> None:
        tower = Tower()
        pairs = [tower.ask() for _ in range(5)]
        for ours, _ in pairs:
            ours.say(bytes(MIB))
        tower.near.pump()
        tower.gate_far.connection.data_to_send(tower.far.now)
        tower.pump(2000)
        self.assertEqual([len(theirs.received) for _, theirs in pairs], [MIB] * 5)

    def test_windows_grow_to_their_bound_and_loans_come_back(self) -> None:
        tower = Tower()
        ours, theirs = tower.ask()
        ours.say(bytes(8 * MIB))
        tower.pump(4000)
        asked = tower.asked().link
        self.assertEqual(asked.window_bytes, DEFAULT_LIMITS.link_window_max_bytes)
        pool = tower.gate_near.session.all_links.pool
        self.assertEqual(pool.grown_bytes, DEFAULT_LIMITS.link_window_max_bytes)
        ours.link.close()
        tower.pump()
        self.assertEqual(pool.grown_bytes, 0)
        self.assertEqual(theirs.ends, [LinkCode.RESET])

    def test_cells_inside_cells_stay_whole(self) -> None:
        """An inner cell of the next depth fills one LINK_DATA frame of a full outer record."""
        inner = 16_384 - 44
        tower = Tower()
        ours, theirs = tower.ask()
        before = tower.alice.session.bytes_sent
        for _ in range(3):
            ours.say(bytes(inner))
        tower.pump()
        self.assertEqual(tower.alice.session.bytes_sent - before, 3 * 16_384)
        self.assertEqual(len(theirs.received), 3 * inner)


class CreditTests(SynchronousTestCase):
    """A stuck end costs the relay a window; nobody else waits."""

    def test_a_stuck_reader_stops_the_writer_and_only_it(self) -> None:
        tower = Tower()
        stuck, reader = tower.ask()
        reader.holding = True
        stuck.say(bytes(4 * MIB))
        free, other = tower.ask()
        tower.pump(500)
        held = tower.pipes[0][0].moved_bytes
        self.assertEqual(len(reader.received), held)
        self.assertTrue(WINDOW - 16 * KIB < held <= WINDOW)
        self.assertLessEqual(stuck.link.sent_bytes, held + DEFAULT_LIMITS.link_window_max_bytes)
        free.say(bytes(MIB))
        tower.pump(2000)
        self.assertEqual(len(other.received), MIB)
        reader.holding = False
        reader.link.consumed(held)
        tower.pump(2000)
        self.assertEqual(len(reader.received), 4 * MIB)

    def test_an_overrun_is_a_violation(self) -> None:
        mallory, link = brought()
        Outlet(link).holding = True
        for _ in range(4):
            mallory.say(frames.frame(link_frames.LINK_DATA, bytes(16 * KIB), link.id))
        self.assertIsNone(mallory.side.end)
        mallory.say(frames.frame(link_frames.LINK_DATA, b"x", link.id))
        self.assertEqual(mallory.side.end.code if mallory.side.end else None, CloseCode.VIOLATION)

    def test_small_cells_of_credit_do_not_stall(self) -> None:
        """A piece that is larger than what credit is left waits for more, and more comes."""
        tower = Tower()
        ours, theirs = tower.ask()
        for size in (16_340, 5, 16_340, 980, 16_340, 16_340, 3, 16_340, 16_340):
            ours.say(bytes(size))
        tower.pump(500)
        self.assertEqual(len(theirs.received), 6 * 16_340 + 988)


class EndsTests(SynchronousTestCase):
    """Each way a link can end is told to both ends, once, behind the data where it is a polite end."""

    def test_finish_goes_behind_the_data(self) -> None:
        tower = Tower()
        ours, theirs = tower.ask()
        ours.say(bytes(300 * KIB))
        ours.link.finish()
        tower.pump(500)
        self.assertEqual((len(theirs.received), theirs.ends, ours.ends), (300 * KIB, [0], [0]))
        self.assertEqual([len(side.session.all_links.by_id) for pair in (tower.near, tower.far) for side in pair.sides],
                         [0] * 4)

    def test_close_is_told_at_once(self) -> None:
        tower = Tower()
        ours, theirs = tower.ask()
        theirs.link.close(LinkCode.FAILURE)
        tower.pump()
        self.assertEqual((ours.ends, theirs.ends), ([LinkCode.FAILURE], [LinkCode.FAILURE]))

    def test_a_link_dies_with_either_session(self) -> None:
        for which in ("near", "far"):
            tower = Tower()
            ours, theirs = tower.ask()
            pair = getattr(tower, which)
            for side in pair.sides:
                side.connection.eof(pair.now)
            tower.pump()
            self.assertEqual((ours.ends, theirs.ends), ([LinkCode.RESET], [LinkCode.RESET]), which)

    def test_a_refused_link(self) -> None:
        tower = Tower()
        ours = Outlet(tower.alice.session.all_links.ask(TARGET))
        tower.pump()
        tower.asked().link.answer(LinkCode.POLICY)
        tower.pump()
        self.assertEqual((ours.answers, ours.ends), ([(LinkCode.POLICY, None)], [LinkCode.POLICY]))

    def test_nothing_is_sent_before_the_answer(self) -> None:
        tower = Tower()
        ours = Outlet(tower.alice.session.all_links.ask(TARGET), b"too early")
        tower.pump()
        self.assertEqual(ours.link.sent_bytes, 0)
        ours.link.finish()
        tower.pump()
        self.assertTrue(tower.asked().link.closed)

    def test_frames_for_ended_links_are_ignored(self) -> None:
        mallory, link = brought()
        link.close()
        number = link.id
        mallory.say(frames.frame(link_frames.LINK_DATA, b"late", number),
                    frames.frame(link_frames.LINK_WINDOW, frames.U64.pack(1 << 20), number),
                    frames.frame(link_frames.LINK_CLOSE, b"\x00", number))
        self.assertIsNone(mallory.side.end)

    def test_an_open_link_keeps_the_session(self) -> None:
        tower = Tower()
        ours, _ = tower.ask()
        tower.near.advance(DEFAULT_LIMITS.idle_seconds + 60)
        self.assertIsNone(tower.alice.end)
        ours.link.close()
        tower.pump()
        tower.near.advance(DEFAULT_LIMITS.idle_seconds + 60)
        self.assertEqual(tower.alice.end.code if tower.alice.end else None, CloseCode.IDLE)


def brought(**more: object) -> tuple[Mallory, Link]:
    """A carrier whose initiator is Mallory, and the link that she brought."""
    mallory = Mallory(settings=CELLS, role=3, **more)  # type: ignore[arg-type]
    mallory.say(frames.frame(link_frames.LINK_INCOMING, b"", 1))
    return mallory, mallory.side.of(LinkArrived)[0].link


def asked_by_mallory(link_id: int = 1, data: bytes | None = None, flags: int = frames.WHOLE) -> bytes:
    return frames.frame(link_frames.LINK_CREATE, TARGET.encode() if data is None else data, link_id, flags)


class RulesTests(SynchronousTestCase):
    """What an authenticated peer may not do with links, and how it ends."""

    def expect(self, code: int | None, *said: bytes, role: int = 2, **more: object) -> Mallory:
        """``code`` None = the channel is dead."""
        mallory = Mallory(settings=CELLS, role=role, **more)  # type: ignore[arg-type]
        mallory.say(*said)
        end = mallory.side.end
        self.assertIsNotNone(end, said)
        self.assertEqual(end.code if end else 0, code, end)
        return mallory

    def test_foreign_reused_and_own_ids(self) -> None:
        violation = CloseCode.VIOLATION
        self.expect(violation, frames.frame(link_frames.LINK_DATA, b"x", 7))
        self.expect(violation, frames.frame(link_frames.LINK_CLOSE, b"\x00", 2))
        self.expect(violation, frames.frame(link_frames.LINK_WINDOW, frames.U64.pack(1 << 20), 5))
        self.expect(violation, asked_by_mallory(3), asked_by_mallory(3))
        self.expect(violation, asked_by_mallory(3), asked_by_mallory(1))
        self.expect(violation, asked_by_mallory(2))

    def test_data_before_the_answer(self) -> None:
        self.expect(CloseCode.VIOLATION, asked_by_mallory(), frames.frame(link_frames.LINK_DATA, b"x", 1))

    def test_empty_data(self) -> None:
        mallory, link = brought()
        mallory.say(frames.frame(link_frames.LINK_DATA, b"", link.id))
        self.assertEqual(mallory.side.end.code if mallory.side.end else None, CloseCode.VIOLATION)

    def test_roles(self) -> None:
        violation = CloseCode.VIOLATION
        self.expect(violation, asked_by_mallory(), role=3)
        self.expect(violation, frames.frame(link_frames.LINK_INCOMING, b"", 1), role=2)
        opening = frames.ChannelOpen(TARGET.uuid, True, 2, b"").encode()
        for role in (2, 3):
            self.expect(violation, frames.frame(frames.CH_OPEN, opening, 1), role=role)
            self.expect(violation, frames.frame(frames.EXT_UPDATE, b"", flags=frames.WHOLE), role=role)

    def test_malformed(self) -> None:
        for data in (b"", b"\x01" + bytes(16), b"\x02" + TARGET.encode()[1:], TARGET.encode()[:-1],
                     TARGET.encode() + b"\x04", TARGET.encode() + TARGET.encode()[17:] * 8,
                     b"\x01" + bytes(16) + TARGET.encode()[17:]):
            self.expect(None, asked_by_mallory(data=data))
        self.expect(None, asked_by_mallory(0))
        self.expect(None, asked_by_mallory(flags=0x10))
        self.expect(None, asked_by_mallory(flags=frames.LAST))
        self.expect(None, asked_by_mallory(flags=frames.FIRST), asked_by_mallory(flags=frames.FIRST))
        self.expect(None, asked_by_mallory(flags=frames.FIRST), asked_by_mallory(3, flags=frames.LAST))
        self.expect(None, asked_by_mallory(flags=frames.FIRST), asked_by_mallory(data=b"", flags=0))
        self.expect(None, frames.frame(link_frames.LINK_DATA, b"x", 1, flags=1))
        self.expect(None, frames.frame(link_frames.LINK_CLOSE, b"\x00\x00", 1))
        self.expect(None, frames.frame(link_frames.LINK_WINDOW, b"\x00", 1))
        self.expect(None, frames.frame(link_frames.LINK_STATUS, b"\x01", 1))

    def test_a_status_that_nobody_waits_for(self) -> None:
        mallory, link = brought()
        mallory.say(frames.frame(link_frames.LINK_STATUS, b"\x05", link.id))
        self.assertEqual(mallory.side.end.code if mallory.side.end else None, CloseCode.VIOLATION)

    def test_more_links_than_allowed_are_refused(self) -> None:
        mallory = Mallory(settings=tuned(CELLS, links_client=2), role=2)
        for number in (1, 3, 5):
            mallory.say(asked_by_mallory(number))
        mallory.listen()
        self.assertIn((link_frames.LINK_STATUS, 5, 0, bytes((LinkCode.LIMIT,))), mallory.seen)
        self.assertIsNone(mallory.side.end)

    def test_more_links_than_a_carrier_has(self) -> None:
        mallory = Mallory(settings=tuned(CELLS, links_carrier=2), role=3)
        for number in (1, 3, 5):
            mallory.say(frames.frame(link_frames.LINK_INCOMING, b"", number))
        mallory.listen()
        self.assertIn((link_frames.LINK_CLOSE, 5, 0, bytes((LinkCode.LIMIT,))), mallory.seen)
        self.assertIsNone(mallory.side.end)

    def test_floods(self) -> None:
        many = range(1, 400, 2)
        self.expect(CloseCode.FLOOD, *(asked_by_mallory(number) for number in many))
        rate = tuned(CELLS, links_carrier_rate=(30, 50))
        mallory = Mallory(settings=rate, role=3)
        mallory.say(*(frames.frame(link_frames.LINK_INCOMING, b"", number) for number in many))
        self.assertEqual(mallory.side.end.code if mallory.side.end else None, CloseCode.FLOOD)

    def test_our_own_side_keeps_the_rules(self) -> None:
        client, carrier = Pair(CELLS, CELLS, role=2), Pair(CELLS, CELLS, role=3)
        self.assertRaises(LocalError, client.alice.session.all_links.bring)
        self.assertRaises(LocalError, carrier.alice.session.all_links.ask, TARGET)
        self.assertRaises(LocalError, client.alice.session.open_channel, TARGET.uuid, stream=True)
        client.alice.connection.close(now=client.now)
        self.assertRaises(SessionClosed, client.alice.session.all_links.ask, TARGET)

    def test_a_session_without_links_has_none_of_it(self) -> None:
        pair = Pair(PLAIN, PLAIN)
        self.assertIsNone(pair.alice.session.links)
