"""What a program says before its connection is up: SOCKS 5 (RFC 1928, RFC 1929), SOCKS 4 and 4a, as a state machine.

Bytes go in, in any pieces; replies and at last one request or one refusal come out. No sockets, no clock.
Not for: answering the request (``near.py``) or datagrams (``datagrams.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address

from .destination import NAME_BYTES, BadAddress, Destination, name_of, parse
from .replies import Code, reply, socks5

NO_PASSWORD, PASSWORD, NO_METHOD = 0, 2, 0xFF
USER_BYTES = 255
NOT_SOCKS = (
    b"HTTP/1.0 501 This is a SOCKS proxy\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"This port speaks SOCKS, not HTTP: set it as the SOCKS host in your program, with names resolved by the proxy.\n"
)
_HTTP_FIRST_BYTES = frozenset(b"CDGHOPT")


class Command(IntEnum):
    """What a program may ask for."""

    CONNECT = 1
    BIND = 2
    ASSOCIATE = 3


@dataclass(frozen=True, slots=True)
class Request:
    """All is said: ``user`` and ``password`` tell apart whose connections may share a path; they may be empty."""

    version: int
    command: Command
    destination: Destination
    user: bytes = b""
    password: bytes = b""


@dataclass(frozen=True, slots=True)
class Say:
    """Bytes for the program; the talk goes on."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Refuse:
    """Last bytes for the program (may be none), then the end. ``wrong_password``: let it wait for them."""

    data: bytes
    why: str
    wrong_password: bool = False


Event = Say | Refuse | Request
_State = Callable[[], "Event | None"]


class Negotiation:
    """One program. ``admits(user, password)`` checks a log-in; None: no password is needed, any log-in is welcome.

    After a Request, ``rest`` holds what came behind it; after a Refuse nothing more is read.
    """

    def __init__(self, admits: Callable[[bytes, bytes], bool] | None = None) -> None:
        self._admits = admits
        self._buffer = bytearray()
        self._state: _State | None = self._first
        self._user = self._password = b""

    @property
    def over(self) -> bool:
        """A Request or a Refuse came out."""
        return self._state is None

    @property
    def rest(self) -> bytes:
        """What the program sent behind its request, without waiting for the answer."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[Event]:
        """What follows from these bytes, in order."""
        events: list[Event] = []
        self._buffer += data
        while self._state is not None:
            event = self._state()
            if event is None:
                break
            events.append(event)
            if not isinstance(event, Say):
                self._state = None
        return events

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    # -- the first bytes -----------------------------------------------------------------------------------------------

    def _first(self) -> Event | None:
        if not self._buffer:
            return None
        version = self._buffer[0]
        if version == 4:
            if self._admits is not None:
                return Refuse(reply(4, Code.NOT_ALLOWED), "SOCKS 4 has no passwords")
            self._state = self._request4
            return self._request4()
        if version == 5:
            self._state = self._methods
            return self._methods()
        return Refuse(NOT_SOCKS if version in _HTTP_FIRST_BYTES else b"", f"first byte {version}")

    # -- SOCKS 5 -------------------------------------------------------------------------------------------------------

    def _methods(self) -> Event | None:
        if len(self._buffer) < 2 or len(self._buffer) < 2 + self._buffer[1]:
            return None
        methods = self._take(2 + self._buffer[1])[2:]
        if PASSWORD in methods:  # even where none is needed: a log-in tells apart whose connections share a path
            self._state = self._login
            return Say(bytes((5, PASSWORD)))
        if NO_PASSWORD in methods and self._admits is None:
            self._state = self._request5
            return Say(bytes((5, NO_PASSWORD)))
        return Refuse(bytes((5, NO_METHOD)), "no method in common")

    def _login(self) -> Event | None:
        buffer = self._buffer
        if buffer and buffer[0] != 1:
            return Refuse(b"\x01\x01", f"log-in version {buffer[0]}")
        if len(buffer) < 2 or len(buffer) < 3 + buffer[1]:
            return None
        password_at = 3 + buffer[1]
        if len(buffer) < password_at + buffer[password_at - 1]:
            return None
        said = self._take(password_at + buffer[password_at - 1])
        self._user, self._password = said[2 : password_at - 1], said[password_at:]
        if self._admits is not None and not self._admits(self._user, self._password):
            return Refuse(b"\x01\x01", "wrong password", wrong_password=True)
        self._state = self._request5
        return Say(b"\x01\x00")

    def _request5(self) -> Event | None:
        buffer = self._buffer
        wrong = self._wrong_head(buffer)
        if wrong is not None or len(buffer) < 4:
            return wrong
        try:
            found = parse(buffer, 3)
        except BadAddress as error:
            code = Code.ADDRESS_TYPE_UNKNOWN if error.unknown_type else Code.FAILURE
            return Refuse(socks5(code), str(error))
        if found is None:
            return None
        command = Command(buffer[1])
        self._take(found[1])
        return Request(5, command, found[0], self._user, self._password)

    def _wrong_head(self, buffer: bytearray) -> Refuse | None:
        if buffer and buffer[0] != 5:
            return Refuse(socks5(Code.FAILURE), f"request of version {buffer[0]}")
        if len(buffer) > 1 and not 1 <= buffer[1] <= 3:
            return Refuse(socks5(Code.COMMAND_UNKNOWN), f"command {buffer[1]}")
        if len(buffer) > 2 and buffer[2]:
            return Refuse(socks5(Code.FAILURE), "the reserved byte is not 0")
        return None

    # -- SOCKS 4 and 4a ------------------------------------------------------------------------------------------------

    def _request4(self) -> Event | None:
        buffer = self._buffer
        if len(buffer) > 1 and buffer[1] not in (Command.CONNECT, Command.BIND):
            return self._refuse4(f"command {buffer[1]}")
        user_end = self._text_end(8, USER_BYTES)
        if user_end < 0:
            return self._refuse4("an endless user id") if user_end == -2 else None
        host: IPv4Address | str = IPv4Address(bytes(buffer[4:8]))
        end = user_end
        if buffer[4:7] == b"\0\0\0" and buffer[7]:  # 4a: 0.0.0.x stands for the name behind the user id
            end = self._text_end(user_end + 1, NAME_BYTES)
            if end < 0:
                return self._refuse4("an endless name") if end == -2 else None
            try:
                host = name_of(bytes(buffer[user_end + 1 : end]))
            except BadAddress as error:
                return self._refuse4(str(error))
        said = self._take(end + 1)
        return Request(4, Command(said[1]), Destination(host, int.from_bytes(said[2:4])), said[8:user_end])

    def _text_end(self, start: int, most: int) -> int:
        """Where the zero byte stands that ends a text; -1 = not yet there, -2 = the text is too long."""
        end = self._buffer.find(b"\0", start, start + most + 1)
        if end >= 0:
            return end
        return -2 if len(self._buffer) > start + most else -1

    def _refuse4(self, why: str) -> Refuse:
        return Refuse(reply(4, Code.FAILURE), why)
