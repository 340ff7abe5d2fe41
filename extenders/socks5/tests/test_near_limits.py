"""The near side's limits: every number of the table is reached, and what is beyond is refused."""

from __future__ import annotations

from typing import Any

from quantumgate_socks5.destination import NOWHERE
from quantumgate_socks5.nearline import KEPT_BYTES
from quantumgate_socks5.paths import Paths
from quantumgate_socks5.wire import Kind
from twisted.internet.error import ConnectError

from .test_near import GRANTED, NAME, NearCase, failure, login


class LimitsTests(NearCase):
    """Every number of the table is reached."""

    def test_connections(self) -> None:
        near = self.stage(connections=2)
        near.program()
        near.program()
        with self.assertRaises(ConnectError):
            near.program()

    def test_connections_per_user(self) -> None:
        near = self.stage(connections_per_user=1)
        first = near.program()
        near.asks(first, NAME, login=login(b"alice"))
        for user, code in ((b"alice", 1), (b"bob", None)):
            program = near.program()
            near.asks(program, NAME, login=login(user))
            self.assertEqual(bytes(program.data), failure(code) if code else b"")
        first.transport.abortConnection()
        near.nodes.settle()
        program = near.program()
        near.asks(program, NAME, login=login(b"alice"))
        self.assertEqual(bytes(program.data), b"")
        self.assertEqual(self.status()["failures"], {"limit": 1})

    def test_udp_associations(self) -> None:
        """From the request on. Found by reading: it was counted when granted, so many at once all had one."""
        near = self.stage(udp_associations=1)
        near.offers()
        first, second = near.program(), near.program()
        near.asks(first, NOWHERE, command=3)
        near.asks(second, NOWHERE, command=3)
        self.assertEqual((bytes(first.data), bytes(second.data)), (b"", failure(1)))
        self.assertEqual(self.status()["udp_associations"], 1)
        first.transport.abortConnection()
        near.nodes.settle()
        self.assertEqual(self.status()["udp_associations"], 0)
        third = near.program()
        near.asks(third, NOWHERE, command=3)
        self.assertEqual(bytes(third.data), b"")

    def test_handshake_seconds(self) -> None:
        near = self.stage(handshake_seconds=5)
        for said in (b"", b"\x05", b"\x05\x01\x00", b"\x05\x01\x00\x05\x01", b"\x04\x01", b"\x05\x01\x02\x01\x05ab"):
            program = near.program()
            program.transport.write(said)
            near.nodes.advance(4.9)
            self.assertIsNone(program.lost)
            near.nodes.advance(0.2)
            self.assertIsNotNone(program.lost, said)

    def test_idle_seconds(self) -> None:
        near = self.stage(idle_seconds=100)
        program, line = self.joined()
        near.nodes.advance(130)
        self.assertIsNotNone(program.lost)
        self.assertEqual(line.lost.code, 0x8001)

    def test_lines_per_exit(self) -> None:
        """More calls than lines wait for one; whoever left meanwhile gets none."""
        near = self.stage(lines_per_exit=2)
        programs = [near.program() for _ in range(5)]
        for program in programs:
            near.asks(program, NAME)
        self.assertEqual((len(near.exits["right"].lines), self.status()["waiting"]), (2, 3))
        programs[2].transport.abortConnection()
        near.nodes.settle()
        for _ in range(4):
            for line in near.exits["right"].lines:
                if line.hears()[-1:] == [(Kind.CONNECT, NAME.encode())]:
                    self.grants(line)
                    line.says(Kind.END)
            for program in programs:
                if program.read_ended and program.lost is None:
                    program.transport.loseConnection()
            near.nodes.settle()
        self.assertEqual([bytes(program.data) == GRANTED for program in programs], [True, True, False, True, True])
        self.assertEqual((len(near.exits["right"].lines), self.status()["waiting"]), (2, 0))

    def test_line_that_breaks_gives_its_place(self) -> None:
        near = self.stage(lines_per_exit=1)
        first, second = near.program(), near.program()
        near.asks(first, NAME)
        near.asks(second, NAME)
        first.transport.abortConnection()
        near.nodes.settle()
        self.grants(near.line())
        self.assertEqual(bytes(second.data), GRANTED)

    def test_waiting_for_an_exit_that_leaves(self) -> None:
        near = self.stage(lines_per_exit=1, exit_return_seconds=5)
        first, second = near.program(), near.program()
        near.asks(first, NAME)
        near.asks(second, NAME)
        near.nodes["right"].contact(near.nodes.left).close(graceful=False)
        near.nodes.advance(5.1)
        self.assertEqual((bytes(first.data), bytes(second.data)), (failure(1), failure(1)))

    def test_a_session_that_is_needed_no_more(self) -> None:
        """It is closed with its last call, or at once where there is none."""
        for ended in (False, True):
            near = self.stage()
            program, line = self.joined()
            if ended:
                program.transport.abortConnection()
                near.nodes.settle()
            peer = near.nodes.left.peer()
            self.assertEqual(near.near.near.in_use(peer), not ended)
            near.near.near.give_up(peer)
            near.nodes.settle()
            self.assertEqual(len(self.status()["exits"]), 0 if ended else 1)
            if not ended:
                line.says(Kind.DATA, b"the rest")
                line.says(Kind.END)
                near.nodes.settle()
                self.assertEqual((bytes(program.data), program.read_ended), (b"the rest", True))
                self.assertEqual(len(self.status()["exits"]), 1)
                program.transport.loseConnection()
                near.nodes.settle()
            self.assertEqual((self.status()["exits"], self.status()["lines"]), ([], 0))

    def test_a_line_that_moved_much(self) -> None:
        """Either way: it goes with its call, unless somebody waits for it. One that moved little stays."""
        near = self.stage(lines_per_exit=1)
        for sent, received, kept in ((0, 0, 1), (KEPT_BYTES - 65_536, 0, 1), (KEPT_BYTES, 0, 0), (0, KEPT_BYTES, 0)):
            program, line = self.joined()
            program.transport.write(bytes(sent))
            for _ in range(received // 65_536):
                line.says(Kind.DATA, bytes(65_536))
            line.says(Kind.END)
            program.transport.loseWriteConnection()
            near.nodes.settle()
            self.assertEqual((self.status()["lines"], len(program.data)), (kept, received), (sent, received))
        program, line = self.joined()
        waiting = near.program()
        near.asks(waiting, NAME)
        program.transport.write(bytes(KEPT_BYTES))
        line.says(Kind.END)
        program.transport.loseConnection()
        near.nodes.settle()
        self.grants(near.line())
        self.assertEqual((near.line() is line, bytes(waiting.data)), (True, GRANTED))

    def test_a_session_is_in_use_for_a_while(self) -> None:
        """As long as a line is open, and a line is kept for the next call; then circuits that are too many can go."""
        told: list[bool] = []
        self.patch(Paths, "make_room", lambda _: told.append(near.near.near.in_use(peer)))
        near = self.stage(line_idle_seconds=60)
        peer = near.nodes.left.peer()
        self.assertFalse(near.near.near.in_use(peer))
        program, line = self.joined()
        line.says(Kind.END)
        program.transport.loseConnection()
        near.nodes.advance(59)
        self.assertEqual((self.status()["lines_idle"], near.near.near.in_use(peer), told), (1, True, []))
        near.nodes.advance(61)
        self.assertEqual((self.status()["lines"], near.near.near.in_use(peer), told), (0, False, [False]))

    def test_a_call_that_waits_has_its_line_first(self) -> None:
        """The only line breaks while another call waits for it: the session stays for that one."""
        near = self.stage(lines_per_exit=1)
        _, line = self.joined()
        second = near.program()
        near.asks(second, NAME)
        near.near.near.give_up(near.nodes.left.peer())
        line.transport.abortConnection()
        near.nodes.settle()
        self.grants(near.line())
        self.assertEqual(bytes(second.data), GRANTED)
        second.transport.abortConnection()
        near.nodes.settle()
        self.assertEqual(self.status()["exits"], [])

    def test_a_call_that_came_in_time(self) -> None:
        """It has the line that it asked for in the same turn, though the session is to be closed."""
        near, taken = self.stage(), []

        class Takes:
            def take_line(self, line: Any) -> None:
                taken.append(line)

            def line_lost(self) -> None:
                taken.append(None)

        lines = near.near.near.lines_to(near.nodes.left.peer())
        lines.retire()
        lines.take(Takes())
        near.nodes.settle()
        self.assertEqual((len(taken), taken[0].over, len(self.status()["exits"])), (1, False, 1))

    def test_idle_lines(self) -> None:
        """Few are kept, and not for ever."""
        near = self.stage(lines_idle=2, line_idle_seconds=60)
        programs = [self.joined() for _ in range(4)]
        for program, line in programs:
            line.says(Kind.END)
            program.transport.loseConnection()
        near.nodes.settle()
        self.assertEqual((self.status()["lines"], self.status()["lines_idle"]), (2, 2))
        near.nodes.advance(130)
        self.assertEqual(self.status()["lines"], 0)
        self.assertEqual([line.lost is not None for _, line in programs], [True] * 4)
