"""What programs say, byte by byte: every state, every malformed request, every split of the bytes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given, settings
from hypothesis import strategies as st
from quantumgate_socks5.destination import Destination
from quantumgate_socks5.negotiation import NOT_SOCKS, Command, Event, Negotiation, Refuse, Request, Say
from twisted.trial.unittest import SynchronousTestCase

NO_METHOD, NO_PASSWORD, PASSWORD = b"\x05\xff", b"\x05\x00", b"\x05\x02"
HELLO = b"\x05\x01\x00"
LOGIN = b"\x01\x05alice\x06secret"


def admits(user: bytes, password: bytes) -> bool:
    return (user, password) == (b"alice", b"secret")


def talk(*pieces: bytes, strict: bool = False) -> list[Event]:
    """What comes out of a negotiation that is fed these pieces."""
    machine = Negotiation(admits if strict else None)
    return [event for piece in pieces for event in machine.feed(piece)]


def failure(code: int) -> bytes:
    return bytes((5, code, 0, 1, 0, 0, 0, 0, 0, 0))


class Socks5Tests(SynchronousTestCase):
    """RFC 1928 and RFC 1929."""

    def test_requests(self) -> None:
        """Each command with each kind of address."""
        addresses = {
            b"\x01\x7f\x00\x00\x01\x00\x50": Destination(IPv4Address("127.0.0.1"), 80),
            b"\x03\x0bexample.org\x01\xbb": Destination("example.org", 443),
            b"\x04" + bytes(15) + b"\x01\xff\xff": Destination(IPv6Address("::1"), 65535),
        }
        for command in Command:
            for spelled, meant in addresses.items():
                said = talk(HELLO, b"\x05" + bytes((command, 0)) + spelled)
                self.assertEqual(said, [Say(NO_PASSWORD), Request(5, command, meant)])

    def test_early_data_is_kept(self) -> None:
        """What a program sends behind its request, in the same piece or not, is not the negotiation's."""
        machine = Negotiation()
        events = machine.feed(HELLO + b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50GET /")
        self.assertIsInstance(events[-1], Request)
        self.assertEqual((machine.rest, machine.over), (b"GET /", True))

    def test_methods(self) -> None:
        """A log-in is taken wherever it is offered; where one is needed nothing else will do."""
        for methods, strict, answer in (
            (b"\x00", False, Say(NO_PASSWORD)),
            (b"\x00\x02", False, Say(PASSWORD)),
            (b"\x02\x01\x00", False, Say(PASSWORD)),
            (b"\x02", True, Say(PASSWORD)),
            (b"\x00\x01\x02", True, Say(PASSWORD)),
        ):
            self.assertEqual(talk(bytes((5, len(methods))) + methods, strict=strict), [answer], methods)
        for methods, strict in ((b"", False), (b"\x01", False), (b"\x80\xff", False), (b"\x00", True), (b"", True)):
            (event,) = talk(bytes((5, len(methods))) + methods, strict=strict)
            self.assertEqual((type(event), getattr(event, "data", None)), (Refuse, NO_METHOD), methods)

    def test_login(self) -> None:
        """The right one, and none of the wrong ones; each gets one try."""
        greeting = b"\x05\x01\x02"
        self.assertEqual(talk(greeting, LOGIN, strict=True), [Say(PASSWORD), Say(b"\x01\x00")])
        for wrong in (b"\x01\x05alice\x06Secret", b"\x01\x05alicE\x06secret", b"\x01\x00\x00", b"\x01\x05alice\x00",
                      b"\x01\x06alice\x00\x05secret"[:13]):
            events = talk(greeting, wrong, LOGIN, strict=True)
            self.assertEqual([type(event) for event in events], [Say, Refuse], wrong)
            self.assertEqual((events[1].data, events[1].wrong_password), (b"\x01\x01", True))  # type: ignore[union-attr]

    def test_login_of_no_consequence(self) -> None:
        """Where no password is needed any pair is welcome, and tells whose connection it is."""
        request = b"\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50"
        for user, password in ((b"", b""), (b"u", b""), (b"x" * 255, b"y" * 255)):
            login = bytes((1, len(user))) + user + bytes((len(password),)) + password
            *_, found = talk(b"\x05\x01\x02" + login + request)
            self.assertEqual((found.user, found.password), (user, password))  # type: ignore[union-attr]

    def test_login_of_another_version(self) -> None:
        """RFC 1929 knows version 1 alone."""
        for version in (0, 2, 5, 255):
            events = talk(b"\x05\x01\x02", bytes((version,)))
            self.assertEqual(events[1:], [Refuse(b"\x01\x01", f"log-in version {version}")])

    def test_malformed_requests(self) -> None:
        """Every byte of a request that can be wrong is answered as soon as it is there."""
        for version in {*range(256)} - {5}:
            self.refused(bytes((version,)), 1)
        for command in {*range(256)} - {1, 2, 3}:
            self.refused(bytes((5, command)), 7)
        for reserved in range(1, 256):
            self.refused(bytes((5, 1, reserved)), 1)
        for kind in {*range(256)} - {1, 3, 4}:
            self.refused(bytes((5, 1, 0, kind)), 8)
        self.refused(b"\x05\x01\x00\x03\x00", 1)

    def refused(self, request: bytes, code: int) -> None:
        (event,) = talk(HELLO, request)[1:]
        self.assertEqual((type(event), event.data), (Refuse, failure(code)), request)  # type: ignore[union-attr]

    def test_bytes_that_are_no_name(self) -> None:
        """A name is printable ASCII without spaces: nothing else is passed on to a resolver."""
        for byte in range(256):
            name = b"a" + bytes((byte,)) + b"b"
            event = talk(HELLO, b"\x05\x01\x00\x03\x03" + name + b"\x00\x50")[-1]
            self.assertEqual(isinstance(event, Request), 0x21 <= byte <= 0x7E, byte)

    def test_nothing_follows_a_refusal(self) -> None:
        machine = Negotiation()
        machine.feed(b"\x05\x00")
        self.assertEqual((machine.feed(HELLO), machine.over), ([], True))


class Socks4Tests(SynchronousTestCase):
    """SOCKS 4 and 4a."""

    def test_requests(self) -> None:
        for command in (Command.CONNECT, Command.BIND):
            head = bytes((4, command)) + b"\x01\xbb"
            self.assertEqual(
                talk(head + b"\x01\x02\x03\x04bob\0"),
                [Request(4, command, Destination(IPv4Address("1.2.3.4"), 443), b"bob")],
            )
            for last in range(1, 256):  # the original knew 0.0.0.1 alone
                self.assertEqual(
                    talk(head + bytes((0, 0, 0, last)) + b"\0example.org\0"),
                    [Request(4, command, Destination("example.org", 443), b"")],
                )
        self.assertEqual(
            talk(b"\x04\x01\x00\x50\0\0\0\0\0"), [Request(4, Command.CONNECT, Destination(IPv4Address(0), 80), b"")]
        )

    def test_malformed(self) -> None:
        refusal = b"\x00\x5b" + bytes(6)
        for command in {*range(256)} - {1, 2}:
            (event,) = talk(bytes((4, command)))
            self.assertEqual((type(event), event.data), (Refuse, refusal))  # type: ignore[union-attr]
        for request in (
            b"\x04\x01\x00\x50\x01\x02\x03\x04" + b"u" * 256,
            b"\x04\x01\x00\x50\0\0\0\x01u\0" + b"n" * 256,
            b"\x04\x01\x00\x50\0\0\0\x01u\0\0",
            b"\x04\x01\x00\x50\0\0\0\x01u\0a b\0",
            b"\x04\x01\x00\x50\0\0\0\x01u\0\xff\0",
        ):
            (event,) = talk(request)
            self.assertEqual((type(event), event.data), (Refuse, refusal), request)  # type: ignore[union-attr]

    def test_longest(self) -> None:
        (event,) = talk(b"\x04\x01\x00\x50\0\0\0\x01" + b"u" * 255 + b"\0" + b"n" * 255 + b"\0")
        self.assertEqual(event, Request(4, Command.CONNECT, Destination("n" * 255, 80), b"u" * 255))

    def test_no_way_around_passwords(self) -> None:
        """The original let SOCKS 4 in where SOCKS 5 needed a password."""
        (event,) = talk(b"\x04", strict=True)
        self.assertEqual((type(event), event.data[:2]), (Refuse, b"\x00\x5b"))  # type: ignore[union-attr]

    def test_early_data_is_kept(self) -> None:
        machine = Negotiation()
        machine.feed(b"\x04\x01\x00\x50\x01\x02\x03\x04\0early")
        self.assertEqual(machine.rest, b"early")


class OtherTests(SynchronousTestCase):
    """What is no SOCKS at all."""

    def test_http_is_told(self) -> None:
        for line in (b"GET / HTTP/1.1\r\n", b"CONNECT a:443", b"POST", b"HEAD", b"OPTIONS", b"DELETE", b"TRACE"):
            (event,) = talk(line)
            self.assertEqual((type(event), event.data), (Refuse, NOT_SOCKS))  # type: ignore[union-attr]

    def test_the_rest_is_not(self) -> None:
        for version in {*range(256)} - {4, 5} - {*b"CDGHOPT"}:
            (event,) = talk(bytes((version,)))
            self.assertEqual((type(event), event.data), (Refuse, b""))  # type: ignore[union-attr]


SCRIPTS = (
    HELLO + b"\x05\x01\x00\x03\x0bexample.org\x01\xbbearly",
    b"\x05\x02\x00\x02" + LOGIN + b"\x05\x03\x00\x04" + bytes(16) + b"\x00\x00",
    b"\x04\x01\x00\x50\0\0\0\x07user\0example.org\0early",
    b"\x04\x02\x00\x50\x01\x02\x03\x04\0",
    b"\x05\x01\x00\x05\x09",
    b"\x05\x01\x02\x01\x01a\x01b",
)


class SplitTests(SynchronousTestCase):
    """TCP cuts where it likes: the original failed where credentials came in two pieces."""

    def test_every_split_in_two(self) -> None:
        for strict in (False, True):
            for script in SCRIPTS:
                whole = talk(script, strict=strict)
                for at in range(len(script) + 1):
                    self.assertEqual(talk(script[:at], script[at:], strict=strict), whole, (script, at))

    def test_byte_by_byte(self) -> None:
        for script in SCRIPTS:
            one_by_one = [script[at : at + 1] for at in range(len(script))]
            self.assertEqual(talk(*one_by_one), talk(script))

    def test_cut_anywhere_is_no_request(self) -> None:
        """Nothing is asked for before its last byte."""
        for script in SCRIPTS[:4]:
            end = len(script.removesuffix(b"early"))
            for at in range(end):
                self.assertFalse(any(isinstance(event, Request) for event in talk(script[:at])), (script, at))

    @settings(max_examples=120, deadline=None)
    @given(st.lists(st.binary(max_size=40), max_size=12), st.booleans())
    def test_any_bytes_in_any_pieces(self, pieces: list[bytes], strict: bool) -> None:
        """The pieces make no difference, nothing raises, at most one end comes out, and little is held."""
        machine = Negotiation(admits if strict else None)
        events = [event for piece in pieces for event in machine.feed(piece)]
        self.assertEqual(events, talk(b"".join(pieces), strict=strict))
        self.assertLessEqual(sum(not isinstance(event, Say) for event in events), 1)
        if not machine.over:
            self.assertLess(len(machine.rest), 600)

    @settings(max_examples=80, deadline=None)
    @given(
        st.sampled_from([4, 5]),
        st.sampled_from([Command.CONNECT, Command.BIND]),
        st.one_of(st.ip_addresses(v=4), st.from_regex(r"[a-z0-9.-]{1,60}", fullmatch=True)),
        st.integers(0, 65535),
        st.binary(max_size=30).filter(lambda text: b"\0" not in text),
        st.binary(max_size=30),
        st.lists(st.integers(0, 200), max_size=5),
    )
    def test_every_request_is_understood(  # type: ignore[no-untyped-def]
        self, version, command, host, port, user, rest, cuts
    ) -> None:
        """Spelled as a program would, cut anywhere, each sound request comes out as it went in."""
        wanted = Destination(host, port)
        if version == 5:
            said = b"\x05\x01\x02" + bytes((1, len(user))) + user + b"\x00" + bytes((5, command, 0)) + wanted.encode()
        else:
            if not isinstance(host, str) and int(host) < 256:
                wanted = Destination(IPv4Address(0), port)
                host = wanted.host
            marker = b"\0\0\0\x01" if isinstance(host, str) else host.packed
            name = host.encode() + b"\0" if isinstance(host, str) else b""
            said = bytes((4, command)) + port.to_bytes(2) + marker + user + b"\0" + name
        said += rest
        at = sorted(min(cut, len(said)) for cut in cuts)
        machine = Negotiation()
        pieces = [said[start:end] for start, end in zip([0, *at], [*at, len(said)], strict=True)]
        events = [event for piece in pieces for event in machine.feed(piece)]
        self.assertEqual(events[-1], Request(version, command, wanted, user))
        self.assertEqual(machine.rest, b"".join(pieces)[len(said) - len(rest) :][: len(machine.rest)])
        self.assertTrue(rest.startswith(machine.rest))
