"""One word of text for bytes: one spelling, and nothing else is taken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.wire.one_word import data_of, letters_for, word_of


class WordTests(SynchronousTestCase):
    @given(st.binary(min_size=1, max_size=70))
    def test_back_and_forth(self, data: bytes) -> None:
        word = word_of("qgx:", data)
        self.assertEqual(len(word), letters_for("qgx:", len(data)))
        self.assertEqual(data_of(word, "qgx:", 200, "a word"), data)

    def test_what_is_none(self) -> None:
        for wrong in ("", "qgx:", "qgy:AAAA", "QGX:AAAA", "qgx:A", "qgx:AA=", "qgx:A A", "qgx:AAA+", "qgx:AB",
                      "qgx:\u00c4AAA", "qgx:" + "A" * 97):
            error = self.assertRaises(MalformedError, data_of, wrong, "qgx:", 100, "a word")
            self.assertTrue(str(error).startswith("a word's text"))
