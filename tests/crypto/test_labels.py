"""Tests of quantumgate.crypto.labels."""

from __future__ import annotations

import itertools

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto import labels


class TreeTests(SynchronousTestCase):
    """The tree of labels separates what it names."""

    def test_no_label_is_used_twice(self) -> None:
        """All labels of the whole tree are different."""
        every = list(itertools.chain.from_iterable(labels.TREE.values()))
        self.assertEqual(len(every), len(set(every)))

    def test_no_label_begins_another_one_of_the_same_parent(self) -> None:
        """Some labels are followed by variable bytes, so a prefix could become the longer one."""
        for parent, names in labels.TREE.items():
            for a, b in itertools.permutations(names, 2):
                self.assertFalse(b.startswith(a), f"{a!r} begins {b!r} below {parent}")

    def test_the_tree_is_complete(self) -> None:
        """Every bytes constant that begins with qg1 or names QuantumGate/1 with a purpose stands in the tree."""
        every = set(itertools.chain.from_iterable(labels.TREE.values()))
        for name, value in vars(labels).items():
            if name.isupper() and isinstance(value, bytes) and value.startswith((b"qg1 ", b"QuantumGate/1 ")):
                self.assertIn(value, every, name)
        pairs = ("o1", "o2", "hs r2i", "hs i2r", "ap i2r", "ap r2i", "lan")
        for pair in pairs:
            self.assertIn(f"qg1 {pair} key".encode(), every)
            self.assertIn(f"qg1 {pair} iv".encode(), every)

    def test_as_specified(self) -> None:
        """Section 1.4, letter by letter."""
        self.assertEqual(labels.PROTOCOL, b"QuantumGate/1")
        self.assertEqual(
            labels.TREE["PRK1"],
            (
                b"qg1 hs r2i key",
                b"qg1 hs r2i iv",
                b"qg1 hs i2r key",
                b"qg1 hs i2r iv",
                b"qg1 fin r",
                b"qg1 fin i",
                b"qg1 derived",
            ),
        )
        self.assertEqual(labels.TREE["PRK0"], (b"qg1 obf", b"qg1 ke salt", b"qg1 lan", b"qg1 group on lan"))
        self.assertEqual(labels.TREE["PRK2"], (b"qg1 root", b"qg1 session id", b"qg1 exporter"))
        self.assertEqual(labels.TREE["exporter"], (b"qg1 exp",))
        self.assertEqual(labels.TREE["root_e"][-1], b"qg1 rekey id")
        self.assertEqual(
            labels.TREE["SHA-512"],
            (
                b"QuantumGate/1 net",
                b"QuantumGate/1 psk",
                b"QuantumGate/1 peer uuid",
                b"QuantumGate/1 fingerprint",
                b"QuantumGate/1 directory",
                b"QuantumGate/1 extender",
            ),
        )


class SignatureNameTests(SynchronousTestCase):
    """Names inside signature inputs, ended by a zero byte."""

    def test_names(self) -> None:
        """All different, none with a zero byte, the nine of the specification."""
        self.assertEqual(len(set(labels.SIGNATURE_NAMES)), 9)
        self.assertFalse(any("\0" in name for name in labels.SIGNATURE_NAMES))
        self.assertEqual(labels.SIGNATURE, b" " * 64 + b"QuantumGate/1 ")


class TagTests(SynchronousTestCase):
    """Tags of the transcript."""

    def test_tags_are_distinct(self) -> None:
        """A value can never stand under another one's tag."""
        tags = []
        for name, value in vars(labels).items():
            if name.startswith("TAG"):
                tags += [value] if isinstance(value, bytes) else list(value)
        self.assertEqual(len(tags), len(set(tags)))
        self.assertEqual(len(tags), 21)
