"""Rows 21 to 23 of docs/attacks.md: relays asked to open what they must not, relays that cheat, paths that are none.

Whole nodes in memory, in networks of their own; row 22 plays the frames on one session, too.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Factory, Protocol

from quantumgate.core.places import network_of
from quantumgate.core.relay.link import Link, Pipe
from quantumgate.core.relay.links import RELAY_CLIENT
from quantumgate.core.relay.path import Gateway, PathWish, choose
from quantumgate.errors import ConnectFailed
from quantumgate.wire import frames, link_frames
from quantumgate.wire.codes import CloseCode, LinkCode
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget
from tests.attacks.reactions import SessionReactionTestCase
from tests.core.handshake.duel import SeededRandom
from tests.core.relay.tower import CELLS, TARGET, Outlet, Tower, brought
from tests.core.sessions import Mallory
from tests.node.asking import SECRET, AskingCase
from tests.node.circuits import AWAY, GATES, CircuitCase, with_relay
from tests.node.world import node_settings

INSIDE = (
    "127.0.0.1", "127.1.2.3", "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", GATES[0], f"::ffff:{GATES[0]}",
)  # fmt: skip


class Service(Protocol):
    """A TCP service that is no QuantumGate; keeps what it was told. ``greeting`` None = it hangs up."""

    heard: list[bytes]
    greeting: bytes | None

    def connectionMade(self) -> None:
        self.heard.append(b"")
        if self.greeting is None:
            self.transport.loseConnection()  # type: ignore[union-attr]
        else:
            self.transport.write(self.greeting)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)


class Row21Tests(AskingCase):
    """What a relay is asked to open, and what it opens."""

    def test_addresses_inside(self) -> None:
        """Code 5 at once, one by one, all together and by a name that stands for one; no socket."""
        self.patch_names("127.0.0.1")
        for hosts in (*((host,) for host in INSIDE), INSIDE[:8], ("inside.example.net",)):
            outlet, times = self.ask(*((host, 9999) for host in hosts))
            self.pass_time(0.1)
            self.assertEqual(([code for code, _ in outlet.answers], outlet.ends), ([5], [5]), hosts)
            self.assertLess(times[0], 0.1, hosts)
            self.pass_time(8)  # eight a minute are allowed
        self.assertEqual((self.dialled, self.relays.quota.carried), ([], 1))

    def patch_names(self, address: str) -> None:
        found = [(None, None, None, "", (address, 9999))]
        self.patch(socket, "getaddrinfo", lambda *_, **__: found)

    def test_ports_of_other_services(self) -> None:
        for port in (22, 25, 443, 1023):
            outlet, _ = self.ask((GATES[4], port))
            self.pass_time(0.1)
            self.assertEqual(outlet.ends, [5], port)
        self.assertEqual(self.dialled, [])

    def test_ourselves(self) -> None:
        outlet, _ = self.ask((AWAY, 9999), uuid=self.gate.uuid)
        self.pass_time(0.1)
        self.assertEqual((outlet.ends, self.dialled), ([5], []))

    def test_services_that_are_not_quantumgate(self) -> None:
        """Silent, talkative, hanging up, refusing, another node: one code, at a moment that was drawn; not a byte."""
        heard = self.serve("46.4.0.1", b""), self.serve("46.4.0.2", b"220 ESMTP\r\n" * 50), self.serve("46.4.0.3", None)
        self.network.part([GATES[0]], ["46.4.0.5"])
        drawn = set()
        for host in ("46.4.0.1", "46.4.0.2", "46.4.0.3", "46.4.0.4", "46.4.0.5", GATES[3]):
            outlet, times = self.ask((host, 9999))
            self.pass_time(7.99)
            self.assertEqual((times, outlet.answers), ([], []), host)
            self.pass_time(4.1)
            self.assertEqual(([code for code, _ in outlet.answers], outlet.ends), ([3], [3]), host)
            self.assertTrue(8 <= times[0] <= 12.01, host)
            self.assertEqual((outlet.link.sent_bytes, outlet.pieces), (0, [SECRET * 100]), host)
            drawn.add(round(times[0], 3))
        self.assertEqual(len(drawn), 6)
        self.assertTrue(all(heard), heard)
        for said in heard:
            self.assertNotIn(SECRET[:12], b"".join(said))
        self.assertEqual(self.relays.quota.carried, 1)

    def serve(self, host: str, greeting: bytes | None) -> list[bytes]:
        kept: list[bytes] = []
        made = type("Service", (Service,), {"heard": kept, "greeting": greeting})
        self.successResultOf(self.network.server_endpoint(host, 9999).listen(Factory.forProtocol(made)))
        return kept

    def test_data_before_the_answer(self) -> None:
        """A client that does not wait is cut off; it is never passed on."""
        outlet, _ = self.ask(("46.4.0.4", 9999))
        outlet.link._answered = True
        entry = self.entry
        outlet.link.wake()
        self.pass_time(0.1)
        self.assertEqual((entry.over, self.relays.quota.carried), (True, 0))

    def test_ten_thousand_at_once(self) -> None:
        """A flood: the session is closed, what it asked for is forgotten, hardly anything was dialled."""
        entry, ends = self.entry, []
        target = LinkTarget(self.gates[4].uuid, (LinkEndpoint("46.4.0.4", 9999),))
        for _ in range(10_000):
            entry.session.all_links.ask(target).on_closed = ends.append
        entry.protocol.wake()
        self.pass_time(1)
        self.assertEqual((entry.over, len(ends), self.relays.quota.carried), (True, 10_000, 0))
        self.assertLessEqual(len(self.dialled), 8)
        self.assertEqual(entry.ending, "too many LINK_CREATE")
        self.pass_time(20)
        self.assertEqual(len(self.relays.carried), 0)

    def test_ten_thousand_one_after_another(self) -> None:
        """At the pace that is no flood: 8 a minute are tried, the others hear 7 at once, and no socket is opened; when
        that has cost the address its score, the answer is 5."""
        codes: list[int] = []
        for _ in range(400):  # of 10,000; the rest is the same
            outlet, _ = self.ask(("46.4.0.4", 9999))
            self.pass_time(0.5)
            codes += outlet.ends
        self.pass_time(12)
        self.assertEqual(codes.count(LinkCode.LIMIT) + codes.count(LinkCode.POLICY) + len(self.dialled), 400)
        self.assertTrue(8 <= len(self.dialled) <= 20, len(self.dialled))
        self.assertTrue(40 <= codes.count(LinkCode.LIMIT) <= 60, codes.count(LinkCode.LIMIT))
        self.assertFalse(self.entry.over)

    def test_a_full_relay(self) -> None:
        """Code 12, before anything is dialled."""
        settings = with_relay(node_settings(relay=True, limits={"links_node": 1}))
        gate = self.node("19.9.0.1", settings=settings)
        self.client._parts.circuits.gateways.append(Gateway(gate.uuid, (("19.9.0.1", 9999),)))  # type: ignore[union-attr]
        self.connect(via=gate.uuid)
        codes: list[int] = []
        self.patch(Link, "answered", _noting(codes, Link.answered))
        error = self.failed(self.client.connect(self.address(self.end, AWAY), via=gate.uuid), ConnectFailed, 1)
        self.assertEqual((error.reason, codes), ("limit", [LinkCode.RELAY_LIMIT]))


def _noting(codes: list[int], answered: Any) -> Any:
    def noted(link: Link, code: int, terms: Any) -> None:
        codes.append(code)
        answered(link, code, terms)

    return noted


CHEATS: dict[str, Callable[[Callable[[memoryview], None], bytes], None]] = {
    "flips a bit": lambda on, data: on(memoryview(data[:50] + bytes((data[50] ^ 1,)) + data[51:])),
    "says it twice": lambda on, data: (on(memoryview(data)), on(memoryview(data)))[0],
    "cuts it": lambda on, data: on(memoryview(data[:-1])),
    "puts some in": lambda on, data: on(memoryview(b"\0" + data)),
    "moves it": lambda on, data: on(memoryview(data[20:] + data[:20])),
    "says its own": lambda on, data: on(memoryview(bytes(len(data)))),
}


class Row22Tests(CircuitCase):
    """A relay that changes what it carries: the next honest hop is dead, and the circuit with it."""

    def test_what_it_changes_kills_the_circuit(self) -> None:
        """At each of three relays, in each direction; the caller is told within a second, nobody gets a wrong byte."""
        ends: list[int] = []
        end = Link.end
        self.patch(Link, "end", lambda link, code: (ends.append(code) if not link.closed else None, end(link, code))[1])
        for position in range(3):
            for way in (0, 1):
                for name, cheat in CHEATS.items():
                    self.cheated(position, way, name, cheat, ends)
        # what is said twice was right once; and where the cheat meets a record before the message, that one is whole
        self.assertEqual((set(self.guest.got), self.errors()), ({b"back:never read"}, []))

    def cheated(self, position: int, way: int, name: str, cheat: Any, ends: list[int]) -> None:
        peer = self.connect(via=[gate.uuid for gate in self.gates[:3]])
        (carried,) = self.gates[position]._parts.relays.carried  # type: ignore[union-attr]
        pipe: Pipe = carried.pipes[way]
        arrived = pipe._arrived
        pipe._from.hear(lambda data: cheat(arrived, bytes(data)))
        before = len(self.guest.left)
        ends.clear()
        self.guest.host.send(peer, b"never read").addErrback(lambda _: None)
        self.pass_time(1)
        if name == "cuts it" and not any(ends):  # a byte that lacks is seen with the next record
            self.guest.host.send(peer, b"the next").addErrback(lambda _: None)
            self.pass_time(1)
        what = position, way, name
        self.assertEqual((self.client.peers, self.end.peers, len(self.guest.left) - before), ((), (), 1), what)
        self.assertIn(LinkCode.RESET, ends, what)
        self.pass_time(60)  # eight links a minute


class Row22FramesTests(SessionReactionTestCase):
    """Links that are not the sender's, ids again, and frames for what is over."""

    def test_foreign_ids(self) -> None:
        for said in (
            frames.frame(link_frames.LINK_DATA, b"x", 3),
            frames.frame(link_frames.LINK_DATA, b"x", 2),
            frames.frame(link_frames.LINK_CLOSE, b"\x0a", 3),
            frames.frame(link_frames.LINK_WINDOW, frames.U64.pack(1 << 30), 3),
            frames.frame(link_frames.LINK_STATUS, b"\x03", 3),
        ):
            mallory, link = brought()
            outlet = Outlet(link)
            mallory.say(said)
            self.closed(mallory, CloseCode.VIOLATION, said)
            self.assertEqual((bytes(outlet.received), len(outlet.ends)), (b"", 1), said)

    def test_ids_again(self) -> None:
        for again in (1, 1, 2):
            mallory, link = brought()
            link.close()
            mallory.say(frames.frame(link_frames.LINK_INCOMING, b"", again))
            self.closed(mallory, CloseCode.VIOLATION, again)

    def test_what_comes_after_the_close_is_ignored(self) -> None:
        mallory, link = brought()
        outlet = Outlet(link)
        mallory.say(frames.frame(link_frames.LINK_CLOSE, b"\x00", 1))
        for _ in range(100):
            mallory.say(frames.frame(link_frames.LINK_DATA, bytes(1000), 1))
        self.alive(mallory)
        self.assertEqual((bytes(outlet.received), outlet.ends), (b"", [0]))

    def test_the_other_links_of_a_relay_hear_nothing(self) -> None:
        """Two links of one client: what is said on one is never heard on the other."""
        tower = Tower()
        (one, its_end), (other, other_end) = tower.ask(), tower.ask()
        one.say(b"for one")
        other.say(b"for the other")
        tower.pump()
        self.assertEqual((bytes(its_end.received), bytes(other_end.received)), (b"for one", b"for the other"))

    def test_an_overrun(self) -> None:
        mallory, link = brought()
        Outlet(link).holding = True
        for _ in range(4):
            mallory.say(frames.frame(link_frames.LINK_DATA, bytes(16_384), 1))
        self.alive(mallory)
        mallory.say(frames.frame(link_frames.LINK_DATA, b"x", 1))
        self.closed(mallory, CloseCode.VIOLATION)

    def test_a_relay_that_asks_its_nameless_client(self) -> None:
        """The answer for "ourselves" would tell who it is."""
        mallory = Mallory(settings=CELLS, role=RELAY_CLIENT, victim_initiates=True, block=CELLS.block())
        mallory.say(frames.frame(link_frames.LINK_CREATE, TARGET.encode(), 2, frames.WHOLE))
        self.closed(mallory, CloseCode.VIOLATION)


class Row23Tests(CircuitCase):
    """Where no good path is, there is none, and the application is told."""

    def only(self, *hosts: str, families: tuple[str, ...] = ()) -> None:
        """The client knows these gateways."""
        names = (*families, *("" for _ in hosts))
        self.client._parts.circuits.gateways[:] = [  # type: ignore[union-attr]
            Gateway(gate.uuid, ((host, 9999),), family=family)
            for gate, host, family in zip(self.gates, hosts, names, strict=False)
        ]

    def refused(self, hops: int, what: object = None) -> None:
        """An error, and not one connection was made."""
        before = len(self.network.connections)
        error = self.failed(self.client.connect(self.address(self.end, AWAY), hops=hops), ConnectFailed)
        self.assertEqual((error.reason, len(self.network.connections)), ("no-path", before), what)
        self.assertEqual(self.client.peers, ())

    def test_two_relays_in_one_network(self) -> None:
        self.only("11.1.0.1", "11.1.200.9")
        self.refused(2)
        self.only("2a00:1:2::1", "2a00:1:ffff::1")
        self.refused(2)

    def test_the_network_of_the_destination(self) -> None:
        self.only("11.1.0.1", "45.33.200.1")
        self.refused(2)
        self.only("45.33.200.1")
        self.refused(1)

    def test_the_network_of_the_source(self) -> None:
        """Once a socket has told which it is."""
        self.connect(1)
        self.only("31.3.99.1")
        before = self.client.peers
        error = self.failed(self.client.connect(self.address(self.end, AWAY), hops=1), ConnectFailed)
        self.assertEqual((error.reason, self.client.peers), ("no-path", before))

    def test_one_relay_is_no_path_of_two(self) -> None:
        self.only("11.1.0.1")
        for hops in (2, 3, 4):
            self.refused(hops, hops)
        self.only()
        self.refused(1)

    def test_a_lost_relay_is_not_left_out(self) -> None:
        """Three are asked for, one of three is gone: an error, and no session through two."""
        self.only(*GATES[:3])
        self.gates[1].stopService()
        self.pass_time(40)
        for _ in range(3):
            self.failed(self.client.connect(self.address(self.end, AWAY), hops=3), ConnectFailed, 70)
            self.assertEqual((self.client.peers, self.end.peers), ((), ()))

    def test_families(self) -> None:
        """Two of one family are one; a liar who names somebody else's is left out with it, never the path shortened."""
        self.only("11.1.0.1", "12.2.0.1", families=("smith", "smith"))
        self.refused(2)
        self.only("11.1.0.1", "12.2.0.1", "13.3.0.1", families=("smith", "smith", "smith"))
        self.refused(2)
        liar, honest, third = (Gateway(gate.uuid, ((host, 9999),), family=family) for gate, host, family in zip(
            self.gates, ("66.6.0.1", "12.2.0.1", "13.3.0.1"), ("smith", "smith", ""), strict=False))
        wish = PathWish(2, self.end.uuid)
        seen = {frozenset(choose(wish, (liar, honest, third), SeededRandom(number))) for number in range(40)}
        self.assertEqual(seen, {frozenset((liar, third)), frozenset((honest, third))})

    def test_liars_who_declare_nothing_share_their_network(self) -> None:
        crowd = [Gateway(gate.uuid, ((f"66.6.{number}.1", 9999),)) for number, gate in enumerate(self.gates)]
        self.assertEqual({network_of(one.hosts[0][0]) for one in crowd}, {network_of("66.6.9.9")})
        self.assertRaises(ConnectFailed, choose, PathWish(2, self.end.uuid), crowd, SeededRandom("crowd"))
