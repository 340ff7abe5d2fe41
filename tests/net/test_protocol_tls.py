"""The pump over TLS, where closing needs an answer of the other end: it comes, or the transport is dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions, DefaultOpenSSLContextFactory
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net import protocol
from quantumgate.net.protocol import HANG_UP_SECONDS, PeerProtocol
from quantumgate.testing.network import MemoryNetwork
from quantumgate.testing.weather import Weather
from tests.net.test_protocol import Far, Owner, ScriptedConnection
from tests.node.test_endpoints import certificate


class TlsTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        pem, key = certificate(directory)
        self.network = MemoryNetwork(weather=Weather(latency_seconds=0.01))
        self.clock: Clock = self.network.clock
        self.connection, self.owner, self.far = ScriptedConnection(), Owner(), Far()
        self.pump = PeerProtocol(self.connection, self.owner, self.clock)  # type: ignore[arg-type]
        context = DefaultOpenSSLContextFactory(str(key), str(pem))
        server = TLSMemoryBIOFactory(context, False, _once(self.pump), self.clock)
        client = TLSMemoryBIOFactory(CertificateOptions(), True, _once(self.far), self.clock)
        self.network.join(server.buildProtocol(None), client.buildProtocol(None))
        (self.near_line, self.far_line), = self.network.connections
        self.pass_time(1)

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([seconds / 200] * 200)

    def test_bytes_and_a_clean_end(self) -> None:
        self.connection.output += b"over tls" * 1000
        self.pump.wake()
        self.far.transport.write(b"and back")
        self.pass_time(1)
        self.assertEqual((bytes(self.far.came), bytes(self.connection.came)), (b"over tls" * 1000, b"and back"))
        self.connection.finished = True
        self.pump.wake()
        self.pass_time(1)
        self.assertEqual((self.near_line.over, self.far.lost, self.clock.getDelayedCalls()), (True, True, []))

    def test_an_end_that_nobody_answers(self) -> None:
        self.far_line.pauseProducing()
        self.connection.output += b"n" * 1_000_000
        self.pump.wake()
        self.pass_time(1)
        self.connection.finished = True
        self.pump.hang_up()
        self.pass_time(HANG_UP_SECONDS - 0.5)
        self.assertFalse(self.near_line.over)
        self.pass_time(1)
        self.assertTrue(self.near_line.over)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_our_own_pause_does_not_keep_it_open(self) -> None:
        """A connection that only discards rests most of the time; the answer to its end stays unread meanwhile."""
        self.patch(protocol, "UNSLOWED_BYTES", 0)
        self.pump.read_slowly(1)
        self.far.transport.write(b"x" * 1000)
        self.pass_time(1)
        self.assertTrue(self.near_line.paused)
        self.pump.hang_up()
        self.pass_time(HANG_UP_SECONDS + 1)
        self.assertTrue(self.near_line.over)
        self.assertEqual(self.clock.getDelayedCalls(), [])


def _once(protocol: Any) -> Factory:
    factory = Factory()
    factory.buildProtocol = lambda address: protocol  # type: ignore[method-assign]
    return factory
