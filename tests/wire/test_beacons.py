"""The plaintext of a beacon: byte by byte, and each way to get it wrong."""

from __future__ import annotations

from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire.beacons import BODY_BYTES, Beacon
from quantumgate.wire.limits import BEACON_PAD_BYTES

WHO = PeerUUID(UUID("0b51a0f2-3c4d-8100-8888-000000000001"))
BYTES = bytes.fromhex("01 270f 0b51a0f23c4d81008888000000000001 1122334455667788 000001a2b3c4d5e6")


class BeaconTests(SynchronousTestCase):
    def test_byte_by_byte(self) -> None:
        beacon = Beacon(WHO, 9999, 0x1122334455667788, 0x01A2B3C4D5E6)
        self.assertEqual(beacon.encode(), BYTES)
        self.assertEqual(len(BYTES), BODY_BYTES)
        self.assertEqual(Beacon.decode(BYTES), beacon)

    def test_padding_means_nothing_and_is_bounded(self) -> None:
        for pad in (0, 1, BEACON_PAD_BYTES):
            self.assertEqual(Beacon.decode(Beacon.decode(BYTES).encode(bytes(pad))), Beacon.decode(BYTES))
        self.assertRaises(MalformedError, Beacon.decode, BYTES + bytes(BEACON_PAD_BYTES + 1))

    def test_what_is_none(self) -> None:
        nobody = bytearray(BYTES)
        nobody[9] = 0x41
        for wrong in (b"", BYTES[:-1], b"\x02" + BYTES[1:], bytes(nobody)):
            self.assertRaises(MalformedError, Beacon.decode, wrong)
