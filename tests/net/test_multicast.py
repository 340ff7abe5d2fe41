"""Multicast over the loopback interface of this machine: who hears what, interfaces that come and go, and errors."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from quantumgate.net.interfaces import Interface
from quantumgate.net.multicast import LOOK_SECONDS, Multicast, Nowhere, may_be_here, opened
from quantumgate.wire.limits import BEACON_PORT

LOOPBACK = Interface(1, "lo", "127.0.0.1")
GROUPS = ("239.255.81.71", "ff12::8000:5147")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.bind(("127.0.0.1", 0))
        return int(asker.getsockname()[1])


class LoopbackTests(TestCase):
    """Real sockets; nothing leaves this machine."""

    timeout = 20

    def setUp(self) -> None:
        self.port = free_port()
        self.heard: list[tuple[str, bytes, str]] = []
        self.waiting: list[tuple[int, Deferred[None]]] = []

    def cable(self, name: str, group: str = GROUPS[0], there: frozenset[Interface] = frozenset({LOOPBACK})) -> Any:
        made = Multicast(reactor, (group, GROUPS[1]), lambda data, host: self._hear(name, data, host),
                         look=lambda: there, port=self.port)
        self.addCleanup(made.stop)
        made.start()
        return made

    def _hear(self, name: str, data: bytes, host: str) -> None:
        self.heard.append((name, data, host))
        for wanted, waiter in self.waiting:
            if len(self.heard) >= wanted and not waiter.called:
                waiter.callback(None)

    def hears(self, wanted: int) -> Deferred[None]:
        waiter: Deferred[None] = Deferred()
        self.waiting.append((wanted, waiter))
        if len(self.heard) >= wanted:
            waiter.callback(None)
        return waiter

    @inlineCallbacks
    def test_everybody_on_the_cable_hears_it_and_nobody_of_another_group(self) -> Any:
        one, _ = self.cable("one"), self.cable("two")
        self.cable("other", "239.255.81.72")
        one.send(lambda address: f"from {address}".encode())
        yield self.hears(2)
        self.assertEqual(sorted(self.heard), [(name, b"from 127.0.0.1", "127.0.0.1") for name in ("one", "two")])

    @inlineCallbacks
    def test_what_is_sent_to_this_machine_alone_is_not_heard(self) -> Any:
        cable = self.cable("one")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"to you alone", ("127.0.0.1", self.port))
        cable.send(lambda _: b"to all")
        yield self.hears(1)
        yield deferLater(reactor, 0, lambda: None)
        self.assertEqual([data for _, data, _ in self.heard], [b"to all"])

    @inlineCallbacks
    def test_nothing_is_sent_where_there_is_nothing_to_say(self) -> Any:
        cable = self.cable("one")
        cable.send(lambda _: None)
        cable.send(lambda _: b"second")
        yield self.hears(1)
        self.assertEqual([data for _, data, _ in self.heard], [b"second"])

    def test_stopped_sockets_are_closed(self) -> Any:
        cable = self.cable("one")
        self.assertEqual(cable.addresses, ("127.0.0.1",))

        def look(_: Any) -> None:
            self.assertEqual(cable.addresses, ())
            cable.send(lambda _: b"nobody says this")

        return cable.stop().addCallback(look)


class SenderTests(SynchronousTestCase):
    def test_no_address_of_somebody_else_on_the_internet(self) -> None:
        for own, near, far in (
            ("192.168.1.1", ("192.168.1.2", "10.0.0.1", "169.254.3.4", "127.0.0.1"), ("8.8.8.8", "45.33.32.1", "")),
            ("45.33.32.1", ("45.33.99.1", "10.0.0.1"), ("45.34.0.1", "8.8.8.8")),
            ("fe80::1%eth0", ("fe80::2",), ("2606:4700::1111", "fd00::1", "::ffff:8.8.8.8", "::1")),
        ):
            self.assertEqual([may_be_here(host, own) for host in near], [True] * len(near), own)
            self.assertEqual([may_be_here(host, own) for host in far], [False] * len(far), own)

    def test_such_a_datagram_is_not_heard(self) -> None:
        heard: list[str] = []
        ports: list[_Port] = []
        loopback = Interface(1, "lo", "127.0.0.1")

        class Reactor(Clock):
            def adoptDatagramPort(self, descriptor: int, family: int, protocol: Any, size: int) -> Any:
                ports.append(_Port(protocol))
                return ports[-1]

        cable = Multicast(Reactor(), GROUPS, lambda data, host: heard.append(host), look=lambda: frozenset({loopback}),
                          port=free_port())
        cable.start()
        for host in ("8.8.8.8", "192.168.1.7"):
            ports[0].protocol.datagramReceived(b"beacon", (host, 9999))
        cable.stop()
        self.assertEqual(heard, ["192.168.1.7"])


class _Port:
    """What adoptDatagramPort gives back."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        protocol.makeConnection(self)
        self.said: list[tuple[bytes, Any]] = []
        self.error: OSError | None = None

    def write(self, datagram: bytes, address: Any) -> None:
        if self.error is not None:
            raise self.error
        self.said.append((datagram, address))

    def stopListening(self) -> None:
        self.protocol.transport = None


class _Reactor(Clock):
    """Adopts datagram ports on a fake clock; one interface at a time may be refused."""

    def __init__(self) -> None:
        super().__init__()
        self.ports: list[_Port] = []
        self.refuses = 0

    def adoptDatagramPort(self, descriptor: int, family: Any, protocol: Any, size: int) -> _Port:
        if self.refuses:
            self.refuses -= 1
            raise OSError(19, "No such device")
        self.ports.append(_Port(protocol))
        return self.ports[-1]


class WatchingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor, self.there, self.changes = _Reactor(), frozenset({LOOPBACK}), 0
        self.heard: list[tuple[bytes, str]] = []
        self.cable = Multicast(self.reactor, GROUPS, lambda data, host: self.heard.append((data, host)),
                               look=self._look, port=free_port())
        self.cable.changed = self._changed
        self.troubles: list[str] = []
        self.cable.troubled = self.troubles.append

    def _look(self) -> frozenset[Interface]:
        if not isinstance(self.there, frozenset):
            raise OSError(5, "Input/output error")
        return self.there

    def _changed(self) -> None:
        self.changes += 1

    def test_interfaces_come_and_go(self) -> None:
        self.there = frozenset()
        self.cable.start()
        self.assertEqual((self.cable.addresses, self.changes), ((), 0))
        self.there = frozenset({LOOPBACK})
        self.reactor.advance(LOOK_SECONDS)
        self.assertEqual((self.cable.addresses, self.changes), (("127.0.0.1",), 1))
        self.there = frozenset()
        self.reactor.advance(LOOK_SECONDS)
        self.assertEqual((self.cable.addresses, self.changes), ((), 1))
        self.successResultOf(self.cable.stop())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_one_that_cannot_be_used_is_tried_again(self) -> None:
        self.reactor.refuses = 2
        self.cable.start()
        self.reactor.advance(LOOK_SECONDS)
        self.assertEqual((self.cable.addresses, self.changes), ((), 0))
        self.reactor.advance(LOOK_SECONDS)
        self.assertEqual((self.cable.addresses, self.changes), (("127.0.0.1",), 1))
        self.assertEqual(self.troubles, ["no multicast on lo: No such device"], "said once")
        self.cable.stop()

    def test_a_socket_that_the_system_closed_is_opened_anew(self) -> None:
        self.cable.start()
        self.reactor.ports[0].protocol.transport = None
        self.reactor.advance(LOOK_SECONDS)
        self.assertEqual(len(self.reactor.ports), 2)
        self.cable.stop()

    def test_errors_stop_nothing(self) -> None:
        self.cable.start()
        self.reactor.ports[0].error = OSError(101, "Network is unreachable")
        self.cable.send(lambda _: b"lost")
        self.reactor.ports[0].error = None
        self.there = None  # type: ignore[assignment]
        self.reactor.advance(LOOK_SECONDS)
        self.cable.send(lambda _: b"said")
        self.assertEqual(self.troubles, ["the interfaces cannot be listed: Input/output error"])
        self.assertEqual([data for data, _ in self.reactor.ports[0].said], [b"said"])
        self.cable.stop()

    def test_link_local_addresses_have_their_zone(self) -> None:
        six = Interface(1, "lo", "fe80::7%lo")
        self.patch(Multicast, "_open", _open_six)
        self.there = frozenset({six})
        self.cable.start()
        self.cable.send(lambda address: address.encode())
        ((said, (group, _)),) = self.reactor.ports[0].said
        self.assertEqual((said, group), (b"fe80::7%lo", f"{GROUPS[1]}%lo"))
        for host in ("fe80::9", "fe80::9%lo", "2001:db8::9"):
            self.reactor.ports[0].protocol.datagramReceived(b"x", (host, 1))
        self.assertEqual([host for _, host in self.heard], ["fe80::9%lo", "fe80::9%lo"])
        self.cable.stop()

    def test_the_port(self) -> None:
        """The one that firewalls are told of."""
        plain = Multicast(self.reactor, GROUPS, lambda *_: None, look=self._look)
        plain.start()
        plain.send(lambda _: b"x")
        self.assertEqual(self.reactor.ports[0].said, [(b"x", (GROUPS[0], BEACON_PORT))])
        plain.stop()

    def test_a_failed_socket_is_not_left_open(self) -> None:
        self.assertRaises(OSError, opened, Interface(9999, "none", "192.0.2.1"), GROUPS[0], free_port())

    def test_no_cable(self) -> None:
        nowhere = Nowhere(GROUPS, lambda *_: self.fail("nobody says this"))
        nowhere.start()
        nowhere.send(lambda _: self.fail("nobody hears it"))
        nowhere.changed()
        nowhere.troubled("nobody hears it")
        self.assertEqual(nowhere.addresses, ())
        self.successResultOf(nowhere.stop())


def _open_six(cable: Multicast, interface: Interface) -> bool:
    """As if this machine had link-local IPv6 on its loopback."""
    from quantumgate.net.multicast import _Outlet

    outlet = _Outlet(interface, cable._groups[1], cable._port, cable._heard)
    cable._outlets[interface] = (outlet, cable._reactor.adoptDatagramPort(0, interface.family, outlet, 0))
    return True
