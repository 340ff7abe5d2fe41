"""What an authenticated peer may not do with links, and how many of them a session has."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.events import LinkAsked
from quantumgate.errors import LimitError, LocalError, SessionClosed
from quantumgate.wire import frames, link_frames
from quantumgate.wire.codes import CloseCode, LinkCode
from quantumgate.wire.limits import DEFAULT_LIMITS, LINK_ID_MAX
from tests.core.relay.tower import CELLS, TARGET, brought
from tests.core.sessions import PLAIN, Mallory, Pair, tuned

WINDOW = DEFAULT_LIMITS.link_window_bytes


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

    def test_a_relay_asks_nothing_of_its_clients(self) -> None:
        """Found by reading: a node answers 5 at once for its own UUID, so a gateway could ask who its client is."""
        mallory = self.expect(CloseCode.VIOLATION, asked_by_mallory(2), victim_initiates=True, block=CELLS.block())
        self.assertEqual(mallory.side.of(LinkAsked), [])

    def test_malformed(self) -> None:
        for data in (b"", b"\x01" + bytes(16), b"\x04" + TARGET.encode()[1:], TARGET.encode()[:-1],
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
        self.assertRaises(LocalError, client.bob.session.all_links.ask, TARGET)
        self.assertRaises(LocalError, client.alice.session.open_channel, TARGET.uuid, stream=True)
        client.alice.connection.close(now=client.now)
        self.assertRaises(SessionClosed, client.alice.session.all_links.ask, TARGET)

    def test_ids_end(self) -> None:
        links = Pair(CELLS, CELLS, role=2).alice.session.all_links
        links._next_id = LINK_ID_MAX
        links.ask(TARGET)
        self.assertRaises(LimitError, links.ask, TARGET)

    def test_a_session_without_links_has_none_of_it(self) -> None:
        pair = Pair(PLAIN, PLAIN)
        self.assertIsNone(pair.alice.session.links)
