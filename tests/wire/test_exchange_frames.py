"""PEX_GET and PEX as bytes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.wire.exchange_frames import Told, decode_get, encode_get, that_fit
from quantumgate.wire.limits import CONTROL_MESSAGE_BYTES, PEER_RECORD_DELEGATED_BYTES, PEX_RECORDS


class ExchangeFrameTests(SynchronousTestCase):
    def test_asking(self) -> None:
        for count in (1, PEX_RECORDS):
            self.assertEqual(decode_get(encode_get(count)), count)
        for data in (b"", b"\0", bytes([PEX_RECORDS + 1]), b"\x01\x01"):
            self.assertRaises(MalformedError, decode_get, data)

    def test_telling(self) -> None:
        for told in (Told((b"abc",), own=True), Told(()), Told((b"a", b"bc" * 700)), Told((b"x",) * PEX_RECORDS)):
            self.assertEqual(Told.decode(told.encode()), told)
        longest = Told((bytes(PEER_RECORD_DELEGATED_BYTES),))
        self.assertEqual(Told.decode(longest.encode()), longest)
        self.assertEqual(Told((b"abc",), own=True).encode().hex(), "01" + "0003" + "616263")

    def test_what_is_no_pex(self) -> None:
        whole = Told((b"abc", b"de")).encode()
        longest = (PEER_RECORD_DELEGATED_BYTES + 1).to_bytes(2, "big") + bytes(PEER_RECORD_DELEGATED_BYTES + 1)
        for data in (
            b"", b"\0", b"\x03", b"\x01", Told((b"a", b"b")).encode().replace(b"\x02", b"\x01", 1), whole[:-1],
            whole + b"\0", b"\x02\0\0", b"\x02" + longest, Told((b"x",) * (PEX_RECORDS + 1)).encode(),
        ):  # fmt: skip
            self.assertRaises(MalformedError, Told.decode, data)

    def test_no_more_than_a_control_message_holds(self) -> None:
        for size in (300, 5_500, 16_384):
            told = that_fit([bytes(size)] * PEX_RECORDS)
            self.assertLessEqual(len(told.encode()), CONTROL_MESSAGE_BYTES)
            fit = min(PEX_RECORDS, (CONTROL_MESSAGE_BYTES - 1) // (size + 2))
            self.assertEqual(len(told.records), fit)
        self.assertEqual(that_fit([]).records, ())
