"""PCP and NAT-PMP, octet by octet as RFC 6887 and RFC 6886 draw them; and whatever a neighbour makes up."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.wire import port_maps
from quantumgate.wire.limits import MAP_ANSWER_BYTES
from quantumgate.wire.port_maps import MapAsk, RouterAnswer
from tests.net.mapping_router import NAT_PMP, PCP, MappingRouter

NONCE = bytes(range(12))
OWN, OUTSIDE = "10.0.0.2", "84.20.7.153"
FOUR_OWN, FOUR_OUTSIDE = "00000000000000000000ffff0a000002", "00000000000000000000ffff54140799"
ANY = "00000000000000000000ffff00000000"
PCP_MAP = bytes.fromhex(f"02810000 00000e10 000003e8 {'00' * 12} {NONCE.hex()} 06000000 270f 270f {FOUR_OUTSIDE}")
PMP_MAP = bytes.fromhex("0082 0000 000003e8 270f 4e20 00000e10")
READERS = (port_maps.read_pcp_announce, port_maps.read_pcp_map, port_maps.read_nat_pmp_address,
           port_maps.read_nat_pmp_map)


class AskTests(SynchronousTestCase):
    def test_a_map(self) -> None:
        ask = MapAsk(9999, 20_000, 3600)
        self.assertEqual(ask.nat_pmp(), bytes.fromhex("0002 0000 270f 4e20 00000e10"))
        self.assertEqual(ask.pcp(OWN, NONCE), bytes.fromhex(
            f"02010000 00000e10 {FOUR_OWN} {NONCE.hex()} 06000000 270f 4e20 {ANY}"))

    def test_who_is_there(self) -> None:
        self.assertEqual(port_maps.pcp_announce(OWN), bytes.fromhex(f"02000000 00000000 {FOUR_OWN}"))
        self.assertEqual(port_maps.nat_pmp_address(), b"\x00\x00")


class AnswerTests(SynchronousTestCase):
    def test_a_map(self) -> None:
        self.assertEqual(port_maps.read_pcp_map(PCP_MAP), RouterAnswer(0, 1000, 9999, 9999, 3600, OUTSIDE, NONCE))
        self.assertEqual(port_maps.read_nat_pmp_map(PMP_MAP), RouterAnswer(0, 1000, 9999, 20_000, 3600))

    def test_options_that_nobody_asked_for_are_let_be(self) -> None:
        self.assertEqual(port_maps.read_pcp_map(PCP_MAP + bytes(8)), port_maps.read_pcp_map(PCP_MAP))

    def test_who_is_there(self) -> None:
        announced = bytes.fromhex(f"02800000 00000000 000003e8 {'00' * 12}")
        self.assertEqual(port_maps.read_pcp_announce(announced), RouterAnswer(0, 1000))
        self.assertEqual(port_maps.read_pcp_announce(announced[:3] + b"\x04" + announced[4:]).result, 4)
        outside = bytes.fromhex("0080 0000 000003e8 54140799")
        self.assertEqual(port_maps.read_nat_pmp_address(outside), RouterAnswer(0, 1000, address=OUTSIDE))
        self.assertEqual(port_maps.read_nat_pmp_address(outside[:8] + bytes(4)).address, "")

    def test_refusals(self) -> None:
        self.assertEqual(port_maps.read_pcp_map(PCP_MAP[:3] + b"\x08" + PCP_MAP[4:]),
                         RouterAnswer(8, 1000, port=9999, nonce=NONCE))
        for size in (8, 12, 16):
            self.assertEqual(port_maps.read_nat_pmp_map((b"\x00\x82\x00\x02" + PMP_MAP[4:])[:size]),
                             RouterAnswer(2, 1000))

    def test_how_an_older_router_answers(self) -> None:
        self.assertTrue(port_maps.says_nat_pmp(bytes.fromhex("0081 0001 000003e8")))
        self.assertTrue(port_maps.says_nat_pmp(bytes.fromhex("0080 0001 000003e8") + bytes(8)))
        for wrong in ("", "0081 0001", "0001 0001 000003e8", "0281 0001 000003e8", "0081 0002 000003e8",
                      "0081 0001 000003e8" + "00" * 9):
            self.assertFalse(port_maps.says_nat_pmp(bytes.fromhex(wrong)), wrong)

    def test_each_way_to_get_a_pcp_map_wrong(self) -> None:
        def with_octet(at: int, value: int) -> bytes:
            return PCP_MAP[:at] + bytes((value,)) + PCP_MAP[at + 1 :]

        wrong = [PCP_MAP[:size] for size in range(60)]
        wrong += [PCP_MAP + b"\x00", PCP_MAP + bytes(MAP_ANSWER_BYTES - 56)]
        wrong += [with_octet(0, 1), with_octet(0, 0), with_octet(1, 1), with_octet(1, 0x80), with_octet(36, 17)]
        wrong += [PCP_MAP[:42] + bytes(2) + PCP_MAP[44:], PCP_MAP[:44] + b"\x26" + PCP_MAP[45:]]
        for each in wrong:
            self.assertRaises(MalformedError, port_maps.read_pcp_map, each)
        self.assertEqual(len(PCP_MAP + bytes(MAP_ANSWER_BYTES - 60)), MAP_ANSWER_BYTES)
        port_maps.read_pcp_map(PCP_MAP + bytes(MAP_ANSWER_BYTES - 60))

    def test_each_way_to_get_a_nat_pmp_map_wrong(self) -> None:
        wrong = [PMP_MAP[:size] for size in range(16)] + [PMP_MAP + b"\x00"]
        wrong += [b"\x02" + PMP_MAP[1:], b"\x00\x81" + PMP_MAP[2:], b"\x00\x02" + PMP_MAP[2:]]
        wrong += [PMP_MAP[:10] + bytes(2) + PMP_MAP[12:]]
        for each in wrong:
            self.assertRaises(MalformedError, port_maps.read_nat_pmp_map, each)


class MadeUpTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=80) | st.binary(max_size=40).map(lambda more: PCP_MAP[:30] + more)
           | st.binary(max_size=12).map(lambda more: PMP_MAP[:6] + more))
    def test_any_bytes_are_an_answer_or_malformed(self, data: bytes) -> None:
        port_maps.says_nat_pmp(data)
        for read in READERS:
            try:
                answer = read(data)
            except MalformedError:
                continue
            self.assertIn(len(answer.nonce), (0, 12))
            self.assertTrue(0 <= answer.external < 65_536)
            self.assertFalse(answer.lease_seconds and not answer.external and not answer.result)

    @settings(max_examples=100, deadline=None)
    @given(st.integers(1, 65_535), st.integers(0, 65_535), st.integers(1, 7200), st.binary(min_size=12, max_size=12))
    def test_a_router_that_reads_by_itself_understands_and_is_understood(
        self, port: int, external: int, lease: int, nonce: bytes
    ) -> None:
        ask = MapAsk(port, external, lease)
        for speaks in (PCP, NAT_PMP):
            router = MappingRouter(lambda: 5000.0, speaks)
            said = router.hear(ask.pcp(OWN, nonce) if speaks == PCP else ask.nat_pmp(), OWN)
            read = port_maps.read_pcp_map if speaks == PCP else port_maps.read_nat_pmp_map
            answer = read(said or b"")
            self.assertEqual((answer.result, answer.port, answer.external, answer.lease_seconds, answer.epoch_seconds),
                             (0, port, external or port, lease, 1000))
            self.assertEqual({one: each.inside for one, each in router.maps.items()}, {external or port: (OWN, port)})
