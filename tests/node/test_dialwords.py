"""The dialler's words: the specification's sentences, and which of several failures is told."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.events import Closed
from quantumgate.errors import ConnectFailed
from quantumgate.node.dialwords import closed_during_dial, most_telling, silence

NO_ANSWER = ("no answer from H: it may be off, not QuantumGate, or not recognise us: "
             "check UUID, shared secret, network name, and this clock")


class WordsTests(SynchronousTestCase):
    def test_silence_names_the_clock_only_when_peers_do(self) -> None:
        self.assertEqual(silence("H", None), NO_ANSWER)
        self.assertEqual(silence("H", 1.0), NO_ANSWER)
        self.assertEqual(silence("H", -90.4), NO_ANSWER + " (peers say 90 s off)")

    def test_each_end_has_its_sentence(self) -> None:
        for event, sentence in (
            (Closed("self"), "this is me"),
            (Closed("no-answer"), NO_ANSWER),
            (Closed("not-accepted"), "H: not accepted"),
            (Closed("access-denied", "", 4, by="remote"), "H does not admit this identity"),
            (Closed("authentication"), "the handshake with H failed"),
            (Closed("refused", "refused: busy"), "H refused: busy"),
        ):
            self.assertEqual(str(closed_during_dial("H", event, None)), sentence)

    def test_the_most_telling_of_several_comes_first(self) -> None:
        worst = most_telling([ConnectFailed("unreachable", "a"), ConnectFailed("access-denied", "b")])
        self.assertEqual((worst.reason, str(worst)), ("access-denied", "b (also: a)"))
