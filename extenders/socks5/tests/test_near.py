"""The near side, between programs and scripted exits: replies, attempts, limits, and that no name is ever looked up."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from quantumgate_socks5 import exits, wire
from quantumgate_socks5.destination import Destination
from quantumgate_socks5.replies import Code
from quantumgate_socks5.wire import Kind
from twisted.trial.unittest import SynchronousTestCase

from .stage import Ear, NearStage, ScriptedLine

NAME = Destination("secret.example", 443)
BOUND = Destination(ip_address("192.0.2.9"), 4711)
GRANTED = b"\x05\x00\x00" + BOUND.encode()


def login(user: bytes, password: bytes = b"x") -> bytes:
    return bytes((1, len(user))) + user + bytes((len(password),)) + password


def failure(code: int) -> bytes:
    return bytes((5, code, 0, 1, 0, 0, 0, 0, 0, 0))


class NearCase(SynchronousTestCase):
    """A stage that is cleared."""

    def stage(self, *exits: str, **table: Any) -> NearStage:
        self.near = NearStage(exits or ("right",), table)
        self.addCleanup(self.near.stop)
        for name in exits or ("right",):
            self.near.offers(name)
        return self.near

    def grants(self, line: ScriptedLine, bound: Destination = BOUND) -> None:
        line.transport.write(wire.answer(Code.GRANTED, bound))
        self.near.nodes.settle()

    def joined(self) -> tuple[Ear, ScriptedLine]:
        """A program whose connection stands, and its line."""
        program = self.near.program()
        self.near.asks(program, NAME)
        line = self.near.line()
        self.grants(line)
        line.hears()
        program.data.clear()
        return program, line

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.near.near.status()["proxy"]
        return found


class ConnectTests(NearCase):
    """CONNECT, from the program to the line and back."""

    def test_name_travels_as_it_was_written(self) -> None:
        """The memory world raises where a name is looked up on this side."""
        near = self.stage()
        program = near.program()
        near.asks(program, NAME)
        line = near.line()
        self.assertEqual(line.hears(), [(Kind.CONNECT, NAME.encode())])
        self.grants(line)
        self.assertEqual(bytes(program.data), GRANTED)
        program.transport.write(b"question")
        near.nodes.settle()
        self.assertEqual(line.hears(), [(Kind.DATA, b"question")])
        line.says(Kind.DATA, b"answer")
        near.nodes.settle()
        self.assertEqual(bytes(program.data), GRANTED + b"answer")

    def test_early_data_goes_along(self) -> None:
        """A program that does not wait saves a round trip; its end is passed on, too."""
        near = self.stage()
        program = near.program()
        program.transport.write(b"\x05\x01\x00\x05\x01\x00" + NAME.encode() + b"early")
        program.transport.write(b" bird")
        program.transport.loseWriteConnection()
        near.nodes.settle()
        self.assertEqual(
            near.line().hears(), [(Kind.CONNECT, NAME.encode()), (Kind.DATA, b"early bird"), (Kind.END, b"")]
        )
        self.grants(near.line())
        near.line().says(Kind.DATA, b"worm")
        near.line().says(Kind.END)
        near.nodes.settle()
        self.assertEqual(bytes(program.data[2:]), GRANTED + b"worm")
        self.assertTrue(program.read_ended or program.lost)

    def test_early_data_is_bounded(self) -> None:
        near = self.stage()
        program = near.program()
        near.asks(program, NAME)
        for _ in range(100):
            program.transport.write(b"x" * 65_536)
        near.nodes.advance(5)
        heard = sum(len(body) for kind, body in near.line().hears() if kind is Kind.DATA)
        self.assertLess(heard, 200_000)
        self.grants(near.line())
        heard += sum(len(body) for kind, body in near.line().hears() if kind is Kind.DATA)
        self.assertEqual(heard, 100 * 65_536)

    def test_half_closes_and_the_next_call(self) -> None:
        near = self.stage()
        for _ in range(3):
            program, line = self.joined()
            line.says(Kind.END)
            near.nodes.settle()
            self.assertEqual((program.read_ended, program.lost), (True, None))
            program.transport.write(b"still")
            near.nodes.settle()
            self.assertEqual(line.hears(), [(Kind.DATA, b"still")])
            program.transport.loseConnection()
            near.nodes.settle()
            self.assertEqual(line.hears(), [(Kind.END, b"")])
        self.assertEqual((len(near.exits["right"].lines), self.status()["lines_opened"]), (1, 1))

    def test_both_halves_ended(self) -> None:
        """The second end closes the program's connection, whoever says it."""
        near = self.stage()
        program, line = self.joined()
        line.says(Kind.END)
        near.nodes.settle()
        program.transport.loseWriteConnection()
        near.nodes.settle()
        self.assertEqual(self.status()["connections"], 0)

    def test_a_line_that_was_paused_is_read_again(self) -> None:
        """The end came while the program could take no more: the next call on the line must not stand still."""
        near = self.stage()
        program, line = self.joined()
        program.transport.loseWriteConnection()
        near.nodes.settle()
        (inner,) = [connection.line for connection in near.near.near._connections]
        inner.transport.pauseProducing()
        inner.dataReceived(wire.frame(Kind.END))
        near.nodes.settle()
        second, again = self.joined()
        again.says(Kind.DATA, b"heard")
        near.nodes.settle()
        self.assertEqual((again is line, bytes(second.data)), (True, b"heard"))

    def test_early_end_of_one_who_waits_for_a_line(self) -> None:
        near = self.stage(lines_per_exit=1)
        first, line = self.joined()
        second = near.program()
        near.asks(second, NAME)
        second.transport.write(b"early")
        second.transport.loseWriteConnection()
        near.nodes.settle()
        line.says(Kind.END)
        first.transport.loseConnection()
        near.nodes.settle()
        self.assertEqual(
            line.hears(), [(Kind.END, b""), (Kind.CONNECT, NAME.encode()), (Kind.DATA, b"early"), (Kind.END, b"")]
        )

    def test_breaks_are_passed_on(self) -> None:
        near = self.stage()
        program, line = self.joined()
        program.transport.abortConnection()
        near.nodes.settle()
        self.assertEqual(line.lost.code, 0x8001)
        program, line = self.joined()
        line.transport.abortConnection(0x8001)
        near.nodes.settle()
        self.assertNotEqual(type(program.lost).__name__, "ConnectionDone")

    def test_program_leaves_before_the_answer(self) -> None:
        near = self.stage()
        program = near.program()
        near.asks(program, NAME)
        program.transport.abortConnection()
        near.nodes.settle()
        self.assertIsNotNone(near.line().lost)
        self.assertEqual((self.status()["connections"], self.status()["lines"]), (0, 0))

    def test_back_pressure(self) -> None:
        """A program that does not read stops the exit's writer, within the stream's windows."""
        near = self.stage()
        program, line = self.joined()
        program.transport.pauseProducing()
        for _ in range(200):
            line.says(Kind.DATA, b"z" * 65_536)
        near.nodes.advance(5)
        self.assertLess(near.near.near.tally.bytes_received, 6_000_000)
        program.transport.resumeProducing()
        near.nodes.settle()
        self.assertEqual(len(program.data), 200 * 65_536)

    def test_exit_leaves(self) -> None:
        near = self.stage()
        program, _ = self.joined()
        near.nodes["right"].contact(near.nodes.left).close(graceful=False)
        near.nodes.settle()
        self.assertIsNotNone(program.lost)
        self.assertEqual(self.status()["exits"], [])


class RepliesTests(NearCase):
    """Each failure has its reply, in the program's version."""

    def test_codes_of_the_exit(self) -> None:
        near = self.stage(retry_min_seconds=0.1)
        expected = {number: number for number in range(1, 9)} | {16: 4, 17: 4, 18: 1, 20: 1, 21: 2, 99: 1, 255: 1}
        for code, reply in expected.items():
            program = near.program()
            near.asks(program, NAME)
            near.line().says(Kind.ANSWER, bytes((code,)))
            near.nodes.settle()
            self.assertEqual(bytes(program.data), failure(reply), code)
            self.assertTrue(program.read_ended or program.lost)
            self.assertEqual(near.line().hears()[-1], (Kind.END, b""))
        self.assertEqual(self.status()["lines_opened"], 1)

    def test_socks4(self) -> None:
        near = self.stage()
        granted, refused = b"\x00\x5a\x12\x67\xc0\x00\x02\x09", b"\x00\x5b" + bytes(6)
        for code, reply in ((Code.GRANTED, granted), (Code.REFUSED, refused)):
            program = near.program()
            program.transport.write(b"\x04\x01\x01\xbb\0\0\0\x05me\0secret.example\0")
            near.nodes.settle()
            line = near.line()
            self.assertEqual(line.hears(), [(Kind.CONNECT, NAME.encode())])
            line.transport.write(wire.answer(code, BOUND if code is Code.GRANTED else None))
            near.nodes.settle()
            self.assertEqual(bytes(program.data), reply)

    def test_no_exit(self) -> None:
        self.near = near = NearStage()
        self.addCleanup(near.stop)
        program = near.program()
        near.asks(program, NAME)
        self.assertEqual(bytes(program.data), failure(3))
        near.offers(bind=False, udp=False)
        for command in (2, 3):
            program = near.program()
            near.asks(program, NAME, command)
            self.assertEqual(bytes(program.data), failure(3))
        self.assertEqual(self.status()["failures"], {"no_exit": 3})

    def test_exit_refuses_lines(self) -> None:
        near = self.stage()
        near.exits["right"].refuses = True
        program = near.program()
        near.asks(program, NAME)
        self.assertEqual(bytes(program.data), failure(1))
        self.assertEqual(self.status()["exits"][0]["state"], "failing")

    def test_exit_is_silent(self) -> None:
        near = self.stage(connect_seconds=20)
        program = near.program()
        near.asks(program, NAME)
        near.nodes.advance(21)
        self.assertEqual(bytes(program.data), failure(6))
        self.assertIsNotNone(near.line().lost)

    def test_wrong_password(self) -> None:
        """Told after a second, once; the original let a program try on."""
        near = self.stage(users={"alice": "secret"})
        program = near.program()
        program.transport.write(b"\x05\x01\x02" + login(b"alice", b"guess") + login(b"alice", b"secret"))
        near.nodes.advance(0.5)
        self.assertEqual(bytes(program.data), b"\x05\x02")
        near.nodes.advance(1)
        self.assertEqual(bytes(program.data), b"\x05\x02\x01\x01")
        self.assertTrue(program.read_ended or program.lost)
        program = near.program()
        near.asks(program, NAME, login=login(b"alice", b"secret"))
        self.assertEqual(near.line().hears(), [(Kind.CONNECT, NAME.encode())])

    def test_malformed_requests_are_answered(self) -> None:
        near = self.stage()
        unknown = b"\x05\x01\x00\x05\x09", b"\x05\x00" + failure(7)
        for said, answer in (unknown, (b"\x05\x01\x01", b"\x05\xff"), (b"\x06", b"")):
            program = near.program()
            program.transport.write(said)
            near.nodes.settle()
            self.assertEqual(bytes(program.data), answer)
            self.assertTrue(program.read_ended or program.lost)


class AttemptsTests(NearCase):
    """Which exit, and what if it fails."""

    def asked(self, near: NearStage) -> str:
        """The exit that holds a request now."""
        near.nodes.settle()
        (name,) = [n for n, guest in near.exits.items() for line in guest.lines if line.hears()[:1]]
        return str(name)

    def test_next_exit(self) -> None:
        """One that is full, refuses or left is passed over, unless early data might arrive twice."""
        near = self.stage("one", "two", "three")
        program = near.program()
        near.asks(program, NAME)
        first = self.asked(near)
        near.line(first).says(Kind.ANSWER, bytes((Code.LIMIT,)))
        near.nodes.settle()
        near.line(first).hears()
        second = self.asked(near)
        near.line(second).transport.abortConnection()
        third = self.asked(near)
        self.assertEqual({first, second, third}, {"one", "two", "three"})
        self.grants(near.line(third))
        self.assertEqual(bytes(program.data), GRANTED)

    def test_early_data_is_not_sent_twice(self) -> None:
        near = self.stage("one", "two")
        program = near.program()
        near.asks(program, NAME)
        program.transport.write(b"POST")
        first = self.asked(near)
        near.line(first).transport.abortConnection()
        near.nodes.settle()
        self.assertEqual(bytes(program.data), failure(1))
        other = {"one": "two", "two": "one"}[first]
        self.assertEqual(near.exits[other].lines, [])

    def test_failures_of_the_destination_are_not_the_exits(self) -> None:
        near = self.stage("one", "two")
        program = near.program()
        near.asks(program, NAME)
        near.line(self.asked(near)).says(Kind.ANSWER, bytes((Code.REFUSED,)))
        near.nodes.settle()
        self.assertEqual(bytes(program.data), failure(5))
        self.assertEqual([row["state"] for row in self.status()["exits"]], ["ready", "ready"])

    def test_isolation(self) -> None:
        """The same log-in has the same exit; many log-ins are spread over all. One salt, for the spread is luck."""
        self.patch(exits.secrets, "token_bytes", bytes)
        near = self.stage("one", "two", "three")
        found: dict[bytes, set[str]] = {}
        for _ in range(2):
            for user in range(24):
                key = b"user%d" % user
                program = near.program()
                near.asks(program, NAME, login=login(key))
                name = self.asked(near)
                found.setdefault(key, set()).add(name)
                self.grants(near.line(name))
                near.line(name).says(Kind.END)
                program.transport.loseConnection()
                near.nodes.settle()
                near.line(name).hears()
        self.assertEqual({len(names) for names in found.values()}, {1})
        self.assertEqual(set().union(*found.values()), {"one", "two", "three"})

    def test_named_exits_alone(self) -> None:
        """Where exits are named, an offer of somebody else is not taken."""
        self.near = near = NearStage(("one", "two"))
        self.addCleanup(near.stop)
        uuid = str(near.nodes["two"].uuid)
        self.near = near = NearStage(("one", "two"), table={"exits": [uuid]})
        self.addCleanup(near.stop)
        for name in ("one", "two"):
            near.offers(name)
        for user in range(8):
            near.asks(near.program(), NAME, login=login(b"%d" % user))
            self.assertEqual(self.asked(near), "two")



class MalformedTests(NearCase):
    """An exit that makes no sense loses its line, is reported, and the program gets a failure."""

    def offence(self, *said: bytes, asked: bool = True) -> None:
        near = self.near
        program = near.program()
        if asked:
            near.asks(program, NAME)
        line = near.line()
        before = len(near.nodes.left.reports)
        for each in said:
            line.transport.write(each)
            near.nodes.settle()
        self.assertEqual((line.lost.code, len(near.nodes.left.reports)), (0x8002, before + 1), said)

    def test_order(self) -> None:
        self.stage(retry_min_seconds=0.1)
        granted = wire.answer(Code.GRANTED, BOUND)
        data, end = wire.frame(Kind.DATA, b"x"), wire.frame(Kind.END)
        datagram = wire.frame(Kind.DATAGRAM, BOUND.encode())
        for said in (
            (data,), (end,), (datagram,), (granted, granted), (granted, wire.answer(Code.REFUSED)), (granted, datagram),
            (granted, end, data), (granted, end, end), (wire.answer(Code.REFUSED), data),
            (wire.answer(Code.REFUSED), end),
        ):
            self.offence(*said)

    def test_every_header_and_answer(self) -> None:
        self.stage(retry_min_seconds=0.1)
        for kind in {*range(256)} - {4, 5, 6, 7}:
            self.offence(bytes((kind, 0, 0, 1)))
        bound = BOUND.encode()
        for body in (b"\0", b"\0" + NAME.encode(), b"\x05" + bound, b"\0" + bound + b"\0", b"\0\x09" + bytes(6)):
            self.offence(wire.header(Kind.ANSWER, len(body)) + body)

    def test_offers(self) -> None:
        near = self.stage()
        node = near.nodes["right"]
        for message in (b"\x02", b"\x01\xff\0\0", b""):
            near.nodes.result(node.host("socks5").send(node.peer(near.nodes.left), message))
        near.nodes.settle()
        self.assertEqual(len(near.nodes.left.reports), 3)


class BindTests(NearCase):
    """BIND has two answers."""

    def test_two_replies(self) -> None:
        near = self.stage()
        program = near.program()
        near.asks(program, BOUND, command=2)
        line = near.line()
        self.assertEqual(line.hears(), [(Kind.BIND, BOUND.encode())])
        self.grants(line)
        self.assertEqual(bytes(program.data), GRANTED)
        near.nodes.advance(100)
        caller = Destination(ip_address("198.51.100.7"), 20)
        self.grants(line, caller)
        line.says(Kind.DATA, b"file")
        near.nodes.settle()
        self.assertEqual(bytes(program.data), GRANTED + b"\x05\x00\x00" + caller.encode() + b"file")

    def test_nobody_comes(self) -> None:
        near = self.stage()
        program = near.program()
        near.asks(program, BOUND, command=2)
        self.grants(near.line())
        near.line().says(Kind.ANSWER, bytes((Code.TIMED_OUT,)))
        near.nodes.settle()
        self.assertEqual(bytes(program.data), GRANTED + failure(6))
