"""Lines in and out, whole and broken."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control.messages import Answer, ErrorBody, Request, RequestError, decode_answer, decode_request, encode


class LineTests(SynchronousTestCase):
    def test_request_round_trip(self) -> None:
        request = Request(id=7, command="ping", arguments={"target": "x", "count": 2})
        line = encode(request)
        self.assertEqual((line.count(b"\n"), line[-1:]), (1, b"\n"))
        self.assertEqual(decode_request(line), request)

    def test_answers_say_one_thing(self) -> None:
        self.assertEqual(encode(Answer(id=1, item=[1])), b'{"id":1,"item":[1]}\n')
        self.assertEqual(encode(Answer(id=1, result=None)), b'{"id":1,"result":null}\n')
        error = ErrorBody(reason="r", message="line 1\nline 2")
        self.assertEqual(encode(Answer(id=None, error=error)).count(b"\n"), 1)

    def test_broken_requests(self) -> None:
        for line in (b"", b"x", b"[]", b"{}", b'{"id":1}', b'{"id":"1","command":"a"}', b'{"id":1,"command":2}',
                     b'{"id":1,"command":"a","more":1}', b'{"id":1,"command":"a","arguments":[]}', b"\xff",
                     b"[" * 50_000, b'{"id":1,"command":"a"} x'):
            self.assertEqual(self.assertRaises(RequestError, decode_request, line).reason, "malformed")

    def test_other_bytes_than_utf8(self) -> None:
        """Found by fuzzing: the error of such a text was not caught, and ended the connection without an answer."""
        for line in (b'{"id":1,"command":"\xff"}', b'{"id":1,"\x80":2}'):
            self.assertRaises(RequestError, decode_request, line)
        self.assertRaises(RequestError, decode_answer, b'{"id":1,"error":{"reason":"\xff"}}')

    def test_broken_answers(self) -> None:
        for line in (b"", b"{}", b'{"id":1,"error":5}', b'{"id":"x"}'):
            self.assertRaises(RequestError, decode_answer, line)

    @settings(max_examples=200, deadline=None)
    @given(some.binary(max_size=200))
    def test_any_bytes(self, line: bytes) -> None:
        """A request or a RequestError, nothing else."""
        try:
            decode_request(line)
        except RequestError:
            pass
