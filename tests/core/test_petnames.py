"""Names of docs/spec/addresses.md section 2: what is one, what never can be, and which two look alike."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.petnames import RESERVED, checked_name, is_name, look
from quantumgate.errors import LocalError
from quantumgate.wire.limits import PETNAME_LETTERS

UUID_TEXT = "c0ffee00-1234-8abc-9def-0123456789ab"


class NameTests(SynchronousTestCase):
    def refused(self, text: str) -> None:
        self.assertFalse(is_name(text), text)
        self.assertRaises(LocalError, checked_name, text)

    def test_names(self) -> None:
        for text in ("bob", "b", "bob2", "bob-laptop", "bob-s-laptop", "x-1-2"):
            self.assertEqual(checked_name(text), text)

    def test_capitals_are_small_letters(self) -> None:
        self.assertEqual(checked_name("Bob-Laptop"), "bob-laptop")

    def test_what_is_none(self) -> None:
        for text in ("", "2bob", "-bob", "bob-", "bob--laptop", "a-b-c-d", "bob smith", "bob\n", "bob.laptop"):
            self.refused(text)
        for text in ("bob/web", "bob:1", "qg://bob", "[::1]", "192.0.2.1", UUID_TEXT):
            self.refused(text)
        for text in ("b\u043eb", "bob\u200b", "\u0131", "BOB\u212a"):
            self.refused(text)

    def test_the_longest(self) -> None:
        self.assertEqual(checked_name("b" * PETNAME_LETTERS), "b" * PETNAME_LETTERS)
        self.refused("b" * (PETNAME_LETTERS + 1))

    def test_words_that_mean_something_else(self) -> None:
        self.assertIn("everybody", RESERVED)
        for word in (*RESERVED, "ME", "Self"):
            self.assertTrue(is_name(word), f"{word} could not be a name anyway")
            self.assertRaises(LocalError, checked_name, word)

    def test_a_uuid_or_an_address_is_never_taken_for_a_name(self) -> None:
        for text in (UUID_TEXT, UUID_TEXT.upper(), "tcp:127.0.0.1:9999", "unix:/run/qg", "fe80::1", "qgi:aaaa"):
            self.assertFalse(is_name(text), text)


class LookTests(SynchronousTestCase):
    def test_alike(self) -> None:
        for one, other in (("alice", "al1ce"), ("alice", "allce"), ("bob", "b0b"), ("bob", "808"), ("sven", "5ven"),
                           ("mary", "rnary"), ("will", "vvill"), ("bob-laptop", "boblaptop"), ("grog", "9ro9")):
            self.assertEqual(look(one), look(other), (one, other))

    def test_not_alike(self) -> None:
        for one, other in (("alice", "alicia"), ("bob", "rob"), ("bob-2", "bob-3"), ("ann", "anna")):
            self.assertNotEqual(look(one), look(other), (one, other))
