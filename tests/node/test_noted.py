"""A dict that notes what was touched: through every way in, and nothing by the ways that only look."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.node.noted import Noted


class NotedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.noted: Noted[str, int] = Noted({"a": 1, "b": 2})
        self.first = self.noted.touched()

    def test_at_first_all(self) -> None:
        self.assertEqual((self.first, self.noted.touched()), ({"a", "b"}, set()))

    def test_every_way_in(self) -> None:
        ways: tuple[tuple[set[str], Any], ...] = (
            ({"a"}, lambda: self.noted.__setitem__("a", 1)), ({"b"}, lambda: self.noted.__delitem__("b")),
            ({"a"}, lambda: self.noted.pop("a")), ({"c"}, lambda: self.noted.setdefault("c", 3)),
            ({"d", "e"}, lambda: self.noted.update({"d": 4}, e=5)), ({"c", "d", "e"}, self.noted.clear),
        )
        for touched, way in ways:
            way()
            self.assertEqual((self.noted.touched(), self.noted.touched()), (touched, set()))
        self.assertEqual(self.noted, {})

    def test_what_only_looks(self) -> None:
        self.assertEqual((self.noted["a"], self.noted.get("z"), self.noted.setdefault("a", 9), dict(self.noted)),
                         (1, None, 1, {"a": 1, "b": 2}))
        self.assertRaises(KeyError, self.noted.__delitem__, "z")
        self.assertLessEqual(self.noted.touched(), {"z"})

    def test_the_ways_that_are_closed(self) -> None:
        self.assertRaises(TypeError, self.noted.popitem)
        self.assertRaises(TypeError, self.noted.__ior__, {"x": 1})
        self.assertEqual((self.noted, self.noted.touched()), ({"a": 1, "b": 2}, set()))
