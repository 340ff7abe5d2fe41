"""Re-key: a signed exchange of two fresh keys inside the session, after which a thief of the old keys is out again.

Spec: docs/spec/rekey.md. [A26] [A42] Either side may ask (Q); the other answers (P). P sends REKEY_RSP and KEY_SWITCH,
Q verifies and sends its KEY_SWITCH; each KEY_SWITCH changes one direction. Not for: the key schedule
(``core/schedule.py``).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from quantumgate.core import schedule
from quantumgate.core.delegations import proven_bundle
from quantumgate.core.events import Rekeyed
from quantumgate.core.state import SessionPhase
from quantumgate.crypto import agreement, kem, labels, signatures
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.suites import REKEY_INSTEAD_OF_OPT_IN, SECONDARIES
from quantumgate.errors import LimitError, MalformedError
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import BUDGET_PACE
from quantumgate.wire.rekey_messages import RekeyRequest, RekeyResponse, signed_content

if TYPE_CHECKING:
    from quantumgate.core.session import Session
    from quantumgate.crypto.aead import AeadKey


class Rekey:
    """The key epochs of one session. ``root`` is root_e; it is replaced when both directions have switched."""

    __slots__ = (
        "_asked",
        "_bytes_at_switch",
        "_crossed",
        "_due_at",
        "_next_keys",
        "_next_root",
        "_primary_key",
        "_put_off",
        "_records_before_answer",
        "_request_bytes",
        "_secondary_key",
        "_session",
        "_started_at",
        "_switch_received",
        "_switch_sent",
        "_switched_at",
        "epoch",
        "root",
    )

    def __init__(self, session: Session, root: Secret, now: float) -> None:
        self._session, self.root, self.epoch = session, root, 0
        self._forget()
        self._started_at: float | None = None
        self._records_before_answer = 0
        self._asked = self._crossed = self._switch_sent = self._switch_received = False
        self._next_root: Secret | None = None
        self._next_keys: tuple[AeadKey, AeadKey] | None = None
        self._begin_epoch(now)

    def _begin_epoch(self, now: float) -> None:
        session = self._session
        self._switched_at = now
        self._bytes_at_switch = session.bytes_sent + session.bytes_received
        session.rekey_mark_bytes = self._bytes_at_switch + session.limits.rekey_volume_bytes
        floor_seconds = session.limits.rekey_floor_seconds / BUDGET_PACE
        self._due_at = now + max(session.random.uniform(*session.limits.rekey_seconds), floor_seconds)
        self._put_off = False
        session.timer_moved = True

    @property
    def running(self) -> bool:
        """Whether an exchange is under way."""
        return self._started_at is not None

    def wipe(self) -> None:
        """The session is over: forget the roots. The record keys go with the session."""
        self.root.wipe()
        if self._next_root is not None:
            self._next_root.wipe()
        self._next_root = self._next_keys = None
        self._forget()

    def _forget(self) -> None:
        self._primary_key: agreement.PrimaryKey | None = None
        self._secondary_key: kem.KemKey | None = None
        self._request_bytes = b""

    @property
    def _groups(self) -> tuple[int, int]:
        suite = self._session.suite
        slow = SECONDARIES[suite.secondary].opt_in
        return suite.primary, REKEY_INSTEAD_OF_OPT_IN if slow else suite.secondary

    @property
    def _moved_bytes(self) -> int:
        session = self._session
        return session.bytes_sent + session.bytes_received - self._bytes_at_switch

    # -- when ----------------------------------------------------------------------------------------------------

    def deadline(self) -> float:
        """When ``expire`` is to look again: the hard stop of a running exchange, or the timer."""
        if self._started_at is not None:
            return self._started_at + self._session.limits.rekey_stop_seconds
        return self._due_at

    def expire(self, now: float) -> None:
        """Start what is due. An idle session waits for its next application byte, at most rekey_idle_max_seconds."""
        session, limits = self._session, self._session.limits
        if self._started_at is not None:
            if now >= self._started_at + limits.rekey_stop_seconds:
                session.close(CloseCode.REKEY_FAILED, "the re-key did not complete", now, graceful=False)
            return
        if now < self._due_at:
            return
        if session.last_data_at > self._switched_at or now >= self._switched_at + limits.rekey_idle_max_seconds:
            self._start(now)
        else:
            self._due_at = self._switched_at + limits.rekey_idle_max_seconds
            self._put_off, session.rekey_mark_bytes = True, 0

    def data_moved(self, now: float) -> None:
        """Called for each record past ``rekey_mark_bytes``: volume, hard stop, or a timer that idleness had put off."""
        session, limits = self._session, self._session.limits
        if session.key_is_worn(limits.key_records_max, limits.key_bytes_max):
            session.close(CloseCode.REKEY_FAILED, "the key has served its time", now, graceful=False)
        elif not self._put_off or session.last_data_at > self._switched_at:
            self._start(now)

    # -- asking --------------------------------------------------------------------------------------------------

    def request(self, now: float) -> None:
        """Ask for new keys now, unless an exchange is under way. Raises LimitError where the peer would be right to
        object: sooner than the floor allows, with a margin for the way.
        """
        if not self._may_ask(now):
            raise LimitError("rekey_floor_seconds", self._session.limits.rekey_floor_seconds)
        self._start(now)

    def _may_ask(self, now: float) -> bool:
        """Both numbers with a margin: what was under way when the keys changed counts here and not at the peer."""
        limits = self._session.limits
        late = now - self._switched_at >= limits.rekey_floor_seconds / BUDGET_PACE
        return late or self._moved_bytes >= limits.rekey_floor_bytes / BUDGET_PACE

    def _start(self, now: float) -> None:
        """Send REKEY_REQ, unless an exchange is under way."""
        if self._started_at is not None or self._session.phase is not SessionPhase.READY:
            return
        primary, secondary = self._groups
        self._primary_key = agreement.primary(primary).generate()
        self._secondary_key = kem.kem(secondary).generate()
        request = RekeyRequest(self.epoch + 1, primary, secondary, self._primary_key.share, self._secondary_key.public)
        signature = self._sign(labels.SIGN_REKEY_REQUEST, request.signed_part(), ours_asks=True)
        self._request_bytes = RekeyRequest(*_fields(request), signature).encode()
        self._started_at, self._asked = now, True
        self._session.outgoing.long_control(frames.REKEY_REQ, self._request_bytes)

    def response_received(self, data: bytes) -> None:
        """REKEY_RSP: verify, derive, switch our direction. Raises RemoteProtocolError."""
        if not self._asked or self._next_root is not None or self._primary_key is None or self._secondary_key is None:
            raise MalformedError("REKEY_RSP without a request")
        response = RekeyResponse.decode(data)
        if response.epoch != self.epoch + 1:
            raise MalformedError(f"REKEY_RSP of epoch {response.epoch} in epoch {self.epoch}")
        request_hash = hashlib.sha512(self._request_bytes).digest()
        signed, signature = response.signed_part(), response.signature
        self._verify(labels.SIGN_REKEY_RESPONSE, signed, signature, ours_asks=True, request_hash=request_hash)
        primary_secret = self._primary_key.exchange(response.share)
        secondary_secret = self._secondary_key.decapsulate(response.ciphertext)
        self._derive(primary_secret, secondary_secret, self._request_bytes, data)
        self._session.outgoing.switch()

    # -- answering -----------------------------------------------------------------------------------------------

    def request_received(self, data: bytes) -> None:
        """REKEY_REQ: answer and switch our direction. Raises RemoteProtocolError."""
        session = self._session
        request = RekeyRequest.decode(data)
        if request.epoch != self.epoch + 1 or (request.primary, request.secondary) != self._groups:
            raise MalformedError(f"REKEY_REQ of epoch {request.epoch} in epoch {self.epoch}, or of other groups")
        if self._asked and self._next_root is None:
            if self._crossed:
                raise MalformedError("REKEY_REQ twice in one epoch")
            self._crossed = True
            if session.initiator:
                return  # crossing requests: the session initiator's stands, the other is dropped without answer
            self._abandon()
        if self._started_at is not None:
            raise MalformedError("REKEY_REQ before both directions have switched")
        self._check_floor()
        self._verify(labels.SIGN_REKEY_REQUEST, request.signed_part(), request.signature, ours_asks=False)
        self._answer(request, data)

    def _check_floor(self) -> None:
        session, limits = self._session, self._session.limits
        early = session.now - self._switched_at < limits.rekey_floor_seconds
        if early and self._moved_bytes < limits.rekey_floor_bytes:
            raise MalformedError("REKEY_REQ too soon after the last one")

    def _answer(self, request: RekeyRequest, data: bytes) -> None:
        session = self._session
        primary_key = agreement.primary(request.primary).generate()
        primary_secret = primary_key.exchange(request.share)
        ciphertext, secondary_secret = kem.kem(request.secondary).encapsulate(request.key)
        response = RekeyResponse(request.epoch, primary_key.share, ciphertext)
        request_hash = hashlib.sha512(data).digest()
        signed = response.signed_part()
        signature = self._sign(labels.SIGN_REKEY_RESPONSE, signed, ours_asks=False, request_hash=request_hash)
        whole = RekeyResponse(response.epoch, response.share, ciphertext, signature).encode()
        self._started_at = session.now
        self._derive(primary_secret, secondary_secret, data, whole)
        self._records_before_answer = session.records_sealed
        session.outgoing.long_control(frames.REKEY_RSP, whole)
        session.outgoing.switch()

    def _abandon(self) -> None:
        """Our own request crossed the one that stands."""
        self._asked, self._started_at = False, None
        self._forget()

    # -- switching -----------------------------------------------------------------------------------------------

    def _derive(self, primary: Secret, secondary: Secret, request: bytes, response: bytes) -> None:
        self._next_root = schedule.next_root(self.root, secondary, primary, request, response)
        self._next_keys = schedule.record_keys(self._next_root, self._session.suite.aead)
        primary.wipe()
        secondary.wipe()
        self._forget()

    def _direction_key(self, *, sending: bool) -> AeadKey:
        if self._next_keys is None:
            raise MalformedError("KEY_SWITCH before REKEY_RSP")
        i2r, r2i = self._next_keys
        return i2r if self._session.initiator == sending else r2i

    def switch_sent(self) -> AeadKey:
        """Our KEY_SWITCH is sealed: the key of everything that follows."""
        key = self._direction_key(sending=True)
        self._switch_sent = True
        self._finish_if_both()
        return key

    def peer_switched(self) -> None:
        """KEY_SWITCH came: everything after its record is under the next key. Raises MalformedError out of turn.

        A requester may have our answer while our own KEY_SWITCH still waits for the next record.
        """
        if self._switch_received:
            raise MalformedError("KEY_SWITCH twice")
        session = self._session
        key = self._direction_key(sending=False)
        if not self._asked and not self._switch_sent and session.records_sealed == self._records_before_answer:
            raise MalformedError("KEY_SWITCH before the answer to its request")
        self._switch_received = True
        session.receive_under(key)
        self._finish_if_both()

    def _finish_if_both(self) -> None:
        if not (self._switch_sent and self._switch_received) or self._next_root is None:
            return
        session = self._session
        self.root.wipe()
        self.root, self._next_root, self._next_keys = self._next_root, None, None
        self.epoch += 1
        self._asked = self._crossed = self._switch_sent = self._switch_received = False
        self._started_at = None
        self._begin_epoch(session.now)
        session.emit(Rekeyed(self.epoch))

    # -- signatures ----------------------------------------------------------------------------------------------

    def _content(self, payload: bytes, *, ours_asks: bool, request_hash: bytes) -> bytes:
        session = self._session
        ours = session.local.bundle if session.local is not None else b""
        theirs = session.peer.bundle if session.peer is not None else b""
        requester, responder = (ours, theirs) if ours_asks else (theirs, ours)
        marker = schedule.rekey_id(self.root)
        content = signed_content(marker, session.sid, self.epoch + 1, requester, responder, payload, request_hash)
        return hashlib.sha512(content).digest()

    def _sign(self, name: str, payload: bytes, *, ours_asks: bool, request_hash: bytes = b"") -> bytes:
        """By the identity of the handshake; an anonymous side signs nothing."""
        signer = self._session.signer
        if signer is None:
            return b""
        return signer.sign(name, self._content(payload, ours_asks=ours_asks, request_hash=request_hash))

    def _verify(
        self, name: str, payload: bytes, signature: bytes, *, ours_asks: bool, request_hash: bytes = b""
    ) -> None:
        peer = self._session.peer
        if peer is None:
            if signature:
                raise MalformedError("an anonymous side signs nothing")
            return
        content = self._content(payload, ours_asks=ours_asks, request_hash=request_hash)
        signatures.verify(proven_bundle(peer, self._session.peer_delegation), name, content, signature)


def _fields(request: RekeyRequest) -> tuple[int, int, int, bytes, bytes]:
    return request.epoch, request.primary, request.secondary, request.share, request.key
