"""One link over real sessions: bytes in order both ways, credit that bounds a relay, ends that reach the other side."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.credit import CreditPool
from quantumgate.core.events import LinkArrived
from quantumgate.core.relay.link import MERGED_BYTES
from quantumgate.wire import frames, link_frames
from quantumgate.wire.codes import CloseCode, LinkCode
from quantumgate.wire.limits import DEFAULT_LIMITS, KIB, MIB
from tests.core.relay.tower import CELLS, TARGET, TERMS, Outlet, Tower, brought
from tests.core.sessions import PLAIN, Mallory, tuned

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

    def test_links_take_turns_record_by_record(self) -> None:
        tower = Tower()
        ends = [tower.ask()[0] for _ in range(3)]
        for end in ends:
            for _ in range(3):
                end.say(bytes(16_340))
        view = memoryview(bytearray(16_384))
        for _ in range(6):
            tower.alice.connection.seal_into(view, tower.near.now)
        self.assertEqual([end.link.sent_bytes for end in ends], [2 * 16_340] * 3)

    def test_beside_channels_of_every_class(self) -> None:
        """A link writes into the record itself, the channels' pieces are put there afterwards: each in its place."""
        tower = Tower(near_role=1)
        ours, theirs = tower.ask()
        for priority in (1, 2, 3):
            channel = tower.alice.open(priority=priority)
            for size in (3, 700, 5000):
                channel.send(bytes([priority]) * size)
        for size in (900, 16_340, 40, 16_340, 16_340):
            ours.say(b"link" * (size // 4))
        tower.pump(500)
        self.assertEqual(bytes(theirs.received), b"link" * (49_960 // 4))
        messages = [(message[0], len(message)) for message in tower.gate_near.messages]
        self.assertEqual(sorted(messages), [(priority, size) for priority in (1, 2, 3) for size in (3, 700, 5000)])

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

    def test_a_window_that_grew_without_a_loan_gives_none_back(self) -> None:
        """Found by fuzzing: an end that became a part of a splice later took from the pool what it had not lent."""
        tower = Tower()
        ours, theirs = tower.ask()
        ours.say(bytes(8 * MIB))
        tower.pump(4000)
        self.assertEqual(theirs.link.window_bytes, DEFAULT_LIMITS.link_window_max_bytes)
        theirs.link.feed(theirs, pooled=True)
        pool = theirs.link._links.pool
        theirs.link.close()
        self.assertEqual(pool.grown_bytes, 0)

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

    def test_windows_grow_as_far_as_the_pools_lend(self) -> None:
        """A client's session, a carrier and the node each lend no more than their pool holds."""
        most = DEFAULT_LIMITS.link_window_max_bytes
        for name in ("link_pool_client_bytes", "link_pool_egress_bytes"):
            tower = Tower(tuned(CELLS, **{name: most}))
            for ours, theirs in [tower.ask(), tower.ask()]:
                ours.say(bytes(MIB))
                theirs.say(bytes(MIB))
            tower.pump(2000)
            carried = tower.gate_near if "client" in name else tower.gate_far
            pool = carried.session.all_links.pool
            self.assertEqual((pool.size_bytes, pool.grown_bytes), (most, most))
        shared = CreditPool(most, growth_share=1)
        tower = Tower(replace(CELLS, link_pool=shared))
        ours, theirs = tower.ask()
        ours.say(bytes(MIB))
        theirs.say(bytes(MIB))
        tower.pump(2000)
        self.assertEqual(shared.grown_bytes, most)

    def test_small_cells_of_credit_do_not_stall(self) -> None:
        """A piece that is larger than what credit is left waits for more, and more comes."""
        tower = Tower()
        ours, theirs = tower.ask()
        for size in (16_340, 5, 16_340, 980, 16_340, 16_340, 3, 16_340, 16_340):
            ours.say(bytes(size))
        tower.pump(500)
        self.assertEqual(len(theirs.received), 6 * 16_340 + 988)

    def test_a_piece_that_no_record_has_room_for_is_split(self) -> None:
        """Found by the state machine: another implementation may send more in a frame than a cell of ours takes on."""
        for settings in (CELLS, CELLS.in_cells(3), PLAIN):
            tower = Tower(settings)
            ours, theirs = tower.ask()
            for size in (16_341, 16_384, 16_385, 65_000):
                ours.say(bytes(size))
            tower.pump(2000)
            self.assertEqual(len(theirs.received), 114_110)

    def test_small_pieces_cost_a_relay_no_more_than_they_hold(self) -> None:
        """Found by reading: a window of single bytes made an object of each, forty times what was sent."""
        tower = Tower()
        _, theirs = tower.ask()
        theirs.holding = True
        asked, there, said = tower.asked().link, tower.pipes[0][0], bytes(range(200)) * 30
        theirs.link.receive_limit = 0
        tower.gate_far.session.links.by_id[1].send_limit = 0  # type: ignore[union-attr]
        for at in range(len(said)):
            asked.receive(memoryview(said[at : at + 1]))
        self.assertEqual((b"".join(there._queue), len(there._queue)), (said, -(-len(said) // MERGED_BYTES)))
        asked.receive(memoryview(bytes(980)))
        self.assertEqual(len(there._queue[-1]), 980)

    def test_data_that_came_before_anybody_listened(self) -> None:
        """LINK_INCOMING and data in one record: the owner hears of the link when all of it has been read."""
        mallory = Mallory(settings=CELLS, role=3)
        mallory.say(frames.frame(link_frames.LINK_INCOMING, b"", 1),
                    frames.frame(link_frames.LINK_DATA, b"early", 1), frames.frame(link_frames.LINK_DATA, b" bird", 1))
        outlet = Outlet(mallory.side.of(LinkArrived)[0].link)
        self.assertEqual(bytes(outlet.received), b"early bird")
        mallory.say(frames.frame(link_frames.LINK_DATA, b"!", 1))
        self.assertEqual((bytes(outlet.received), outlet.link.consumed_bytes), (b"early bird!", 11))


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
