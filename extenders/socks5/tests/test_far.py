"""The exit, spoken to by hand: calls one after the other, its policy, its limits, every frame in the wrong place."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from quantumgate_socks5 import wire
from quantumgate_socks5.destination import NOWHERE, Destination
from quantumgate_socks5.replies import Code
from quantumgate_socks5.wire import DATAGRAM_BYTES, Kind
from twisted.internet.error import MessageLengthError
from twisted.trial.unittest import SynchronousTestCase

from .stage import HERE, FarStage, ScriptedLine

PUBLIC, OTHER, V6 = "198.18.0.1", "198.18.0.2", "2606:4700::1111"
OPEN = ["*:*", "198.18.0.0/15:*"]
A = Destination(ip_address("198.18.0.1"), 80).encode()


def code(heard: list[tuple[Kind, bytes]]) -> Code:
    """The code of the one answer that was heard."""
    ((kind, body),) = heard
    if kind is not Kind.ANSWER:
        raise AssertionError(f"heard {kind.name}")
    return wire.parse_answer(body)[0]


class FarCase(SynchronousTestCase):
    """A stage that is cleared."""

    def stage(self, names: dict[str, list[str] | None] | None = None, **table: Any) -> FarStage:
        self.far = FarStage(names, **{"allow": OPEN, **table})
        self.addCleanup(self.far.stop)
        return self.far


class ConnectTests(FarCase):
    """CONNECT."""

    def test_offer(self) -> None:
        """Said to every peer that is served."""
        far = self.stage(udp=True, connections_per_peer=7)
        self.assertEqual(far.offered, [wire.Offer(True, False, True, 7).encode()])

    def test_bytes_both_ways(self) -> None:
        far = self.stage()
        ears, line = far.target(PUBLIC, 80), far.line()
        ((kind, body),) = far.call(line, Kind.CONNECT, PUBLIC, 80)
        bound = Destination(ip_address(HERE), 0)
        self.assertEqual((kind, wire.parse_answer(body)), (Kind.ANSWER, (Code.GRANTED, bound)))
        line.says(Kind.DATA, b"question")
        far.nodes.settle()
        ears.made[0].transport.write(b"answer")
        far.nodes.settle()
        self.assertEqual((bytes(ears.made[0].data), line.hears()), (b"question", [(Kind.DATA, b"answer")]))

    def test_early_data(self) -> None:
        """What comes behind the request waits for the connection, its end included."""
        far = self.stage()
        ears, line = far.target(PUBLIC, 80), far.line()
        for kind, body in ((Kind.CONNECT, A), (Kind.DATA, b"early"), (Kind.END, b"")):
            line.says(kind, body)
        far.nodes.settle()
        self.assertEqual((bytes(ears.made[0].data), ears.made[0].read_ended), (b"early", True))
        self.assertEqual(code(line.hears()), Code.GRANTED)

    def test_much_early_data(self) -> None:
        """A target that is slow to answer stops the line at a bound, and gets everything when it is there."""
        far = self.stage()
        far.nodes.network.part([HERE], [PUBLIC])
        ears, line = far.target(PUBLIC, 80), far.line()
        line.says(Kind.CONNECT, A)
        for _ in range(64):
            line.says(Kind.DATA, b"x" * 65_536)
        far.nodes.settle()
        (party,) = [each.party for each in far.exit.far._lines]
        self.assertLess(len(party._early), 400_000)
        self.assertEqual(ears.made, [])

    def test_early_data_in_small_pieces(self) -> None:
        """Found by reading: each was kept as an object of its own, and 64 KiB in pieces of two bytes were 1.5 MB."""
        far = self.stage()
        far.nodes.network.part([HERE], [PUBLIC])
        line = far.line()
        line.says(Kind.CONNECT, A)
        for _ in range(1000):
            line.says(Kind.DATA, b"xy")
        far.nodes.settle()
        (party,) = [each.party for each in far.exit.far._lines]
        self.assertEqual((type(party._early), len(party._early)), (bytearray, 2000))

    def test_half_closes(self) -> None:
        """Each half ends on its own; when both have, the line takes the next call."""
        far = self.stage()
        ears, line = far.target(PUBLIC, 80), far.line()
        for number in range(3):
            far.call(line, Kind.CONNECT, PUBLIC, 80)
            target = ears.made[number]
            line.says(Kind.END)
            far.nodes.settle()
            self.assertTrue(target.read_ended)
            target.transport.write(b"late answer")
            far.nodes.settle()
            self.assertEqual(line.hears(), [(Kind.DATA, b"late answer")])
            target.transport.loseConnection()
            far.nodes.settle()
            self.assertEqual(line.hears(), [(Kind.END, b"")])
            self.assertEqual(far.exit.far.status()["connections"], 0)
        self.assertEqual(far.exit.far.status()["connections_total"], 3)

    def test_target_ends_first(self) -> None:
        far = self.stage()
        ears, line = far.target(PUBLIC, 80), far.line()
        far.call(line, Kind.CONNECT, PUBLIC, 80)
        ears.made[0].transport.loseWriteConnection()
        far.nodes.settle()
        self.assertEqual(line.hears(), [(Kind.END, b"")])
        line.says(Kind.DATA, b"still")
        line.says(Kind.END)
        far.nodes.settle()
        self.assertEqual((bytes(ears.made[0].data), ears.made[0].read_ended), (b"still", True))

    def test_target_breaks(self) -> None:
        """A reset stays a reset: nothing that was cut passes for whole."""
        far = self.stage()
        ears, line = far.target(PUBLIC, 80), far.line()
        far.call(line, Kind.CONNECT, PUBLIC, 80)
        ears.made[0].transport.abortConnection()
        far.nodes.settle()
        self.assertEqual((line.lost.code, line.hears()), (0x8001, []))

    def test_line_breaks(self) -> None:
        far = self.stage()
        ears, line = far.target(PUBLIC, 80), far.line()
        far.call(line, Kind.CONNECT, PUBLIC, 80)
        line.transport.abortConnection()
        far.nodes.settle()
        self.assertIsNotNone(ears.made[0].lost)
        self.assertEqual(far.exit.far.status()["connections"], 0)

    def test_back_pressure(self) -> None:
        """A peer that does not read stops the target's writer, within a bound."""
        far = self.stage()
        ears, line = far.target(PUBLIC, 80), far.line()
        far.call(line, Kind.CONNECT, PUBLIC, 80)
        line.transport.pauseProducing()
        for _ in range(400):
            ears.made[0].transport.write(b"z" * 65_536)
        far.nodes.advance(5)
        self.assertLess(far.exit.far.tally.bytes_sent, 6_000_000)
        line.transport.resumeProducing()
        far.nodes.settle()
        self.assertEqual(sum(len(body) for _, body in line.hears()), 400 * 65_536)

    def test_idle(self) -> None:
        """Nothing for too long breaks off; something in time does not."""
        far = self.stage(idle_seconds=100)
        ears, line = far.target(PUBLIC, 80), far.line()
        far.call(line, Kind.CONNECT, PUBLIC, 80)
        for _ in range(5):
            far.nodes.advance(60)
            line.says(Kind.DATA, b".")
        self.assertIsNone(ears.made[0].lost)
        far.nodes.advance(130)
        self.assertIsNotNone(ears.made[0].lost)


class FailureTests(FarCase):
    """Each way to fail has its code, and the line is free for the next call."""

    def after_failure(
        self, line: ScriptedLine, heard: list[tuple[Kind, bytes]], extra: tuple[Kind, bytes] = (Kind.DATA, b"dropped")
    ) -> Code:
        """The code; the rest of the failed call is dropped, the line is idle again."""
        found = code(heard)
        line.says(*extra)
        line.says(Kind.END)
        self.far.nodes.settle()
        self.assertEqual((line.hears(), line.lost), ([], None))
        return found

    def test_codes(self) -> None:
        far = self.stage(
            {"gone.example": [], "inside.example": ["10.0.0.1", "::1"], "silent.example": None},
            resolve_seconds=5, connect_seconds=5,
        )
        far.nodes.network.part([HERE], [OTHER])
        far.target(OTHER, 80)
        line = far.line()
        for host, port, expected in (
            (PUBLIC, 81, Code.REFUSED),
            (OTHER, 80, Code.TIMED_OUT),
            ("10.0.0.1", 80, Code.NOT_ALLOWED),
            ("127.0.0.1", 80, Code.NOT_ALLOWED),
            ("::ffff:198.18.0.1", 80, Code.NOT_ALLOWED),
            (PUBLIC, 0, Code.NOT_ALLOWED),
            ("gone.example", 80, Code.NAME_UNKNOWN),
            ("inside.example", 80, Code.NOT_ALLOWED),
            ("silent.example", 80, Code.NAME_FAILED),
        ):
            heard = far.call(line, Kind.CONNECT, host, port)
            if not heard:
                far.nodes.advance(6)
                heard = line.hears()
            self.assertEqual(self.after_failure(line, heard), expected, host)
        for kind, body, extra in (
            (Kind.BIND, A, (Kind.DATA, b"dropped")),
            (Kind.ASSOCIATE, b"", (Kind.DATAGRAM, A + b"dropped")),
        ):
            line.says(kind, body)
            far.nodes.settle()
            self.assertEqual(self.after_failure(line, line.hears(), extra), Code.NOT_OFFERED)
        far.target(PUBLIC, 80)
        self.assertEqual(code(far.call(line, Kind.CONNECT, PUBLIC, 80)), Code.GRANTED)

    def test_operating_system_errors(self) -> None:
        """What the system says, in our codes."""
        import errno

        from quantumgate_socks5.dialling import code_for
        from twisted.internet import error

        for number, expected in (
            (errno.ENETUNREACH, Code.NETWORK_UNREACHABLE), (errno.EHOSTUNREACH, Code.HOST_UNREACHABLE),
            (errno.ECONNREFUSED, Code.REFUSED), (errno.ETIMEDOUT, Code.TIMED_OUT), (errno.EACCES, Code.NOT_ALLOWED),
            (errno.EADDRNOTAVAIL, Code.NETWORK_UNREACHABLE), (errno.EAFNOSUPPORT, Code.ADDRESS_TYPE_UNKNOWN),
            (errno.EMFILE, Code.LIMIT), (errno.EIO, Code.FAILURE), (errno.EHOSTDOWN, Code.HOST_UNREACHABLE),
        ):
            self.assertEqual(code_for(error.getConnectError((number, "text"))), expected, errno.errorcode[number])
        self.assertEqual(code_for(ValueError()), Code.FAILURE)

    def test_names_are_judged_by_every_address(self) -> None:
        """What a name leads to is judged after the look-up; what is private is never dialled."""
        far = self.stage({"mixed.example": ["10.0.0.1", PUBLIC, "127.0.0.1", V6, "::ffff:10.0.0.1"]})
        for host in ("10.0.0.1", "127.0.0.1", PUBLIC, V6):
            far.target(host, 80)
        line = far.line()
        self.assertEqual(code(far.call(line, Kind.CONNECT, "mixed.example", 80)), Code.GRANTED)
        self.assertEqual(far.world.dialled, [(PUBLIC, 80)])

    def test_rebinding(self) -> None:
        """A name that is public first and private then is judged anew each time."""
        far = self.stage({"changing.example": [PUBLIC]})
        far.target(PUBLIC, 80)
        far.target("10.0.0.1", 80)
        self.assertEqual(code(far.call(far.line(), Kind.CONNECT, "changing.example", 80)), Code.GRANTED)
        far.world.names["changing.example"] = ["10.0.0.1"]
        self.assertEqual(code(far.call(far.line(), Kind.CONNECT, "changing.example", 80)), Code.NOT_ALLOWED)
        self.assertEqual(far.world.dialled, [(PUBLIC, 80)])

    def test_second_address(self) -> None:
        """The first does not answer, or refuses: the second is taken."""
        far = self.stage({"slow.example": [OTHER, PUBLIC], "half.example": ["198.18.0.3", PUBLIC]})
        far.target(PUBLIC, 80)
        far.target(OTHER, 80)
        far.nodes.network.part([HERE], [OTHER])
        line = far.line()
        self.assertEqual(far.call(line, Kind.CONNECT, "slow.example", 80), [])
        far.nodes.advance(0.4)
        self.assertEqual(code(line.hears()), Code.GRANTED)
        self.assertEqual(code(far.call(far.line(), Kind.CONNECT, "half.example", 80)), Code.GRANTED)

    def test_own_address(self) -> None:
        far = self.stage(allow=["*:*", f"{PUBLIC}/32:80"])
        far.world.own.add(V6)
        far.target(V6, 80)
        self.assertEqual(code(far.call(far.line(), Kind.CONNECT, V6, 80)), Code.NOT_ALLOWED)

    def test_limits(self) -> None:
        """A place is given back when the connection is gone, whoever ends it."""
        far = self.stage(connections_per_peer=2)
        ears = far.target(PUBLIC, 80)
        lines = [far.line() for _ in range(3)]
        for line in lines[:2]:
            self.assertEqual(code(far.call(line, Kind.CONNECT, PUBLIC, 80)), Code.GRANTED)
        self.assertEqual(code(far.call(lines[2], Kind.CONNECT, PUBLIC, 80)), Code.LIMIT)
        lines[2].says(Kind.END)
        ears.made[0].transport.abortConnection()
        far.nodes.settle()
        self.assertEqual(code(far.call(lines[2], Kind.CONNECT, PUBLIC, 80)), Code.GRANTED)
        self.assertEqual(far.exit.far.status()["failures"], {"limit": 1})

    def test_limits_of_those_who_leave(self) -> None:
        """Calls that are over are not in the way of the next ones on their lines, until they are as many as may be."""
        far = self.stage(connections_per_peer=2)
        ears, first, second = far.target(PUBLIC, 80), far.line(), far.line()
        self.assertEqual(code(self.asks(first)), Code.GRANTED)
        self.leaves(first, ears.made[0])
        for line in (first, second):
            self.assertEqual(code(self.asks(line)), Code.GRANTED)
        self.assertEqual(far.exit.far.status()["connections"], 3)
        self.leaves(second, ears.made[2])
        self.assertEqual(code(self.asks(second)), Code.LIMIT)
        second.says(Kind.END)
        ears.made[0].transport.resumeProducing()
        far.nodes.advance(1)
        self.assertEqual(len(ears.made[0].data), 60_000)
        self.assertEqual(code(self.asks(second)), Code.GRANTED)
        for target in ears.made:
            target.transport.abortConnection()
        far.nodes.advance(1)
        self.assertEqual(far.exit.far.status()["connections"], 0)

    def leaves(self, line: ScriptedLine, target: Any) -> None:
        """The call ends on its line; what was sent last waits at the exit, for the target does not read."""
        target.transport.pauseProducing()
        line.says(Kind.DATA, b"x" * 60_000)
        line.says(Kind.END)
        target.transport.loseWriteConnection()
        self.far.nodes.advance(1)
        self.assertEqual(line.hears(), [(Kind.END, b"")])

    def asks(self, line: ScriptedLine) -> list[tuple[Kind, bytes]]:
        """A CONNECT where something else never ends, so that nothing settles."""
        line.says(Kind.CONNECT, A)
        self.far.nodes.advance(1)
        return line.hears()

    def test_cancelled_while_dialling(self) -> None:
        """The near side gives up: the attempt stops, and its place is free."""
        far = self.stage({"silent.example": None})
        far.target(OTHER, 80)
        far.nodes.network.part([HERE], [OTHER])
        for host in (OTHER, "silent.example"):
            line = far.line()
            self.assertEqual(far.call(line, Kind.CONNECT, host, 80), [])
            self.assertEqual(far.exit.far.status()["connections"], 1)
            line.transport.abortConnection()
            far.nodes.settle()
            self.assertEqual(far.exit.far.status()["connections"], 0)


class WhoMayTests(FarCase):
    """Off by default; then for those who are named."""

    def test_off(self) -> None:
        far = self.stage(enabled=False)
        self.assertEqual((far.offered, far.line().lost.code), ([], 2))

    def test_others_only(self) -> None:
        far = self.stage(peers=["00000000-0000-8000-8000-000000000000"])
        self.assertEqual((far.offered, far.line().lost.code), ([], 2))

    def test_label_of_another_version(self) -> None:
        far = self.stage()
        for label in (b"", b"line 2", b"line 1 ", b"LINE 1"):
            self.assertEqual(far.line(label).lost.code, 2, label)
        self.assertIsNone(far.line().lost)


class MalformedTests(FarCase):
    """Every frame that may not come resets the line, and the peer is reported; the exit goes on."""

    def offence(self, *said: tuple[Kind, bytes] | bytes) -> None:
        line = self.far.line()
        before = len(self.far.reports)
        for each in said:
            line.transport.write(each if isinstance(each, bytes) else wire.frame(*each))
            self.far.nodes.settle()
        self.assertEqual((line.lost.code, len(self.far.reports)), (0x8002, before + 1), said)

    def test_order(self) -> None:
        far = self.stage(udp=True, bind=True, bind_address="198.18.0.9")
        far.target(PUBLIC, 80)
        connect, associate, end = (Kind.CONNECT, A), (Kind.ASSOCIATE, b""), (Kind.END, b"")
        data, datagram = (Kind.DATA, b"x"), (Kind.DATAGRAM, A + b"x")
        self.offence(data)
        self.offence(end)
        self.offence(datagram)
        for second in (connect, associate, (Kind.BIND, A), datagram):
            self.offence(connect, second)
        self.offence(connect, end, data)
        self.offence(connect, end, end)
        for second in (data, connect, (Kind.DATAGRAM, b"\x03\x00\x00\x00\x00")):
            self.offence(associate, second)
        self.offence((Kind.BIND, A), datagram)

    def test_every_header(self) -> None:
        self.stage()
        for first in {*range(256)} - {1, 2, 3, 5, 6, 7}:
            self.offence(bytes((first, 0, 0, 1)))
        for kind, (least, most) in wire.SIZES.items():
            if kind is not Kind.ANSWER:
                for size in {least - 1, most + 1} - {-1}:
                    self.offence(wire.header(kind, size))

    def test_every_destination(self) -> None:
        self.stage()
        for kind in {*range(256)} - {1, 3, 4}:
            self.offence((Kind.CONNECT, bytes((kind,)) + A[1:]))
        for body in (A + b"\0", b"\x04" + A[1:], b"\x03\x00\x00\x50\x00", b"\x03\x02a \x00\x50", b"\x03\x09a\x00\x50"):
            self.offence((Kind.CONNECT, body))

    def test_messages(self) -> None:
        """A peer that makes no sense is reported; one of a later version is not."""
        far = self.stage()
        left = far.nodes.left
        for message in (b"", b"\x01", b"\x02\x00\x00\x00", b"\x01\xff\x00\x01", b"\x80 later", b"\xff"):
            far.nodes.result(left.host("socks5").send(left.peer(), message))
        far.nodes.settle()
        self.assertEqual(len(far.reports), 4)


class BindTests(FarCase):
    """BIND: one connection in, from whom it was asked for."""

    def bound(self, host: str = PUBLIC, **table: Any) -> tuple[ScriptedLine, int]:
        far = self.stage(bind=True, bind_address="198.18.0.9", **table)
        line = far.line()
        ((kind, body),) = far.call(line, Kind.BIND, host, 20)
        answer, address = wire.parse_answer(body)
        self.assertEqual((kind, answer), (Kind.ANSWER, Code.GRANTED))
        self.assertEqual(str(address.host), "198.18.0.9")  # type: ignore[union-attr]
        return line, address.port  # type: ignore[union-attr]

    def comes(self, place: str, port: int) -> Any:
        """Somebody dials the port that was bound; None if nobody is there."""
        from twisted.internet.error import ConnectError

        from quantumgate.testing.transport import MemoryAddress

        from .stage import Ears

        ears = Ears()
        try:
            return self.far.nodes.result(self.far.nodes.network.dial(place, MemoryAddress("198.18.0.9", port), ears))
        except ConnectError:
            return None

    def test_the_one_who_was_expected(self) -> None:
        line, port = self.bound()
        self.assertIsNone(self.comes(OTHER, port), "somebody else was let in")
        target = self.comes(PUBLIC, port)
        self.far.nodes.settle()
        ((kind, body),) = line.hears()
        self.assertEqual((kind, wire.parse_answer(body)[1]), (Kind.ANSWER, Destination(ip_address(PUBLIC), 0)))
        target.transport.write(b"hello")
        line.says(Kind.DATA, b"welcome")
        self.far.nodes.settle()
        self.assertEqual((line.hears(), bytes(target.data)), ([(Kind.DATA, b"hello")], b"welcome"))
        self.assertIsNone(self.comes(PUBLIC, port), "a second one was let in")

    def test_anybody_within_the_policy(self) -> None:
        line, port = self.bound("0.0.0.0", deny=["198.18.0.2/32:*"])
        self.assertIsNone(self.comes(OTHER, port))
        self.assertIsNone(self.comes("10.0.0.1", port))
        self.assertIsNotNone(self.comes(PUBLIC, port))
        self.far.nodes.settle()
        self.assertEqual([kind for kind, _ in line.hears()], [Kind.ANSWER])

    def test_nobody_comes(self) -> None:
        line, port = self.bound(bind_seconds=30)
        self.far.nodes.advance(31)
        self.assertEqual(code(line.hears()), Code.TIMED_OUT)
        self.assertIsNone(self.comes(PUBLIC, port))
        self.assertEqual(self.far.exit.far.status()["connections"], 0)

    def test_given_up(self) -> None:
        line, port = self.bound()
        line.transport.abortConnection()
        self.far.nodes.settle()
        self.assertIsNone(self.comes(PUBLIC, port))

    def test_from_a_private_host(self) -> None:
        far = self.stage(bind=True, bind_address="198.18.0.9")
        self.assertEqual(code(far.call(far.line(), Kind.BIND, "10.0.0.1", 20)), Code.NOT_ALLOWED)


def _full_socket(protocol: Any, _interface: str) -> tuple[str, int]:
    """A socket whose every datagram is too long for it."""

    class Socket:
        def write(self, datagram: bytes, addr: Any) -> None:
            raise MessageLengthError("message too long")

        def stopListening(self) -> None:
            """It is gone."""

    protocol.transport = Socket()
    return "192.0.2.99", 5


class AssociateTests(FarCase):
    """What of UDP needs no sockets; the rest is in test_clients.py."""

    def test_ends_with_its_call(self) -> None:
        far = self.stage(udp=True, udp_associations_per_peer=1)
        line, second = far.line(), far.line()
        line.says(Kind.ASSOCIATE)
        far.nodes.settle()
        ((kind, body),) = line.hears()
        self.assertEqual((kind, wire.parse_answer(body)), (Kind.ANSWER, (Code.GRANTED, NOWHERE)))
        second.says(Kind.ASSOCIATE)
        far.nodes.settle()
        self.assertEqual(code(second.hears()), Code.LIMIT)
        line.says(Kind.END)
        far.nodes.settle()
        self.assertEqual((line.hears(), far.exit.far.status()["udp_associations"]), ([(Kind.END, b"")], 0))
        far.target(PUBLIC, 80)
        self.assertEqual(code(far.call(line, Kind.CONNECT, PUBLIC, 80)), Code.GRANTED)

    def test_a_datagram_that_no_socket_takes(self) -> None:
        """Found by reading: the reactor's error for it is no OSError, and the peer that sent it stopped the guest."""
        for size, told in ((DATAGRAM_BYTES, []), (DATAGRAM_BYTES + 1, ["a datagram of 65508 bytes"])):
            far = self.stage(udp=True)
            far.world.listen_udp = _full_socket
            line = far.line()
            line.says(Kind.ASSOCIATE)
            far.nodes.settle()
            line.says(Kind.DATAGRAM, A + bytes(size))
            far.nodes.settle()
            self.assertEqual(far.reports, told)
            self.assertEqual(line.lost is None, not told)
            self.assertEqual(far.exit.far.status()["failures"], {} if told else {"datagram failure": 1})

    def test_idle(self) -> None:
        far = self.stage(udp=True, idle_seconds=100)
        line = far.line()
        line.says(Kind.ASSOCIATE)
        far.nodes.settle()
        line.hears()
        far.nodes.advance(130)
        self.assertEqual(line.hears(), [(Kind.END, b"")])
        line.says(Kind.DATAGRAM, A + b"late")
        line.says(Kind.END)
        far.nodes.settle()
        self.assertIsNone(line.lost)
