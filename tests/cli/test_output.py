"""Tables, numbers, and text from strangers."""

from __future__ import annotations

import contextlib
import io

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli import output
from tests.cli.tool import Terminal


class TextTests(SynchronousTestCase):
    def test_durations(self) -> None:
        cases = [(0, "0.0 s"), (9.94, "9.9 s"), (45.9, "45 s"), (60, "1 min 0 s"), (125, "2 min 5 s"),
                 (3723, "1 h 2 min"), (90_000, "1 d 1 h")]
        for seconds, text in cases:
            self.assertEqual(output.duration_text(seconds), text)

    def test_bytes(self) -> None:
        for number, text in [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (4e9, "4.0 GB"),
                             (1e13, "10.0 TB")]:
            self.assertEqual(output.bytes_text(number), text)

    def test_no_time(self) -> None:
        self.assertEqual(output.milliseconds_text(None), "")
        self.assertEqual(output.milliseconds_text(0.00123), "1.23 ms")

    def test_text_cannot_move_the_cursor(self) -> None:
        self.assertEqual(output.printable("a\x1b[2Jb\nc"), "a?[2Jb?c")


class TableTests(SynchronousTestCase):
    def shown(self, rows: list[tuple[str, str]], out: io.StringIO) -> str:
        with contextlib.redirect_stdout(out):
            output.table(("name", "what"), rows, "nothing")
        return out.getvalue()

    def test_in_a_pipe(self) -> None:
        self.assertEqual(self.shown([("a", "b c"), ("longer", "")], io.StringIO()),
                         "NAME    WHAT\na       b c\nlonger\n")

    def test_empty(self) -> None:
        self.assertEqual(self.shown([], io.StringIO()), "nothing\n")

    def test_for_a_person(self) -> None:
        text = self.shown([("[red]a", "b")], Terminal())
        self.assertIn("[red]a", text)
        self.assertNotIn("NAME", text)
