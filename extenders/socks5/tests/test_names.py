"""Look-ups that are shared and bounded, between callers that come, give up and fail together."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from quantumgate_socks5.names import Names
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

HERE, THERE = [ip_address("192.0.2.1")], [ip_address("192.0.2.2")]


class NamesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[tuple[str, Deferred[Any]]] = []
        self.names = Names(self.look_up, most=2)

    def look_up(self, name: str) -> Deferred[Any]:
        self.asked.append((name, Deferred()))
        return self.asked[-1][1]

    def asked_names(self) -> list[str]:
        return [name for name, _ in self.asked]

    def test_one_name_is_looked_up_once_at_a_time(self) -> None:
        """A burst of connections to one site; the next one, later, asks anew."""
        answers = [self.names.resolve("a.example") for _ in range(100)]
        self.assertEqual(self.asked_names(), ["a.example"])
        self.asked[0][1].callback(HERE)
        self.assertEqual([self.successResultOf(each) for each in answers], [HERE] * 100)
        again = self.names.resolve("a.example")
        self.assertEqual((self.asked_names(), len(self.names)), (["a.example"] * 2, 1))
        self.asked[1][1].callback(THERE)
        self.assertEqual(self.successResultOf(again), THERE)

    def test_no_more_than_so_many_at_once(self) -> None:
        """The others wait for a place, not for each other's answers."""
        for name in ("a", "b", "c", "d"):
            self.names.resolve(name)
        self.assertEqual(self.asked_names(), ["a", "b"])
        self.asked[1][1].callback(HERE)
        self.assertEqual(self.asked_names(), ["a", "b", "c"])
        self.assertEqual(len(self.names), 3)

    def test_failures_are_everybodys(self) -> None:
        answers = [self.names.resolve("a") for _ in range(3)]
        self.asked[0][1].errback(OSError("no server"))
        for each in answers:
            self.failureResultOf(each, OSError)
        self.assertEqual(len(self.names), 0)
        self.names.resolve("b")
        self.names.resolve("c")
        self.assertEqual(self.asked_names(), ["a", "b", "c"])

    def test_one_who_gives_up_takes_nothing_from_the_others(self) -> None:
        """Nor does the place become free while the question is still out."""
        first, second = self.names.resolve("a"), self.names.resolve("a")
        first.cancel()
        self.failureResultOf(first)
        self.names.resolve("b")
        self.names.resolve("c")
        self.assertEqual(self.asked_names(), ["a", "b"])
        self.asked[0][1].callback(HERE)
        self.assertEqual(self.successResultOf(second), HERE)
        self.assertEqual(self.asked_names(), ["a", "b", "c"])

    def test_what_everybody_left_is_not_asked(self) -> None:
        self.names.resolve("a")
        self.names.resolve("b")
        waiting = [self.names.resolve("c"), self.names.resolve("c")]
        for each in waiting:
            each.cancel()
            self.failureResultOf(each)
        last = self.names.resolve("d")
        self.asked[0][1].callback(HERE)
        self.assertEqual(self.asked_names(), ["a", "b", "d"])
        self.asked[2][1].callback(THERE)
        self.assertEqual(self.successResultOf(last), THERE)

    def test_one_who_comes_back_before_its_turn(self) -> None:
        """Everybody left a name that waits, and somebody comes for it: it is asked once, for the newcomer."""
        self.names.resolve("a")
        self.names.resolve("b")
        gone = self.names.resolve("c")
        gone.cancel()
        self.failureResultOf(gone)
        back = self.names.resolve("c")
        self.asked[0][1].callback(HERE)
        self.asked[1][1].callback(HERE)
        self.assertEqual(self.asked_names(), ["a", "b", "c"])
        self.asked[2][1].callback(THERE)
        self.assertEqual(self.successResultOf(back), THERE)

    def test_answers_that_come_at_once(self) -> None:
        """Many hundreds of names in a row, answered as they are asked: nothing piles up."""
        names = Names(_done, most=2)
        found = [self.successResultOf(names.resolve(f"{number}.example")) for number in range(2000)]
        self.assertEqual((found[1999], len(names)), (["1999.example"], 0))


def _done(name: str) -> Deferred[Any]:
    answer: Deferred[Any] = Deferred()
    answer.callback([name])
    return answer
