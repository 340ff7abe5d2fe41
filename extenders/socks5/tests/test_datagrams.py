"""Datagrams of an association: headers byte by byte, fragments, and the queue that drops the oldest."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given, settings
from hypothesis import strategies as st
from quantumgate_socks5.datagrams import WAITING_MOST, BadDatagram, DatagramQueue, unwrap, wrap
from quantumgate_socks5.destination import Destination
from twisted.trial.unittest import SynchronousTestCase


class HeaderTests(SynchronousTestCase):
    """RFC 1928, section 7."""

    def test_round_trip(self) -> None:
        for host in (IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1"), "example.org"):
            for payload in (b"", b"x" * 65_000):
                destination = Destination(host, 53)
                self.assertEqual(unwrap(wrap(destination, payload)), (destination, payload))

    def test_fragments_are_refused(self) -> None:
        sound = wrap(Destination("a", 53), b"x")
        for number in range(1, 256):
            with self.assertRaises(BadDatagram):
                unwrap(sound[:2] + bytes((number,)) + sound[3:])

    def test_malformed(self) -> None:
        """Reserved bytes, types, cuts inside the header."""
        sound = wrap(Destination(IPv4Address("192.0.2.1"), 53), b"")
        cuts = [sound[:at] for at in range(len(sound))]
        reserved = [bytes((byte, 0)) + sound[2:] for byte in range(1, 256)] + [bytes((0, 1)) + sound[2:]]
        kinds = [sound[:3] + bytes((kind,)) + sound[4:] for kind in {*range(256)} - {1, 3, 4}]
        for wrong in (*cuts, *reserved, *kinds, b"\0\0\0\x03\0\0\x35", b"\0\0\0\x03\x01 \0\x35"):
            with self.assertRaises(BadDatagram):
                unwrap(wrong)

    @settings(max_examples=80, deadline=None)
    @given(st.binary(max_size=80))
    def test_any_bytes(self, data: bytes) -> None:
        """Refused or understood, and what is understood is spelled again as it was."""
        try:
            destination, payload = unwrap(data)
        except BadDatagram:
            return
        self.assertEqual(wrap(destination, payload), data)


class QueueTests(SynchronousTestCase):
    """Bounded, and the newest survive."""

    def test_oldest_go_first(self) -> None:
        queue = DatagramQueue(100)
        for number in range(10):
            queue.put(bytes((number,)) * 30)
        self.assertEqual((len(queue), queue.held_bytes, queue.dropped), (3, 90, 7))
        self.assertEqual([queue.take()[0] for _ in range(3)], [7, 8, 9])
        self.assertEqual(queue.held_bytes, 0)

    def test_not_too_many_small_ones(self) -> None:
        """Found by reading: a queue of 256 KiB held 37,000 of them, two megabytes of objects."""
        queue = DatagramQueue(1 << 20)
        for number in range(WAITING_MOST + 10):
            queue.put(b"%d" % number)
        self.assertEqual((len(queue), queue.dropped, queue.take()), (WAITING_MOST, 10, b"10"))

    def test_one_that_is_too_large(self) -> None:
        queue = DatagramQueue(100)
        queue.put(b"x" * 101)
        self.assertEqual((len(queue), queue.held_bytes, queue.dropped), (0, 0, 1))
