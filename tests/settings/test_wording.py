"""The words of errors, also for Structs that bring none of their own (extenders')."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.settings.wording import Problem, checked, found_text, path_text, unknown_key


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    size: int = 0


class Guest(msgspec.Struct, forbid_unknown_fields=True):
    """A stranger's Struct: no ``key(...)`` anywhere."""

    folder: str
    mode: Literal["read", "write"] = "read"
    rates: dict[str, Inner] = {}
    sizes: list[int] = []
    ratio: float | None = None


class PathTests(SynchronousTestCase):
    def test_steps(self) -> None:
        self.assertEqual(path_text(("node", "listen", 0, "lan")), "node.listen[0].lan")

    def test_keys_that_toml_would_quote(self) -> None:
        self.assertEqual(path_text(("extenders", "a.b c")), 'extenders."a.b c"')


    def test_long_keys_are_cut(self) -> None:
        """Found by fuzzing: a key of a megabyte was a message of a megabyte."""
        self.assertEqual(path_text(("node", "k" * 1000)), "node." + "k" * 60 + "...")


class FoundTests(SynchronousTestCase):
    def test_as_toml_writes_it(self) -> None:
        cases = [(5, "5"), (2.0, "2"), (2.5, "2.5"), (True, "true"), ("x", '"x"'), ([1], "an array"), ((), "an array"),
                 ({}, "a table"), (None, "nothing"), (date(2026, 1, 1), "a date or time"), ("a\nb", '"a\\nb"'),
                 (float("nan"), "nan")]
        for value, text in cases:
            self.assertEqual(found_text(value), text)

    def test_a_number_of_thousands_of_digits(self) -> None:
        """Found by fuzzing: to write it down was an error of its own."""
        self.assertEqual(found_text(16**5000), "a larger number than any here")

    def test_a_terminal_is_told_nothing(self) -> None:
        """Found by fuzzing: U+009B begins a sequence that terminals obey, U+202E turns the line around."""
        self.assertEqual(found_text("\x9boff\u202e\x7f"), '"\\u009boff\\u202e\\u007f"')

    def test_long_text_is_cut(self) -> None:
        self.assertEqual(found_text("x" * 100), '"' + "x" * 60 + '..."')

    def test_a_store_url_is_not_repeated(self) -> None:
        self.assertNotIn("secret", found_text("postgresql://me:secret@host", ("node", "store")))


class CheckedTests(SynchronousTestCase):
    def line(self, data: object) -> str:
        problem = self.assertRaises(Problem, checked, data, Guest, ("extenders", "guest"))
        return str(problem.error("F")).removeprefix("F: extenders.guest")

    def test_right(self) -> None:
        self.assertEqual(checked({"folder": "x"}, Guest).folder, "x")

    def test_missing(self) -> None:
        self.assertEqual(self.line({}), ".folder: expected a value, found nothing")

    def test_type(self) -> None:
        self.assertEqual(self.line({"folder": 1}), ".folder: expected a string, found 1")

    def test_choice(self) -> None:
        self.assertEqual(self.line({"folder": "", "mode": "x"}), '.mode: expected "read" or "write", found "x"')

    def test_list_element(self) -> None:
        self.assertEqual(self.line({"folder": "", "sizes": [1, "x"]}), '.sizes[1]: expected a whole number, found "x"')

    def test_inside_a_mapping(self) -> None:
        found = self.line({"folder": "", "rates": {"ok": {"size": 1}, "my key": {"size": "x"}}})
        self.assertEqual(found, '.rates."my key".size: expected a whole number, found "x"')

    def test_unknown_inside_a_mapping(self) -> None:
        found = self.line({"folder": "", "rates": {"a": {"sise": 1}}})
        self.assertEqual(found, ".rates.a.sise: expected a known key (did you mean size?), found sise")

    def test_optional(self) -> None:
        self.assertEqual(self.line({"folder": "", "ratio": "x"}), '.ratio: expected a number, found "x"')

    def test_not_a_table(self) -> None:
        self.assertEqual(self.line(5), ": expected a table, found 5")


class UnknownKeyTests(SynchronousTestCase):
    def test_close_beats_elsewhere(self) -> None:
        problem = unknown_key(("node", "listn"), ["listen"], ["other.listn"])
        self.assertEqual(problem.expected, "a known key (did you mean listen?)")

    def test_elsewhere(self) -> None:
        self.assertIn("log.level", unknown_key(("node", "level"), ["listen"], ["log.level"]).expected)

    def test_no_keys_at_all(self) -> None:
        self.assertEqual(unknown_key(("extenders", "echo", "x"), ()).expected, "no key here")

    def test_hostile_name_stays_on_one_line(self) -> None:
        problem = unknown_key(("node", "x`\n - at `$.y`"), ["listen"])
        self.assertNotIn("\n", str(problem.error("F")))
