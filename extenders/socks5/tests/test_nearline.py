"""Lines whose circuit has a successor: the call on one is finished, the next one goes over a line of the successor."""

from __future__ import annotations

from typing import Any

from quantumgate_socks5.wire import Kind

from .test_near import NAME, NearCase


class SupersededTests(NearCase):
    def inner(self) -> Any:
        """The near end of the one line that there is."""
        (lines,) = self.near.near.near._lines.values()
        (line,) = lines._all
        return line

    def finish(self, program: Any, line: Any) -> None:
        """The call ends from both sides."""
        line.says(Kind.END)
        program.transport.loseConnection()
        self.near.nodes.settle()

    def test_the_call_on_it_runs_on_and_it_is_closed_behind_it(self) -> None:
        near = self.stage()
        program, line = self.joined()
        self.inner().transport.superseded = True
        line.says(Kind.DATA, b"still heard")
        near.nodes.settle()
        self.assertEqual(bytes(program.data), b"still heard")
        self.finish(program, line)
        self.assertIsNotNone(line.lost)
        _, other = self.joined()
        self.assertIsNot(other, line)

    def test_one_that_was_idle_already_is_not_taken_again(self) -> None:
        self.stage()
        program, line = self.joined()
        self.finish(program, line)
        self.assertIsNone(line.lost)
        self.inner().transport.superseded = True
        _, other = self.joined()
        self.assertIsNot(other, line)
        self.near.nodes.settle()
        self.assertIsNotNone(line.lost)

    def test_who_waits_gets_one_of_the_successor(self) -> None:
        near = self.stage(lines_per_exit=1)
        first, line = self.joined()
        second = near.program()
        near.asks(second, NAME)
        self.inner().transport.superseded = True
        self.finish(first, line)
        near.nodes.advance(1)
        other = near.line()
        self.assertIsNot(other, line)
        self.assertEqual(other.hears(), [(Kind.CONNECT, NAME.encode())])

    def test_one_that_is_not_is_taken_again(self) -> None:
        self.stage()
        program, line = self.joined()
        self.finish(program, line)
        self.assertIs(self.joined()[1], line)
