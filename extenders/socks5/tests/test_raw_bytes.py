"""Every state of a program's talk with the proxy, in raw bytes: whole, byte by byte, and broken off at every byte.

In memory, where time is ours, and once more over real sockets. Not for: every value that a field can have
(``test_negotiation.py``), or what exits do (``test_near.py``).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from quantumgate_socks5 import wire
from quantumgate_socks5.destination import Destination
from quantumgate_socks5.negotiation import NOT_SOCKS
from quantumgate_socks5.replies import Code
from quantumgate_socks5.wire import Kind

from .loopback import LoopbackCase, Targets
from .stage import Ear, ScriptedLine
from .test_near import GRANTED, NAME, NearCase, failure

HELLO, METHOD, LOGIN_METHOD = b"\x05\x01\x00", b"\x05\x00", b"\x05\x02"
LOGIN, WELCOME, WRONG = b"\x01\x05alice\x06secret", b"\x01\x00", b"\x01\x01"
TARGET = NAME.encode()
REFUSED4 = b"\x00\x5b" + bytes(6)
NO_METHOD = b"\x05\xff"

Talk = tuple[bytes, bytes]
"""What a program says, and all that it hears."""

MALFORMED: tuple[Talk, ...] = (
    # the first byte
    *((bytes((first,)), b"") for first in (0, 1, 2, 3, 6, 0x16, 0x80, 0xFF)),
    *((line, NOT_SOCKS) for line in (b"GET / HTTP/1.1\r\n\r\n", b"CONNECT a:443 HTTP/1.1\r\n\r\n", b"POST")),
    # methods
    *((b"\x05" + bytes((len(methods),)) + methods, NO_METHOD)
      for methods in (b"", b"\x01", b"\x80\xfe", b"\xff" * 255)),
    # the log-in
    *((b"\x05\x01\x02" + bytes((version,)), LOGIN_METHOD + WRONG) for version in (0, 2, 5, 0xFF)),
    # the request: version, command, reserved byte, kind of address, name
    *((HELLO + bytes((version,)), METHOD + failure(1)) for version in (0, 1, 4, 6, 0xFF)),
    *((HELLO + bytes((5, command)), METHOD + failure(7)) for command in (0, 4, 0x80, 0xFF)),
    *((HELLO + bytes((5, 1, reserved)), METHOD + failure(1)) for reserved in (1, 0x80, 0xFF)),
    *((HELLO + bytes((5, 1, 0, kind)), METHOD + failure(8)) for kind in (0, 2, 5, 0xFF)),
    (HELLO + b"\x05\x01\x00\x03\x00", METHOD + failure(1)),
    *((HELLO + b"\x05\x01\x00\x03" + bytes((len(name),)) + name + b"\x00\x50", METHOD + failure(1))
      for name in (b" ", b"a\x00b", b"a b", b"a\nb", b"\x7f", b"\xc3\xbc")),
    (b"\x05\x01\x02" + LOGIN + b"\x05\x09", LOGIN_METHOD + WELCOME + failure(7)),
    # SOCKS 4 and 4a: command, user, name
    *((bytes((4, command)), REFUSED4) for command in (0, 3, 4, 0xFF)),
    (b"\x04\x01\x00\x50\x01\x02\x03\x04" + b"u" * 256, REFUSED4),
    (b"\x04\x01\x00\x50\0\0\0\x01u\0" + b"n" * 256, REFUSED4),
    *((b"\x04\x01\x00\x50\0\0\0\x01u\0" + name + b"\0", REFUSED4) for name in (b"", b"a b", b"\xff")),
)  # fmt: skip
STRICT: tuple[Talk, ...] = (
    (HELLO, NO_METHOD),
    (b"\x05\x01\x02" + b"\x01\x00\x00", LOGIN_METHOD + WRONG),
    (b"\x05\x01\x02" + b"\x01\x05alice\x06Secret", LOGIN_METHOD + WRONG),
    (b"\x05\x01\x02" + b"\x01\x03bob\x06secret", LOGIN_METHOD + WRONG),
    (b"\x05\x02\x00\x02" + LOGIN + b"\x05\x09", LOGIN_METHOD + WELCOME + failure(7)),
    (b"\x04\x01\x00\x50\x01\x02\x03\x04\0", REFUSED4),
)
"""Where log-ins are needed."""

SOUND: tuple[Talk, ...] = (
    (HELLO + b"\x05\x01\x00" + TARGET, METHOD),
    (HELLO + b"\x05\x01\x00\x01\x7f\0\0\x01\0\x50", METHOD),
    (HELLO + b"\x05\x02\x00\x04" + bytes(15) + b"\x01\0\x50", METHOD),
    (b"\x05\x02\x00\x02" + LOGIN + b"\x05\x01\x00" + TARGET, LOGIN_METHOD + WELCOME),
    (b"\x05\x01\x02" + b"\x01\x00\x00" + b"\x05\x01\x00" + TARGET, LOGIN_METHOD + WELCOME),
    (b"\x04\x01\x00\x50\x01\x02\x03\x04user\0", b""),
    (b"\x04\x02\x00\x50\0\0\0\x07user\0example.org\0", b""),
)
"""What is heard before the answer to the request."""


def pieces(said: bytes, size: int) -> Iterator[bytes]:
    """In pieces of this size."""
    return (said[at : at + size] for at in range(0, len(said), size))


class RawCase(NearCase):
    """Programs that write what they like; afterwards nothing may be left of them."""

    def spoken(self, said: bytes, size: int) -> Ear:
        """A program that has said this, in pieces of this size."""
        program = self.near.program()
        for piece in pieces(said, size):
            program.transport.write(piece)
            self.near.nodes.settle()
        return program

    def assert_nothing_left(self) -> None:
        near = self.near.near.near
        shown = near.status()
        self.assertEqual((shown["connections"], shown["waiting"], near.users, len(near.idle)), (0, 0, {}, 0))
        self.assertEqual(shown["lines"], shown["lines_idle"])

    def line_of(self, program: Ear) -> ScriptedLine:
        """The line that its request came on, with the request out of the way."""
        line = self.near.line()
        line.hears()
        program.data.clear()
        return line


class MalformedTests(RawCase):
    """What is wrong is answered as soon as it is there, once, and the connection ends; no exit hears of it."""

    def refused(self, talks: tuple[Talk, ...]) -> None:
        for said, heard in talks:
            for size in (len(said), 1, 3):
                program = self.spoken(said + b"more", size)
                self.near.nodes.advance(1.1)
                self.assertEqual(bytes(program.data), heard, (said, size))
                self.assertTrue(program.read_ended or program.lost, (said, size))
        self.near.nodes.settle()
        self.assert_nothing_left()
        self.assertEqual(self.status()["lines_opened"], 0)
        self.assertEqual(sum(self.status()["failures"].values()), 3 * len(talks))

    def test_without_passwords(self) -> None:
        self.stage()
        self.refused(MALFORMED)

    def test_with_passwords(self) -> None:
        self.stage(users={"alice": "secret"})
        self.refused(STRICT)


class NegotiationTests(RawCase):
    """Sound talks, up to every byte of them."""

    def test_byte_by_byte(self) -> None:
        """The request leaves with its last byte and not before; the answer comes back in the program's version."""
        near = self.stage()
        for said, heard in SOUND:
            program = self.spoken(said[:-1], 1)
            self.assertEqual((bytes(program.data), self.status()["lines_idle"]), (heard, self.status()["lines"]), said)
            program.transport.write(said[-1:])
            line = self.line_of(program)
            line.transport.write(wire.answer(Code.REFUSED))
            near.nodes.settle()
            self.assertEqual(bytes(program.data), REFUSED4 if said[0] == 4 else failure(5))
            line.hears()
        self.assertEqual(self.status()["lines_opened"], 1)
        self.assert_nothing_left()

    def test_broken_off_at_every_byte(self) -> None:
        """By an end, by a reset, by silence: the proxy ends it, answers nothing more, and asks nobody."""
        near = self.stage(handshake_seconds=5)
        for said, heard in SOUND:
            for at in range(len(said)):
                for how in ("end", "reset", "silence"):
                    program = self.spoken(said[:at], max(at, 1))
                    self.assertTrue(heard.startswith(bytes(program.data)), (said, at))
                    if how == "end":
                        program.transport.loseWriteConnection()
                        near.nodes.settle()
                    elif how == "reset":
                        program.transport.abortConnection()
                        near.nodes.settle()
                    else:
                        near.nodes.advance(5.1)
                    self.assertEqual(self.status()["connections"], 0, (said, at, how))
        self.assertEqual(self.status()["lines_opened"], 0)
        self.assert_nothing_left()

    def test_a_byte_now_and_then(self) -> None:
        """The time for the whole does not begin anew with every byte."""
        near = self.stage(handshake_seconds=5)
        for said, _ in SOUND:
            program = near.program()
            for byte in pieces(said, 1):
                program.transport.write(byte)
                near.nodes.advance(0.9)
            self.assertIsNotNone(program.lost, said)
        self.assert_nothing_left()


class CallTests(RawCase):
    """After the request, in every state of it: an end, a reset and more bytes from the program."""

    def asked(self, command: int, answers: int) -> tuple[Ear, ScriptedLine]:
        """A request of this command that has had so many answers."""
        program = self.spoken(HELLO + bytes((5, command, 0)) + TARGET, 1)
        line = self.line_of(program)
        for _ in range(answers):
            self.grants(line)
        self.assertEqual(bytes(program.data), GRANTED * answers)
        program.data.clear()
        return program, line

    def test_a_reset(self) -> None:
        """Passed on as one, whatever the state."""
        self.stage()
        for command, answers in ((1, 0), (1, 1), (2, 0), (2, 1), (2, 2)):
            program, line = self.asked(command, answers)
            program.transport.abortConnection()
            self.near.nodes.settle()
            self.assertEqual(line.lost.code, 0x8001, (command, answers))
            self.assert_nothing_left()

    def test_an_end(self) -> None:
        """Passed on in every state; what the far side still says arrives, whatever is still to be answered."""
        self.stage()
        for command, answers in ((1, 0), (1, 1), (2, 0), (2, 1), (2, 2)):
            program, line = self.asked(command, answers)
            program.transport.write(b"last words")
            program.transport.loseWriteConnection()
            self.near.nodes.settle()
            self.assertEqual(line.hears(), [(Kind.DATA, b"last words"), (Kind.END, b"")], (command, answers))
            for _ in range(command - answers):
                self.grants(line)
            line.says(Kind.DATA, b"answer")
            line.says(Kind.END)
            self.near.nodes.settle()
            self.assertEqual(bytes(program.data), GRANTED * (command - answers) + b"answer", (command, answers))
            self.assert_nothing_left()

    def test_bytes_one_by_one(self) -> None:
        """Said in any state, they arrive in their order."""
        self.stage()
        text = bytes(range(40))
        for command, answers in ((1, 0), (1, 1), (2, 0), (2, 1), (2, 2)):
            program, line = self.asked(command, answers)
            for byte in pieces(text, 1):
                program.transport.write(byte)
                self.near.nodes.settle()
            self.assertEqual(line.hears(), [(Kind.DATA, text)], (command, answers))
            program.transport.abortConnection()
            self.near.nodes.settle()
        self.assert_nothing_left()

    def test_silence(self) -> None:
        """Each state has its own time: for the answer, for whoever shall come, for a connection without a byte."""
        near = self.stage(connect_seconds=10, bind_seconds=20, idle_seconds=40)
        for command, answers, seconds, heard in (
            (1, 0, 10.1, failure(6)), (2, 0, 35.1, failure(6)), (2, 1, 35.1, failure(6)),
            (1, 1, 60.0, b""), (2, 2, 60.0, b""),
        ):  # fmt: skip
            program, _ = self.asked(command, answers)
            near.nodes.advance(seconds)
            self.assertEqual(bytes(program.data), heard, (command, answers))
            self.assertTrue(program.read_ended or program.lost, (command, answers))
            self.assert_nothing_left()


class SocketTests(LoopbackCase):
    """The same with real sockets, where a byte is a segment."""

    def program(self) -> socket.socket:
        line = socket.create_connection(("127.0.0.1", self.port), 10)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    def says(self, line: socket.socket, said: bytes) -> None:
        """A segment for each byte, as long as anybody listens."""
        try:
            for byte in pieces(said, 1):
                line.send(byte)
        except OSError:
            return

    def hears(self, line: socket.socket, size: int) -> bytes:
        heard = b""
        while len(heard) < size:
            more = line.recv(size - len(heard))
            if not more:
                raise EOFError(f"{len(heard)} of {size} bytes")
            heard += more
        return heard

    def all_of(self, line: socket.socket) -> bytes:
        """What is heard up to the end, or a reset: bytes that nobody read make one."""
        heard = b""
        try:
            while data := line.recv(1000):
                heard += data
        except ConnectionResetError:
            return heard
        finally:
            line.close()
        return heard

    async def test_malformed(self) -> None:
        await self.start()

        def talk(said: bytes) -> bytes:
            line = self.program()
            self.says(line, said)
            return self.all_of(line)

        for said, heard in MALFORMED:
            found = await self.thread(talk, said)
            self.assertTrue(heard.startswith(found), (said, found))
            if not said.startswith((b"GET", b"CONNECT", b"POST", b"\x04", b"\x05\x01\x02")):
                self.assertEqual(found, heard, said)
        await self.until(lambda: self.near.status()["proxy"]["connections"] == 0)
        self.assertEqual(self.near.status()["proxy"]["lines_opened"], 0)

    async def test_every_command_byte_by_byte(self) -> None:
        await self.start()
        port = self.listen(Targets())

        def talk(said: bytes, replies: int, text: bytes) -> bytes:
            line = self.program()
            self.says(line, said)
            heard = self.hears(line, replies)
            self.says(line, text)
            while text and not heard.endswith(b" bytes\n"):
                heard += self.hears(line, 1)
            line.shutdown(socket.SHUT_WR)
            return heard + self.all_of(line)

        to = b"\x01\x7f\0\0\x01" + port.to_bytes(2)
        named = Destination("here.example", port).encode()
        old = port.to_bytes(2) + b"\x7f\0\0\x01user\0", port.to_bytes(2) + b"\0\0\0\x09user\0here.example\0"
        for said, greeting, answer in (
            (HELLO + b"\x05\x01\x00" + to, METHOD, 10), (HELLO + b"\x05\x01\x00" + named, METHOD, 10),
            (b"\x05\x01\x02" + LOGIN + b"\x05\x01\x00" + named, LOGIN_METHOD + WELCOME, 10),
            (b"\x04\x01" + old[0], b"", 8), (b"\x04\x01" + old[1], b"", 8),
        ):  # fmt: skip
            heard = await self.thread(talk, said, len(greeting) + answer, b"hello\n")
            self.assertTrue(heard.startswith(greeting), said)
        associated = await self.thread(talk, HELLO + b"\x05\x03\x00\x01" + bytes(6), 12, b"")
        for heard in (associated, await self.thread(self.bound)):
            self.assertEqual(heard[:4], METHOD + b"\x05\x00")
        await self.until(lambda: self.near.status()["proxy"]["connections"] == 0)
        self.assertEqual(self.near.status()["proxy"]["failures"], {})

    def bound(self) -> bytes:
        """A BIND, byte by byte, and the one who comes."""
        line = self.program()
        self.says(line, HELLO + b"\x05\x02\x00\x01\x7f\0\0\x01\0\0")
        heard = self.hears(line, 12)
        with socket.create_connection(("127.0.0.1", int.from_bytes(heard[10:12])), 10) as other:
            second = line.recv(10)
            if second[:2] != b"\x05\x00":
                raise AssertionError(second)
            self.says(line, b"file")
            line.shutdown(socket.SHUT_WR)
            got = self.all_of(other.dup())
            if got != b"file":
                raise AssertionError(got)
        self.all_of(line)
        return heard

    async def test_broken_off_at_every_byte(self) -> None:
        """By an end and by a reset, whole requests included; then nothing is left, and the next one is served."""
        await self.start()
        port = self.listen(Targets())

        def leave(said: bytes, reset: bool) -> None:
            line = self.program()
            line.sendall(said)
            if reset:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.close()

        to = b"\x01\x7f\0\0\x01" + port.to_bytes(2)
        for command in (1, 2, 3):
            said = b"\x05\x02\x00\x02" + LOGIN + bytes((5, command, 0)) + to
            for at in range(len(said) + 1):
                for reset in (False, True):
                    await self.thread(leave, said[:at], reset)
        await self.until(lambda: self.near.status()["proxy"]["connections"] == 0)
        await self.until(lambda: self.far.status()["exit"]["connections"] == 0)
        await self.until(lambda: self.near.status()["proxy"]["lines"] == self.near.status()["proxy"]["lines_idle"])
        self.assertEqual(self.near.status()["proxy"]["udp_associations"], 0)
        self.assertEqual((await self.thread(self.bound))[:4], METHOD + b"\x05\x00")
