"""Row 15 of docs/attacks.md: lengths, counts, types, flags and shapes that records and frames must not have."""

from __future__ import annotations

from quantumgate.core.state import FRAMES, SessionPhase
from quantumgate.wire import features, frames
from quantumgate.wire.limits import CONTROL_MESSAGE_BYTES, MAX_FRAMES_PER_RECORD
from quantumgate.wire.session_tlvs import SessionBlock
from tests.attacks.reactions import CHUNKS, SessionReactionTestCase
from tests.core.sessions import ECHO, PLAIN, Mallory

OPEN = frames.ChannelOpen(ECHO, False, 2, b"").encode()


def header(mallory: Mallory, length: int, flags: int = 0) -> bytes:
    """The header box of the next record, whatever it says."""
    sealer = mallory.sealer
    return sealer._key.seal(2 * sealer.records, (length << 8 | flags).to_bytes(4, "big"))


class Row15Tests(SessionReactionTestCase):
    """Malformed is dead, byte by byte as well as at once."""

    def refused(self, *bodies: bytes) -> None:
        """Each body, alone, kills a session whose channel 1 has ended."""
        for body in bodies:
            for chunk in CHUNKS if len(body) < 1000 else CHUNKS[:1]:
                mallory = Mallory()
                mallory.open(1)
                mallory.say(frames.frame(frames.CH_RESET, bytes(2), 1))
                mallory.listen()
                mallory.raw(mallory.record(body), chunk)
                self.dead(mallory, body[:40].hex())

    def taken(self, *bodies: bytes) -> None:
        """Each body is legal, so that what is refused beside it is refused for its own sake."""
        mallory = Mallory()
        mallory.open(1)
        for body in bodies:
            mallory.say(body)
            self.alive(mallory, body[:40].hex())

    def test_lengths_of_records(self) -> None:
        """The header alone decides: nothing is read or kept for a body that may not be."""
        most = PLAIN.block().max_record
        for length, flags in ((0, 0), (most + 1, 0), ((1 << 24) - 1, 0), (100, 1), (100, 0x80), (100, 0xFF)):
            mallory = Mallory()
            mallory.raw(header(mallory, length, flags))
            self.dead(mallory, (length, flags))
        mallory = Mallory()
        mallory.say(bytes(most))
        self.alive(mallory)

    def test_what_was_announced_holds_before_the_session_block_too(self) -> None:
        mallory = Mallory(victim_initiates=True, opened=False)
        mallory.raw(header(mallory, PLAIN.block().max_record + 1))
        self.dead(mallory)

    def test_frames_longer_than_their_record(self) -> None:
        head = frames.HEAD
        self.refused(
            head.pack(frames.PING << 24, 9) + bytes(8),
            head.pack(frames.PING << 24, 0xFFFFFF) + bytes(8),
            frames.frame(frames.PING, bytes(8)) + head.pack(frames.MSG << 24 | 1, 2 << 24 | 1),
            *(frames.frame(frames.PING, bytes(8))[:size] for size in (1, 7, 8, 15)),
        )

    def test_too_many_frames(self) -> None:
        late = frames.frame(frames.MSG, b"", 1)
        self.refused(late * 5000, late * (MAX_FRAMES_PER_RECORD + 1))
        mallory = Mallory()
        mallory.open(1)
        mallory.say(frames.frame(frames.CH_RESET, bytes(2), 1))
        mallory.say(late * MAX_FRAMES_PER_RECORD)
        self.alive(mallory)

    def test_what_follows_type_00_is_padding_and_is_not_parsed(self) -> None:
        ping = frames.frame(frames.PING, bytes(8))
        closing = frames.frame(frames.CLOSE, bytes(2))
        for rest in (b"", b"\xff", frames.frame(0x7F), closing, bytes(5000), b"\xff" * 5000):
            mallory = Mallory()
            mallory.say(b"\x00" + rest)
            mallory.say(ping + b"\x00" + rest)
            self.alive(mallory, rest[:9])
            self.assertEqual(len(mallory.heard(frames.PONG)), 2)

    def test_every_type_that_is_not_in_the_table(self) -> None:
        known = set(FRAMES[SessionPhase.READY])
        self.assertFalse(known & ({0x7F, 0xFE, frames.NOISE} | features.TYPES.keys()))
        for kind in set(range(1, 256)) - known:
            mallory = Mallory()
            mallory.say(frames.frame(kind))
            self.dead(mallory, kind)

    def test_before_its_session_block_a_responder_may_send_session_or_close_only(self) -> None:
        bodies = [frames.frame(kind, bytes(8)) for kind in range(1, 256) if kind not in (frames.SESSION, frames.CLOSE)]
        bodies += [frames.frame(frames.CH_OPEN, OPEN, 2), frames.frame(frames.MSG, bytes(4), 2, frames.WHOLE)]
        for body in bodies:
            mallory = Mallory(victim_initiates=True, opened=False)
            mallory.say(body)
            self.dead(mallory, body.hex())
        mallory = Mallory(victim_initiates=True, opened=False)
        mallory.say(frames.frame(frames.CLOSE, bytes(2)))
        end = mallory.side.end
        self.assertEqual(end and (end.by, end.clean), ("remote", True))

    def test_session_comes_once_and_from_the_responder(self) -> None:
        block = frames.frame(frames.SESSION, SessionBlock().encode(), flags=frames.WHOLE)
        for initiates in (True, False):
            mallory = Mallory(victim_initiates=initiates)
            mallory.say(block)
            self.dead(mallory, initiates)

    def test_session_blocks_that_announce_too_little_or_too_much(self) -> None:
        for wrong in (
            {"max_record": 16_383}, {"max_record": 1_048_577}, {"initial_window": 65_535}, {"max_channels": 31},
            {"max_message": 0}, {"max_message": 8 * 1024 * 1024 + 1}, {"version": 0},
        ):  # fmt: skip
            mallory = Mallory(victim_initiates=True, opened=False)
            block = SessionBlock(**wrong).encode()  # type: ignore[arg-type]
            mallory.say(frames.frame(frames.SESSION, block, flags=frames.WHOLE))
            self.dead(mallory, wrong)

    def test_channels_and_flags_where_they_do_not_belong(self) -> None:
        on_zero = {frames.PING: bytes(8), frames.PONG: bytes(8), frames.CLOSE: bytes(2), frames.EXT_UPDATE: b""}
        for kind, data in on_zero.items():
            flags = frames.WHOLE if kind in frames.LONG_TYPES else 0
            self.refused(frames.frame(kind, data, 1, flags))
            if not flags:
                self.refused(*(frames.frame(kind, data, 0, wrong) for wrong in (1, 3, 0x80)))
        on_channel = {frames.CH_OPEN: OPEN, frames.CH_ACCEPT: b"", frames.CH_RESET: bytes(2), frames.WINDOW: bytes(8)}
        for kind, data in on_channel.items():
            self.refused(frames.frame(kind, data, 0), frames.frame(kind, data, 1, 1))

    def test_shapes_of_control_frames(self) -> None:
        name = ECHO.bytes
        shapes: list[tuple[int, int, bytes]] = [
            (frames.PING, 0, bytes(7)), (frames.PING, 0, bytes(9)), (frames.PONG, 0, b""),
            (frames.CLOSE, 0, b"\0"), (frames.CLOSE, 0, bytes(2 + 257)),
            (frames.CH_RESET, 1, b"\0"), (frames.CH_RESET, 1, bytes(2 + 129)), (frames.WINDOW, 1, bytes(7)),
            (frames.CH_OPEN, 3, OPEN[:17]), (frames.CH_OPEN, 3, OPEN + bytes(65)),
            (frames.CH_OPEN, 3, name + b"\0\2"), (frames.CH_OPEN, 3, name + b"\3\2"),
            (frames.CH_OPEN, 3, name + b"\1\0"), (frames.CH_OPEN, 3, name + b"\1\4"),
        ]  # fmt: skip
        self.refused(*(frames.frame(kind, data, channel) for kind, channel, data in shapes))
        updates = (bytes(15), name + name)
        self.refused(*(frames.frame(frames.EXT_UPDATE, data, flags=frames.WHOLE) for data in updates))
        self.taken(
            frames.frame(frames.CH_OPEN, OPEN + bytes(64), 3),
            frames.frame(frames.CH_RESET, bytes(2 + 128), 3),
            frames.frame(frames.EXT_UPDATE, name, flags=frames.WHOLE),
        )

    def test_ch_accept_is_empty_and_asked_for(self) -> None:
        mallory = Mallory()
        mallory.side.open()
        mallory.listen()
        mallory.say(frames.frame(frames.CH_ACCEPT, b"\0", 2))
        self.dead(mallory)

    def test_pieces_of_long_control_messages(self) -> None:
        def piece(flags: int, data: bytes = b"", kind: int = frames.EXT_UPDATE) -> bytes:
            return frames.frame(kind, data, flags=flags)

        name = ECHO.bytes
        first, last, whole = frames.FIRST, frames.LAST, frames.WHOLE
        self.refused(
            piece(0, name), piece(last, name), piece(4 | whole, name), piece(8 | whole, name), piece(first),
            piece(first, name) + piece(whole, name), piece(first, name) + piece(first, name),
            piece(first, name) + piece(0), piece(first, name) + piece(last, name, frames.REKEY_REQ),
            piece(first, bytes(60_000)) + piece(last, bytes(CONTROL_MESSAGE_BYTES - 60_000 + 1)),
        )  # fmt: skip
        most = b"".join(number.to_bytes(16, "big") for number in range(CONTROL_MESSAGE_BYTES // 16))
        in_pieces = piece(first, name[:5]) + piece(0, name[5:9]) + piece(last, name[9:])
        self.taken(in_pieces, piece(whole, most), piece(whole))

    def test_messages_that_do_not_add_up(self) -> None:
        total = frames.U32.pack
        first, last, whole = frames.FIRST, frames.LAST, frames.WHOLE
        for said in (
            ((whole, b""),), ((whole, b"\0\0\0"),), ((whole, total(1)),), ((whole, total(1) + b"xx"),),
            ((0, b"x"),), ((last, b"x"),), ((first, total(2) + b"x"), (whole, total(1) + b"x")),
            ((first, total(2) + b"x"), (last, b"xx")), ((first, total(2) + b"x"), (last, b"")),
            ((first, total(2)),), ((first, total(2) + b"x"), (0, b"")), ((first, total(1) + b"x"), (0, b"x")),
            ((first | 8, total(2) + b"x"),), ((first, total(3) + b"x"), (8, b"x")), ((8, b"x"),),
            ((0x10 | whole, total(1) + b"x"),), ((4 | last, b"x"),), ((first, total(2) + b"x"), (4 | last, b"x")),
        ):  # fmt: skip
            mallory = Mallory()
            mallory.open(1)
            mallory.listen()
            mallory.say(*(frames.frame(frames.MSG, data, 1, flags) for flags, data in said))
            self.assertEqual(mallory.side.messages, [], said)
            self.dead(mallory, said)

    def test_frames_of_streams(self) -> None:
        for flags, data in ((0, b""), (1, b"x"), (2, b"x"), (4, b"x"), (9, b"x"), (0x10, b"x")):
            mallory = Mallory()
            mallory.open(1, stream=True)
            mallory.listen()
            mallory.say(frames.frame(frames.MSG, data, 1, flags))
            self.dead(mallory, (flags, data))

    def test_key_switch_stands_last_and_is_empty(self) -> None:
        switch = frames.frame(frames.KEY_SWITCH)
        self.refused(switch, frames.frame(frames.KEY_SWITCH, b"\0"), switch + frames.frame(frames.PING, bytes(8)))
