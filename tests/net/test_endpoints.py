"""Endpoint objects over the door of a node: what Twisted promises of endpoints and ports."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import NoProtocol
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint
from zope.interface.verify import verifyObject

from quantumgate.errors import ConnectFailed
from quantumgate.extender.services import ServiceError, stream_address
from quantumgate.net.endpoints import ServiceClientEndpoint, ServiceServerEndpoint
from tests.extender.services import Diaries, ServicesCase


class EndpointTests(ServicesCase):
    def server(self, to: Any = ()) -> ServiceServerEndpoint:
        return ServiceServerEndpoint(self.far, "web", to, stream_address(None, "web"))

    def client(self, hops: int | None = None) -> ServiceClientEndpoint:
        return ServiceClientEndpoint(self.near, self.right, "web", hops)

    def test_interfaces(self) -> None:
        port = self.successResultOf(self.server().listen(Diaries()))
        for interface, thing in (
            (IStreamServerEndpoint, self.server()), (IStreamClientEndpoint, self.client()), (IListeningPort, port),
        ):
            self.assertTrue(verifyObject(interface, thing))
        self.assertEqual(port.getHost().label, b"web")

    def test_connect(self) -> None:
        there, here = Diaries(), Diaries()
        self.successResultOf(self.server().listen(there))
        near = self.nodes.result(self.client().connect(here))
        near.transport.write(b"hello")
        self.nodes.settle()
        self.assertEqual((near, bytes(there.made[0].got)), (here.made[0], b"hello"))

    def test_factories_are_started_and_stopped(self) -> None:
        there = Diaries()
        port = self.successResultOf(self.server().listen(there))
        self.assertEqual(there.started, 1)
        self.successResultOf(port.stopListening())
        self.successResultOf(port.stopListening())
        self.assertEqual(there.started, 0)
        with self.assertRaises(ConnectFailed):
            self.nodes.result(self.client().connect(Diaries()))

    def test_a_taken_name(self) -> None:
        self.successResultOf(self.server().listen(Diaries()))
        there = Diaries()
        self.failureResultOf(self.server().listen(there), ServiceError)
        self.assertEqual(there.started, 0)

    def test_no_protocol(self) -> None:
        self.successResultOf(self.server().listen(Diaries()))
        with self.assertRaises(NoProtocol):
            self.nodes.result(self.client().connect(Diaries(takes=False)))

    def test_what_stands_outlives_the_port(self) -> None:
        there = Diaries()
        port = self.successResultOf(self.server().listen(there))
        near = self.nodes.result(self.client().connect(Diaries()))
        self.successResultOf(port.stopListening())
        near.transport.write(b"still here")
        self.nodes.settle()
        self.assertEqual(bytes(there.made[0].got), b"still here")
