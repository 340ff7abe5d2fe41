"""What the weather does to what flies; the moving is tested in test_transport.py."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.testing.network import MemoryNetwork
from quantumgate.testing.weather import Weather
from tests.testing.test_transport import Keeper


class WeatherTests(SynchronousTestCase):
    """One connection, one knob at a time."""

    def lines(self, weather: Weather, seed: int = 0) -> tuple[MemoryNetwork, Keeper, Keeper]:
        network = MemoryNetwork(seed=seed, weather=weather)
        one, other = Keeper(network.clock), Keeper(network.clock)
        network.join(one, other)
        return network, one, other

    def test_calm(self) -> None:
        """Everything arrives in the next turn."""
        network, one, other = self.lines(Weather())
        one.transport.write(b"x")
        self.assertEqual(other.data, b"")
        network.clock.advance(0)
        self.assertEqual(other.data, b"x")

    def test_latency(self) -> None:
        network, one, other = self.lines(Weather(latency_seconds=0.5))
        one.transport.write(b"x")
        network.clock.advance(0.49)
        self.assertEqual(other.data, b"")
        network.clock.advance(0.02)
        self.assertEqual(other.data, b"x")

    def test_rate(self) -> None:
        """A thousand bytes at a hundred a second take ten seconds, in pieces."""
        network, one, other = self.lines(Weather(rate_bytes_per_second=100, piece_bytes=100))
        one.transport.write(bytes(1000))
        network.clock.pump([1.0] * 5)
        self.assertEqual(len(other.data), 500)
        network.clock.pump([1.0] * 5)
        self.assertEqual(len(other.data), 1000)

    def test_pieces(self) -> None:
        """Byte by byte, in order."""
        network, one, other = self.lines(Weather(piece_bytes=1))
        one.transport.write(b"hello")
        network.clock.advance(0)
        self.assertEqual(other.pieces, [b"h", b"e", b"l", b"l", b"o"])

    def test_jitter_and_loss_keep_order(self) -> None:
        """Pieces are late by different times, some very late, and arrive in order; the same seed, the same moments."""
        moments = []
        for _ in range(2):
            network, one, other = self.lines(Weather(jitter_seconds=0.1, loss=0.3), seed=7)
            for number in range(50):
                one.transport.write(b"%02d" % number)
                network.clock.advance(0.01)
            network.clock.pump([0.05] * 100)
            self.assertEqual(other.data, b"".join(b"%02d" % number for number in range(50)))
            moments.append(other.moments)
        self.assertEqual(moments[0], moments[1])
        self.assertGreater(max(b - a for a, b in zip(moments[0], moments[0][1:], strict=False)), 0.1)

    def test_rewrite(self) -> None:
        """The attacker on the line."""
        network, one, other = self.lines(Weather(rewrite=lambda data: data.replace(b"good", b"evil")))
        one.transport.write(b"good day")
        network.clock.advance(0)
        self.assertEqual(other.data, b"evil day")

    def test_changes_while_things_fly(self) -> None:
        """What is written after a change of the weather has the new one."""
        network, one, other = self.lines(Weather(latency_seconds=1))
        one.transport.write(b"slow")
        network.weather.latency_seconds = 3
        one.transport.write(b"slower")
        network.clock.advance(1)
        self.assertEqual(other.data, b"slow")
        network.clock.advance(2)
        self.assertEqual(other.data, b"slowslower")
