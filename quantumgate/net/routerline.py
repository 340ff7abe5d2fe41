"""Questions to a router, over UDP: asked, asked again, answered by that router's address and port or not at all.

Each has a socket of its own, so that whoever wants to forge an answer has to guess its port, and has nothing to hit
while nothing is asked. Not for: what is asked (``wire/port_maps.py``), or what follows (``net/pcp.py``). Spec:
docs/spec/discovery.md section 7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol

from quantumgate.errors import LocalError, MalformedError
from quantumgate.wire.limits import MAP_ANSWER_BYTES, MAP_ANSWERS_READ, MAP_TRIES, MAP_TRY_SECONDS
from quantumgate.wire.port_maps import ROUTER_PORT

T = TypeVar("T")
Heard = Callable[[bytes], object]
Refused = Callable[[], object]


class Line(Protocol):
    """To one router. ``own``: the address that what is sent leaves from."""

    own: str

    def send(self, datagram: bytes) -> None: ...
    def close(self) -> object: ...


LineTo = Callable[[str, Heard, Refused], Line]
"""(router, heard, refused): what comes from there is ``heard``; nobody listens there is ``refused``. Raises OSError and
CannotListenError."""


class RouterLine(DatagramProtocol):
    """A socket that the kernel has connected to the router's port: nothing from elsewhere is read."""

    noisy = False

    def __init__(self, reactor: Any, router: str, port: int, heard: Heard, refused: Refused) -> None:
        self._place, self._heard, self._refused = (router, port), heard, refused
        self._closed = False
        self._socket = reactor.listenUDP(0, self, maxPacketSize=MAP_ANSWER_BYTES + 1)
        self.own = ""
        try:
            self._socket.connect(router, port)
            self.own = str(self._socket.getHost().host)
        except OSError:
            self.close()
            raise

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """What came before the socket was connected may be from anybody."""
        if tuple(addr[:2]) == self._place:
            self._heard(datagram)

    def connectionRefused(self) -> None:
        """The machine is there, and nobody listens at the port."""
        if not self._closed:
            self._refused()

    def stopProtocol(self) -> None:
        """What epoll makes of a port at which nobody listens: a socket that is lost."""
        self.connectionRefused()

    def send(self, datagram: bytes) -> None:
        """A network that is not there at the moment is nobody's fault."""
        if self._closed:
            return
        try:
            self._socket.write(datagram)
        except OSError:
            return

    def close(self) -> object:
        """Nothing more is heard."""
        self._closed = True
        return self._socket.stopListening()


def lines(reactor: Any, port: int = ROUTER_PORT) -> LineTo:
    """``reactor`` provides IReactorUDP."""
    return lambda router, heard, refused: RouterLine(reactor, router, port, heard, refused)


class Asker:
    """Asks one router. ``clock`` provides IReactorTime."""

    def __init__(self, clock: Any, line_to: LineTo, router: str) -> None:
        self._clock, self._line_to, self.router = clock, line_to, router

    def ask(self, make: Callable[[str], bytes], read: Callable[[bytes], T]) -> Deferred[T]:
        """``make(own address)`` is the question; what ``read`` takes is the answer, what it calls malformed is none.

        Fails with LocalError where nobody answers. May be cancelled.
        """
        return _Question(self._clock, self._line_to, self.router, make, read).answered


class _Question(Generic[T]):
    def __init__(
        self, clock: Any, line_to: LineTo, router: str, make: Callable[[str], bytes], read: Callable[[bytes], T]
    ) -> None:
        self._clock, self._router, self._read = clock, router, read
        self._tries = self._wrong = 0
        self._timer: Any = None
        self.answered: Deferred[T] = Deferred(lambda _: self._over())
        try:
            self._line = line_to(router, self._heard, lambda: self._give_up("nobody listens there"))
        except (OSError, CannotListenError) as error:
            self.answered = fail(LocalError(f"the router {router} cannot be asked: {error}"))
            return
        self._question = make(self._line.own)
        self._again()

    def _again(self) -> None:
        if self._tries == MAP_TRIES:
            self._give_up("it does not answer")
            return
        wait_seconds = MAP_TRY_SECONDS * 2**self._tries
        self._tries += 1
        self._timer = self._clock.callLater(wait_seconds, self._again)
        self._line.send(self._question)

    def _heard(self, datagram: bytes) -> None:
        if self.answered.called:
            return
        try:
            answer = self._read(datagram)
        except MalformedError:
            self._wrong += 1
            if self._wrong > MAP_ANSWERS_READ:
                self._give_up("what comes is no answer")
            return
        self._over()
        self.answered.callback(answer)

    def _give_up(self, why: str) -> None:
        if not self.answered.called:
            self._over()
            self.answered.errback(LocalError(f"the router {self._router}: {why}"))

    def _over(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._line.close()
