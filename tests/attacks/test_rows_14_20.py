"""Rows 14, 15, 17, 18 and 20 of the attacks: what an authenticated peer may not do, whole and byte by byte."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode
from tests.core.sessions import PLAIN, Mallory, Pair, replace

CHUNKS = (1 << 30, 1)


class RowTests(SynchronousTestCase):
    def dead(self, mallory: Mallory) -> None:
        end = mallory.side.end
        assert end is not None
        self.assertEqual((end.reason, mallory.listen()), ("damaged", []))
        self.assertFalse(mallory.side.connection.finished)
        mallory.wait(61)
        self.assertTrue(mallory.side.connection.finished)

    def closed(self, mallory: Mallory, code: CloseCode) -> None:
        (_, _, data), *more = mallory.heard(frames.CLOSE)
        self.assertEqual((frames.U16.unpack_from(data)[0], more), (code, []))

    def test_row_14_damage(self) -> None:
        for chunk in CHUNKS:
            for at in (0, 19, 20, 30, -1):
                mallory = Mallory()
                mallory.open(1)
                mallory.listen()
                record = bytearray(mallory.record(mallory.message(1, b"never")))
                record[at] ^= 1
                mallory.raw(bytes(record), chunk)
                self.assertEqual(mallory.side.messages, [])
                self.dead(mallory)

    def test_row_14_twice_missing_and_cut(self) -> None:
        mallory = Mallory()
        mallory.open(1)
        record = mallory.record(mallory.message(1, b"once"))
        mallory.raw(record + record)
        self.assertEqual(mallory.side.messages, [b"once"])
        self.dead(mallory)
        mallory = Mallory()
        mallory.record(mallory.message(1, b"dropped"))
        mallory.raw(mallory.record(b"\x00"))
        self.dead(mallory)
        mallory = Mallory()
        mallory.raw(mallory.record(b"\x00")[:-1])
        mallory.side.connection.eof(mallory.now)
        mallory.side.meet()
        assert mallory.side.end is not None
        self.assertEqual((mallory.side.end.reason, mallory.side.end.clean), ("lost", False))

    def test_row_15_lengths_counts_and_types(self) -> None:
        late, too_long = frames.frame(frames.MSG, b"", 1), frames.HEAD.pack(frames.PING << 24, 9) + bytes(8)
        bodies = [b"", bytes(PLAIN.block().max_record + 1), too_long, late * 5000]
        bodies += [frames.frame(kind) for kind in (0x7F, 0xFE, frames.NOISE, 0x40)]
        for body in bodies:
            for chunk in CHUNKS if len(body) < 1000 else CHUNKS[:1]:
                mallory = Mallory()
                mallory.open(1)
                mallory.say(frames.frame(frames.CH_RESET, bytes(2), 1))
                mallory.listen()
                mallory.raw(mallory.record(body), chunk)
                self.dead(mallory)

    def test_row_15_what_follows_padding_is_not_parsed(self) -> None:
        mallory = Mallory()
        mallory.say(b"\x00" + frames.frame(0x7F))
        self.assertIsNone(mallory.side.end)

    def test_row_17_windows_and_channels(self) -> None:
        mallory = Mallory(accepting=False)
        mallory.open(1)
        mallory.say(frames.frame(frames.MSG, bytes(4) + bytes(70_000), 3, frames.WHOLE))
        self.closed(mallory, CloseCode.VIOLATION)
        mallory = Mallory(accepting=False)
        mallory.open(1)
        for _ in range(600):
            mallory.say(mallory.message(1, b""))
        self.closed(mallory, CloseCode.VIOLATION)

    def test_row_17_floods(self) -> None:
        mallory = Mallory()
        for number in range(1, 5001, 2):
            mallory.open(number)
            mallory.say(frames.frame(frames.CH_RESET, bytes(2), number))
        self.closed(mallory, CloseCode.FLOOD)
        mallory = Mallory()
        for _ in range(1200):
            mallory.say(frames.frame(frames.PING, bytes(8)))
        self.closed(mallory, CloseCode.FLOOD)

    def test_row_18_compressed(self) -> None:
        for data in (b"\x40\x00\x00\x00" + b"\x00\x00\x00\x01" + b"x", bytes(3), bytes(8) + b"\x01"):
            mallory = Mallory(settings=replace(PLAIN, compression=True))
            mallory.open(1)
            mallory.say(mallory.message(1, data, frames.WHOLE | frames.COMPRESSED))
            self.assertEqual(mallory.side.messages, [])
            self.closed(mallory, CloseCode.VIOLATION)

    def test_row_20_rekey(self) -> None:
        def asking(**changes: object) -> Mallory:
            mallory = Mallory()
            mallory.wait(61)
            mallory.say(mallory.long(frames.REKEY_REQ, mallory.request(**changes)))
            return mallory

        self.assertEqual(len(asking().heard(frames.REKEY_RSP)) > 0, True)
        for changes in ({"epoch": 2}, {"primary": 2}, {"signature": b""}, {"signature": bytes(64)}):
            self.dead(asking(**changes))
        early = Mallory()
        early.say(early.long(frames.REKEY_REQ, early.request()))
        self.dead(early)
        switch = Mallory()
        switch.say(frames.frame(frames.KEY_SWITCH))
        self.dead(switch)

    def test_row_20_both_at_once_and_withheld(self) -> None:
        pair = Pair(replace(PLAIN, padding="padme"), replace(PLAIN, padding="padme")).advance(100)
        for owner in pair.sides:
            owner.session.rekey.request(pair.now)
        pair.pump(1)
        self.assertEqual([owner.session.key_epoch for owner in pair.sides], [1, 1])
        mallory = Mallory()
        mallory.wait(100)
        mallory.side.session.rekey.request(mallory.now)
        for _ in range(25):
            mallory.wait(10)
            mallory.listen()
            if mallory.side.end is None:
                mallory.say(b"\x00")
        self.closed(mallory, CloseCode.REKEY_FAILED)
