"""What both sides of a handshake share: buffers, states, deadlines, one way to fail.

Not for: anything one side does alone (``initiator.py``, ``responder.py``). Spec: docs/spec/handshake.md 11, 12.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeVar

from quantumgate.core.delegations import FOR_HANDSHAKE, Delegation, check_terms
from quantumgate.core.handshake.outcome import Established, Failed
from quantumgate.core.handshake.settings import HandshakeSettings
from quantumgate.core.requests import Request
from quantumgate.core.state import LEGAL, InitiatorState, ResponderState
from quantumgate.crypto.aead import AeadKey
from quantumgate.crypto.identity import PeerIdentity
from quantumgate.crypto.random import RandomSource
from quantumgate.errors import BugError, MalformedError, RemoteProtocolError, ViolationError
from quantumgate.wire.limits import Limits
from quantumgate.wire.messages import Header

NEVER = float("inf")
_T = TypeVar("_T")
GENERIC = "the handshake failed"
"""All that is said of a failed check, whichever it was."""
DELEGATION_ADVICE = "look at the clocks of both; else its owner makes a new online key: qgate id rotate"


class Party(ABC):
    """One side. ``outcome`` is None until it is over; ``requests`` holds what must be answered to go on."""

    def __init__(
        self,
        settings: HandshakeSettings,
        random: RandomSource,
        wall_offset_seconds: float,
        limits: Limits | None,
        state: InitiatorState | ResponderState,
    ) -> None:
        self.outcome: Established | Failed | None = None
        self.requests: list[Request] = []
        self.state: InitiatorState | ResponderState = state
        self._settings = settings
        self._limits = limits or settings.limits
        self._random = random
        self._wall_offset_seconds = wall_offset_seconds
        self._pending: Request | None = None
        self._in = bytearray()
        self._out = bytearray()
        self._wanted_bytes = 0
        self._deadline = NEVER

    # -- the door --------------------------------------------------------------------------------------------------

    def receive(self, data: bytes | bytearray | memoryview, now: float) -> None:
        """Bytes from the peer. Never raises for what they are; a drained side discards them."""
        if self.outcome is not None:
            return
        self._in += data
        try:
            self._go_on(now)
        except RemoteProtocolError as problem:
            self._bad(now, str(problem))

    def output(self) -> bytes:
        """Bytes to send now, once; b"" if there are none. Also to be sent where the outcome is Failed."""
        data = bytes(self._out)
        self._out.clear()
        return data

    @property
    def quiet(self) -> bool:
        """Whether ``output`` would give nothing."""
        return not self._out

    def answer(self, request: Request, value: Any, now: float) -> None:
        """What was asked for in ``requests``. Too late an answer is dropped."""
        if self.outcome is not None:
            return
        if request is not self._pending:
            raise BugError("an answer to a request that was not made")
        self._pending = None
        if request in self.requests:
            self.requests.remove(request)
        try:
            self._answered(value, now)
            self._go_on(now)
        except RemoteProtocolError as problem:
            self._bad(now, str(problem))

    def _go_on(self, now: float) -> None:
        while self.outcome is None and self._pending is None and len(self._in) >= self._wanted_bytes:
            self._advance(now)
        if self.outcome is None:
            self._waiting(now)

    def deadline(self) -> float:
        """When ``expire`` wants to be called; infinity for never."""
        return self._deadline

    @abstractmethod
    def expire(self, now: float) -> None:
        """The deadline has come."""

    @abstractmethod
    def eof(self, now: float) -> None:
        """The peer closed."""

    # -- for the two sides -----------------------------------------------------------------------------------------

    @abstractmethod
    def _advance(self, now: float) -> None:
        """``_wanted_bytes`` are there. Raises RemoteProtocolError for anything that is not allowed."""

    @abstractmethod
    def _answered(self, value: Any, now: float) -> None:
        """The pending request was answered."""

    @abstractmethod
    def _bad(self, now: float, detail: str) -> None:
        """Something was not allowed: end it, without telling the peer what."""

    @abstractmethod
    def _waiting(self, now: float) -> None:
        """All that was there is used up, and more is needed. Raises like ``_advance``."""

    def _ask(self, request: Request) -> None:
        self._pending = request
        self.requests.append(request)

    def _take(self, count: int) -> bytes:
        """The next bytes from the peer; the caller knows that they are there."""
        data = bytes(self._in[:count])
        del self._in[:count]
        return data

    def _legal(self, header: Header) -> Header:
        """Raises MalformedError unless this type of message may come in this state."""
        if header.type not in LEGAL[self.state]:
            raise MalformedError(f"{header.type.name} while one {self.state.value}")
        return header

    def _terms_failed(self, peer: PeerIdentity, delegation: Delegation | None, now: float) -> Failed | None:
        """Why the online key that has just signed may not, now; None = it may. Whoever it is holds that key."""
        if delegation is None:
            return None
        least, problem = self._settings.least_serial(peer.uuid), ""
        try:
            check_terms(delegation, usage=FOR_HANDSHAKE, now_ms=self._wall_ms(now), least_serial=least)
        except ViolationError as error:
            problem = f"{peer.uuid} brought {error}"
        revoked = delegation.serial < least
        return Failed("delegation", problem, DELEGATION_ADVICE, security_event=revoked) if problem else None

    def _wall_ms(self, now: float) -> int:
        return int((now + self._wall_offset_seconds) * 1000)

    def _forget(self) -> None:
        """Nothing of the handshake outlives it; what is to be sent does."""
        self._in = bytearray()
        self._pending = None
        self.requests.clear()


def seal_pair(key: AeadKey, salt: bytes, header: bytes, body: bytes) -> bytes:
    """``E(k,0,header) || E(k,1,body)``: AD of the header box is the salt before it, of the body box the header box."""
    head = key.seal(0, header, salt)
    return head + key.seal(1, body, head)


def present(value: _T | None) -> _T:
    """What the state we are in guarantees to be there."""
    if value is None:
        raise BugError("a handshake in a state without what belongs to it")
    return value
