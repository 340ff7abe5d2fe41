"""REKEY_REQ and REKEY_RSP byte by byte, every cut, and nothing behind the end."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.wire.rekey_messages import RekeyRequest, RekeyResponse, signed_content

REQUEST = RekeyRequest(7, 2, 3, b"share", b"the key", b"signed")
RESPONSE = RekeyResponse(7, b"share", b"ciphertext", b"signed")


class SpellingTests(SynchronousTestCase):
    """docs/spec/rekey.md, section 2."""

    def test_request_byte_by_byte(self) -> None:
        expected = bytes(7) + b"\x07" + b"\x00\x02\x00\x03" + b"\0\0\0\x05share" + b"\0\0\0\x07the key"
        self.assertEqual(REQUEST.signed_part(), expected)
        self.assertEqual(REQUEST.encode(), expected + b"\0\0\0\x06signed")

    def test_response_byte_by_byte(self) -> None:
        expected = bytes(7) + b"\x07" + b"\0\0\0\x05share" + b"\0\0\0\x0aciphertext"
        self.assertEqual(RESPONSE.signed_part(), expected)
        self.assertEqual(RESPONSE.encode(), expected + b"\0\0\0\x06signed")

    def test_come_back(self) -> None:
        self.assertEqual(RekeyRequest.decode(REQUEST.encode()), REQUEST)
        self.assertEqual(RekeyResponse.decode(RESPONSE.encode()), RESPONSE)
        unsigned = RekeyResponse((1 << 64) - 1, b"", b"")
        self.assertEqual(RekeyResponse.decode(unsigned.encode()), unsigned)

    def test_every_cut_and_one_byte_more(self) -> None:
        for message in (REQUEST, RESPONSE):
            data = message.encode()
            for wrong in [*(data[:size] for size in range(len(data))), data + b"\0"]:
                self.assertRaises(MalformedError, type(message).decode, wrong)


class SignedContentTests(SynchronousTestCase):
    """docs/spec/rekey.md, section 3: no two inputs share a content."""

    def test_byte_by_byte(self) -> None:
        content = signed_content(b"id", b"sid", 1, b"q", b"", b"payload")
        expected = b"\0\0\0\x02id\0\0\0\x03sid" + bytes(7) + b"\x01" + b"\0\0\0\x01q\0\0\0\0\0\0\0\x07payload"
        self.assertEqual(content, expected)
        self.assertEqual(signed_content(b"id", b"sid", 1, b"q", b"", b"payload", b"h"), expected + b"\0\0\0\x01h")

    def test_moved_bytes_are_seen(self) -> None:
        contents = {
            signed_content(b"ab", b"c", 1, b"d", b"e", b"f"), signed_content(b"a", b"bc", 1, b"d", b"e", b"f"),
            signed_content(b"ab", b"c", 1, b"", b"de", b"f"), signed_content(b"ab", b"c", 1, b"de", b"", b"f"),
            signed_content(b"ab", b"c", 2, b"d", b"e", b"f"), signed_content(b"ab", b"c", 1, b"d", b"e", b"", b"f"),
        }  # fmt: skip
        self.assertEqual(len(contents), 6)
