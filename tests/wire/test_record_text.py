"""Records as text: one spelling for each, and few of them in one text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.wire.limits import PEER_RECORD_DELEGATED_BYTES
from quantumgate.wire.record_text import RECORDS_MAX, TEXT_LETTERS_MAX, as_text, from_text

LARGEST = bytes(PEER_RECORD_DELEGATED_BYTES)


class TextTests(SynchronousTestCase):
    def test_letter_by_letter(self) -> None:
        self.assertEqual(as_text(bytes.fromhex("0101000020fbefff")), "qgr:AQEAACD77_8")
        self.assertEqual(as_text(b"\x3e\x3f\xfe\xff"), "qgr:Pj_-_w")

    @given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=RECORDS_MAX))
    def test_back_and_forth(self, records: list[bytes]) -> None:
        for between in (" ", "\n", "\r\n\t "):
            self.assertEqual(from_text(between + between.join(map(as_text, records)) + between), tuple(records))

    def test_the_largest(self) -> None:
        text = "\r\n".join([as_text(LARGEST)] * RECORDS_MAX) + "\r\n"
        self.assertEqual(from_text(text), (LARGEST,) * RECORDS_MAX)
        self.assertEqual(len(text), TEXT_LETTERS_MAX)
        self.assertRaises(MalformedError, from_text, as_text(LARGEST + b"\0\0"))

    def test_what_is_none(self) -> None:
        word = as_text(b"record")
        for text in ("", " \n", "qgr:", "QGR:" + word[4:], word[4:], word + "=", word + "\0", word.replace("c", "+"),
                     word + "é", "qgr:A", "qgr:AB", "qgr:AQE=", f"{word},{word}", f"qg://{word}",
                     " ".join([word] * (RECORDS_MAX + 1)), f"{word} and more"):
            self.assertRaises(MalformedError, from_text, text)
