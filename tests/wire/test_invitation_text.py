"""The text of an invitation: comes back, tolerates what chats do to it, and says a slip of the pen as such."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.ids import parse_peer_uuid
from quantumgate.wire.invitation_text import (
    CHECK_BYTES,
    INVITATION_LETTERS,
    SCHEME,
    TEXT_LETTERS_MAX,
    Invitation,
    InvitingAnchor,
    is_invitation_text,
    read_invitation,
)
from quantumgate.wire.limits import INVITATION_BYTES, INVITATION_SECRET_BYTES
from quantumgate.wire.link_frames import LinkEndpoint

ONE = parse_peer_uuid("c0ffee00-1234-8abc-9def-0123456789ab")
TWO = parse_peer_uuid("deadbeef-1234-8abc-9def-0123456789ab")
V4, V6, NAME = LinkEndpoint("192.0.2.7", 9999), LinkEndpoint("2001:db8::7", 443), LinkEndpoint("alice.example", 1)
PLAIN = Invitation(ONE, b"\x11" * 32, b"network!", 1_800_000_000, bytes(range(20)), name="alice", endpoints=(V4,))
FULL = replace(
    PLAIN, shared_secret=True, endpoints=(V4, V6, NAME), rendezvous=b"\x22" * 32,
    anchors=(InvitingAnchor(TWO, b"\x33" * 32, (V6,)), InvitingAnchor(ONE, b"", (NAME, V4))),
)


def spelt(data: bytes) -> str:
    """The text of these bytes with a check that fits."""
    whole = data + binascii.crc32(data).to_bytes(4, "big")
    return SCHEME + base64.b32encode(whole).decode().rstrip("=").lower()


class TextTests(SynchronousTestCase):
    def refused(self, text: str, words: str = "") -> None:
        with self.assertRaises(MalformedError) as caught:
            read_invitation(text)
        self.assertIn(words, str(caught.exception))

    def test_comes_back(self) -> None:
        for one in (PLAIN, FULL, replace(PLAIN, name="", endpoints=(), expires=(1 << 32) - 1)):
            self.assertEqual(read_invitation(one.text), one)
        self.assertEqual(len(PLAIN.secret), INVITATION_SECRET_BYTES)

    def test_case_blanks_and_ends_of_lines_do_not_matter(self) -> None:
        text = FULL.text
        for other in (text.upper(), f"  {text}\r\n", "\n".join(text[at : at + 60] for at in range(0, len(text), 60)),
                      text.replace("a", " A ")):
            self.assertEqual(read_invitation(other), FULL)

    def test_every_single_slip_is_told_as_such(self) -> None:
        text = PLAIN.text
        for at in range(len(SCHEME), len(text)):
            for letter in ("2" if text[at] != "2" else "3", ""):
                self.refused(text[:at] + letter + text[at + 1 :])
            self.refused(text[:at] + "x" + text[at:])
        for at in range(len(SCHEME), len(text) - 1):
            if text[at] != text[at + 1]:
                self.refused(text[:at] + text[at + 1] + text[at] + text[at + 2 :], "a letter is wrong")

    def test_in_words(self) -> None:
        self.refused("qgr:abc", "begins with qgi:")
        self.refused(PLAIN.text[:20] + "1" + PLAIN.text[21:], "letter 17 behind qgi: is '1'")
        self.refused(PLAIN.text[:-2], "a letter is wrong, missing or too many")
        self.refused(SCHEME + "a", "a part of it is missing")
        self.refused(SCHEME, "a letter is wrong")
        self.refused(spelt(b"\x02" + PLAIN.encode()[1:-CHECK_BYTES]), "a newer version made")

    def test_the_secret_is_in_no_repr(self) -> None:
        for hidden in (repr(FULL.secret), repr(FULL.rendezvous)):
            self.assertNotIn(hidden, repr(FULL))

    def test_what_keys_are_bound_to(self) -> None:
        self.assertEqual(len(PLAIN.public_part), len(PLAIN.encode()) - CHECK_BYTES - INVITATION_SECRET_BYTES)
        self.assertEqual(replace(PLAIN, secret=bytes(20)).public_part, PLAIN.public_part)
        self.assertNotEqual(replace(PLAIN, name="mallory").public_part, PLAIN.public_part)

    def test_what_is_meant_as_one(self) -> None:
        self.assertTrue(is_invitation_text(f" {FULL.text.upper()}"))
        self.assertFalse(is_invitation_text("qgr:abc"))


class BoundsTests(SynchronousTestCase):
    def refused(self, data: bytes) -> None:
        self.assertRaises(MalformedError, read_invitation, spelt(data))

    def test_every_cut_and_more_behind(self) -> None:
        data = FULL.encode()[:-CHECK_BYTES]
        for size in range(len(data)):
            self.refused(data[:size])
        self.refused(data + b"\0")

    def test_flags_uuid_and_counts(self) -> None:
        data = PLAIN.encode()[:-CHECK_BYTES]
        self.refused(data[:1] + b"\x02" + data[2:])
        self.refused(data[:8] + b"\x4a" + data[9:])
        self.refused(data[:-1] + b"\x04" + bytes(400))
        name_at = 2 + 16 + 32 + 8 + 4 + 20
        self.refused(data[:name_at] + b"\x21" + b"a" * 33 + data[name_at + 6 :])
        self.refused(data[:name_at] + b"\x01\xff" + data[name_at + 6 :])
        self.refused(replace(PLAIN, endpoints=(V4,) * 9).encode()[:-CHECK_BYTES])
        self.refused(replace(FULL, anchors=FULL.anchors * 2).encode()[:-CHECK_BYTES])
        self.refused(replace(FULL, anchors=(InvitingAnchor(TWO, b"", ()),)).encode()[:-CHECK_BYTES])

    def test_an_anchor_with_unknown_flags(self) -> None:
        data = bytearray(replace(PLAIN, anchors=(InvitingAnchor(TWO, b"", (V4,)),), rendezvous=bytes(32)).encode())
        data[data.index(TWO.bytes) + 16] = 2
        self.refused(bytes(data[:-CHECK_BYTES]))

    def test_one_spelling(self) -> None:
        """The bits that base32 leaves over are 0: else one invitation would have many texts."""
        text = replace(PLAIN, name="alicia").text
        self.assertNotEqual(len(text.removeprefix(SCHEME)) * 5 % 8, 0)
        other = text[:-1] + "abcdefghijklmnopqrstuvwxyz234567"["abcdefghijklmnopqrstuvwxyz234567".index(text[-1]) + 1]
        self.assertRaises(MalformedError, read_invitation, other)
        as_a_name = b"\x01\x09" + b"192.0.2.7" + V4.encode()[-2:]
        data = PLAIN.encode()[:-CHECK_BYTES]
        self.refused(data.replace(b"\0\x07" + V4.encode(), b"\0\x0d" + as_a_name))

    def test_the_longest(self) -> None:
        names = tuple(LinkEndpoint("a" * 253, 9999) for _ in range(7))
        room = INVITATION_BYTES - len(replace(PLAIN, endpoints=names).encode())
        longest = replace(PLAIN, endpoints=(*names, LinkEndpoint("a" * (room - 4), 9999)))
        self.assertEqual((len(longest.encode()), len(longest.text)), (INVITATION_BYTES, INVITATION_LETTERS))
        self.assertEqual(read_invitation(longest.text), longest)
        more = replace(longest, endpoints=(*names, LinkEndpoint("a" * (room - 3), 9999)))
        self.assertRaises(ValueError, more.encode)
        self.assertRaises(MalformedError, read_invitation, SCHEME + "a" * TEXT_LETTERS_MAX)
