"""The dialling side: INIT, an answer, FIN. It reveals its identity to nobody it has not verified.

Not for: which addresses are dialled, what a SESSION block holds. Spec: docs/spec/handshake.md sections 4, 6, 7, 12.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quantumgate.core import delegations, schedule
from quantumgate.core.delegations import Delegation
from quantumgate.core.handshake.offer import check_choice, check_lengths
from quantumgate.core.handshake.outcome import Established, Failed
from quantumgate.core.handshake.party import GENERIC, NEVER, Party, present, seal_pair
from quantumgate.core.handshake.settings import ANONYMOUS_LISTS, HandshakeSettings
from quantumgate.core.handshake.sizes import (
    HEADER_BOX_BYTES,
    NO_PAD,
    OPENING_BYTES,
    draw,
    init_pad_bytes,
    pad_value_bytes,
)
from quantumgate.core.replay import MINUTE_MS
from quantumgate.core.requests import KeyNeeded, PeerCheck, PuzzleNeeded, Verdict
from quantumgate.core.schedule import HandshakeKeys
from quantumgate.core.state import INITIATOR, InitiatorState, Step
from quantumgate.core.transcript import Transcript
from quantumgate.crypto import labels
from quantumgate.crypto.aead import AeadKey
from quantumgate.crypto.agreement import PrimaryKey
from quantumgate.crypto.identity import PeerIdentity
from quantumgate.crypto.kdf import hmac_sha512
from quantumgate.crypto.kem import KemKey
from quantumgate.crypto.random import RandomSource
from quantumgate.crypto.signatures import verify
from quantumgate.crypto.suites import SECONDARIES, Suite
from quantumgate.errors import AuthenticationError, LocalError, MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire.codes import RefuseCode, describe
from quantumgate.wire.limits import (
    FIRST_FLIGHT_BYTES,
    MSG3_TOTAL_BYTES,
    PUZZLE_BITS_MAX,
    TAG_BYTES,
    TOKEN_BYTES,
    Limits,
)
from quantumgate.wire.messages import (
    ADDRESSED,
    SALT_BYTES,
    VERSION,
    Exchange,
    Fin,
    Header,
    Init,
    KeyShare,
    MessageType,
    Proof,
    Puzzle,
    Refuse,
    Retry,
    Select,
    pad,
    role_tlv,
)

NO_ANSWER_ADVICE = (
    "it may be off, not QuantumGate, or not recognise us: check UUID, shared secret, network name, and this clock"
)
BUSY_ADVICE = "it has more to do than it can; try again later"


@dataclass(slots=True)
class _Attempt:
    """One INIT as sent, with the private halves of its shares."""

    salt: bytes
    header: bytes
    body: bytes
    primary: PrimaryKey
    secondary: KemKey


@dataclass(slots=True)
class _Answer:
    """The opening of R's answer."""

    salt: bytes
    header: bytes
    parsed: Header
    box: bytes
    key: AeadKey


class Initiator(Party):
    """``target`` None = unaddressed; ``pin`` = the fingerprint (32 bytes) that the target must have.

    ``session_tlvs`` is the value of our SESSION, ``session_end`` makes its last TLVs from the transcript before it;
    ``token`` is what the target gave us, used once. ``now`` is monotonic seconds; unix time = now +
    wall_offset_seconds.
    """

    state: InitiatorState

    def __init__(
        self,
        settings: HandshakeSettings,
        *,
        target: PeerUUID | None = None,
        pin: bytes | None = None,
        session_tlvs: bytes = b"",
        session_end: Callable[[bytes], bytes] | None = None,
        role: int = 1,
        anonymous: bool = False,
        token: bytes = b"",
        random: RandomSource,
        now: float,
        wall_offset_seconds: float = 0.0,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(settings, random, wall_offset_seconds, limits, InitiatorState.AWAIT_KEY)
        self._target, self._pin, self._session = target, pin, session_tlvs
        self._session_end = session_end
        self._role, self._anonymous = role, anonymous
        self._token = b"" if anonymous else token
        self._candidate = settings.dial_candidate(target)
        self._lists = ANONYMOUS_LISTS if anonymous else settings.lists
        self._allowed = settings.anonymous_lists if anonymous else settings.lists
        if not (self._allowed.primaries and self._allowed.secondaries and self._allowed.aeads):
            raise LocalError("no algorithm is left above the floor", advice="see [algorithms] in the configuration")
        self._groups = self._lists.primaries[0], self._lists.secondaries[0]
        self._attempt: _Attempt | None = None
        self._answer: _Answer | None = None
        self._retry: tuple[Select, tuple[bytes, ...]] | None = None
        self._puzzle: tuple[int, bytes] | None = None
        self._solution = b""
        self._keys: HandshakeKeys | None = None
        self._transcript = Transcript()
        self._suite: Suite | None = None
        self._peer: PeerIdentity | None = None
        self._delegation: Delegation | None = None
        if target == settings.identity.public.uuid:
            self._end(Step.BAD, Failed("self", "this is me", advice="the address names this node itself"))
        else:
            self._prepare(now, Step.KEY)

    @property
    def token_holder(self) -> None:
        """Who dials is brought none."""
        return None

    # -- the door --------------------------------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        """See Party. A peer that never answered is a case of its own: the usual mistakes look like that."""
        if self.outcome is not None or now < self._deadline:
            return
        if self.state is InitiatorState.AWAIT_ANSWER:
            self._end(Step.DEADLINE, Failed("no-answer", "no answer", NO_ANSWER_ADVICE))
        elif self.state is InitiatorState.AWAIT_SOLUTION and self._puzzle is not None:
            seconds = self._limits.puzzle_seconds
            late = f"asks for a puzzle of {self._puzzle[0]} bits, which took longer than {seconds:g} s"
            self._end(Step.DEADLINE, Failed("puzzle", late, BUSY_ADVICE))
        else:
            self._end(Step.DEADLINE, Failed("deadline", "the handshake took too long"))

    def eof(self, now: float) -> None:
        """See Party."""
        if self.outcome is None:
            self._end(Step.EOF, Failed("lost", "the connection was closed during the handshake", NO_ANSWER_ADVICE))

    def _bad(self, now: float, detail: str) -> None:
        self._end(Step.BAD, Failed("authentication", GENERIC, blame="address", detail=detail))

    # -- INIT ------------------------------------------------------------------------------------------------------

    def _prepare(self, now: float, step: Step) -> None:
        """Get the private halves for the wanted pair of groups; a slow one is asked for."""
        group = self._groups[1]
        if SECONDARIES[group].slow:
            self._wanted_bytes = 0
            self._deadline = now + self._limits.handshake_seconds
            self._ask(KeyNeeded(group))
        else:
            self._move(step)
            self._send_init(self._settings.keys.secondary(group), now)

    def _send_init(self, secondary: KemKey, now: float) -> None:
        """After a puzzle the salt was drawn before, for the solution is one for this salt."""
        primary = self._settings.keys.primary(self._groups[0])
        salt = self._draw_salt() if self._puzzle is None else self._puzzle[1]
        init = Init(
            self._lists,
            KeyShare(self._groups[0], primary.share),
            KeyShare(self._groups[1], secondary.public),
            self._token or self._random.bytes(TOKEN_BYTES),
            solution=self._solution,
        )
        self._token = b""
        body = init.encode(init_pad_bytes(self._random))
        wall_ms = self._wall_ms(now)
        flags = ADDRESSED if self._candidate.addressed else 0
        header = Header(MessageType.INIT, len(body), wall_ms - wall_ms % MINUTE_MS, flags).encode()
        self._attempt = _Attempt(salt, header, body, primary, secondary)
        key = schedule.first_flight_key(self._candidate.obf, salt)
        self._out += salt + seal_pair(key, salt, header, body)
        self._wanted_bytes = OPENING_BYTES
        self._deadline = now + self._limits.dial_seconds

    def _draw_salt(self) -> bytes:
        """32 bytes; with ``printable6`` the first six are printable ASCII, drawn evenly."""
        salt = self._random.bytes(SALT_BYTES)
        if self._settings.salt_style != "printable6":
            return salt
        return bytes(0x20 + self._random.below(95) for _ in range(6)) + salt[6:]

    # -- the answer ------------------------------------------------------------------------------------------------

    def _advance(self, now: float) -> None:
        if self.state is InitiatorState.AWAIT_ANSWER:
            self._read_opening()
        else:
            self._read_answer(now)

    def _waiting(self, now: float) -> None:
        if self._pending is not None and self._in:
            raise MalformedError("bytes that nothing called for")

    def _read_opening(self) -> None:
        attempt = present(self._attempt)
        salt, box = self._take(SALT_BYTES), self._take(HEADER_BOX_BYTES)
        if salt == attempt.salt:
            raise MalformedError("our own salt came back")
        key = schedule.answer_key(self._candidate.obf, attempt.salt, salt)
        plain = key.open(0, box, salt)
        header = self._legal(Header.parse(plain))
        if header.version != VERSION:
            raise MalformedError("an answer of another version")
        wanted = header.body_bytes + TAG_BYTES
        wanted += header.a + TAG_BYTES if header.type == MessageType.RESP else 0
        if OPENING_BYTES + wanted > FIRST_FLIGHT_BYTES:
            raise MalformedError("an answer over the cap")
        self._answer = _Answer(salt, plain, header, box, key)
        self._wanted_bytes = wanted
        self._move(Step.HEADER)

    def _read_answer(self, now: float) -> None:
        answer = present(self._answer)
        body = answer.key.open(1, self._take(answer.parsed.body_bytes + TAG_BYTES), answer.box)
        if answer.parsed.type == MessageType.REFUSE:
            self._refused(Refuse.parse(body), now)
        elif answer.parsed.type == MessageType.RETRY:
            self._retried(Retry.parse(body), body, now)
        else:
            self._responded(body, self._take(answer.parsed.a + TAG_BYTES), now)

    def _refused(self, refuse: Refuse, now: float) -> None:
        ahead = refuse.clock_seconds - self._wall_ms(now) // 1000
        advice = f"its clock is {abs(ahead)} s {'ahead of' if ahead >= 0 else 'behind'} ours"
        if refuse.retry_after_seconds:
            advice += f"; try again in {refuse.retry_after_seconds} s"
        self._end(Step.REFUSE, Failed("refused", f"refused: {describe(refuse.code, RefuseCode)}", advice))

    def _retried(self, retry: Retry, body: bytes, now: float) -> None:
        attempt, answer, select = present(self._attempt), present(self._answer), retry.select
        if self._retry is not None or self._in:
            raise MalformedError("a second RETRY, or bytes behind one")
        check_choice(select, self._lists, self._allowed)
        if (select.primary, select.secondary) == self._groups and retry.puzzle is None:
            raise MalformedError("a RETRY for the groups already sent")
        first = (attempt.salt, attempt.header, attempt.body, answer.salt, answer.header, body)
        self._retry = select, first
        self._groups = select.primary, select.secondary
        attempt.primary.wipe()
        attempt.secondary.wipe()
        if retry.puzzle is not None:
            self._solve(retry.puzzle, now)
        else:
            self._prepare_again(now, Step.RETRY)

    def _prepare_again(self, now: float, step: Step) -> None:
        if SECONDARIES[self._groups[1]].slow:
            self._move(Step.RETRY_SLOW)
        self._prepare(now, step)

    def _solve(self, puzzle: Puzzle, now: float) -> None:
        """Have it solved for the salt of the next INIT, unless it is harder than any that we solve."""
        if puzzle.bits > PUZZLE_BITS_MAX:
            hard = f"asks for a puzzle of {puzzle.bits} bits; nobody has to solve more than {PUZZLE_BITS_MAX}"
            self._end(Step.BAD, Failed("puzzle", hard, blame="address"))
            return
        self._puzzle = puzzle.bits, self._draw_salt()
        self._wanted_bytes = 0
        self._deadline = now + self._limits.puzzle_seconds
        self._move(Step.PUZZLE)
        self._ask(PuzzleNeeded(puzzle, self._puzzle[1]))

    def _responded(self, body: bytes, sealed_proof: bytes, now: float) -> None:
        """BODY2A: agree on keys. Then BODY2B: verify who it is, and ask."""
        attempt, answer = present(self._attempt), present(self._answer)
        exchange = Exchange.parse(body)
        self._check_select(exchange.select)
        check_lengths(exchange.primary, exchange.secondary, ciphertext=True)
        th = self._transcript
        if self._retry is not None:
            th.add_all(labels.TAGS_RETRY, self._retry[1])
        th.add(labels.TAG_TARGET, self._candidate.target)
        th.add_all(labels.TAGS_INIT, (attempt.salt, attempt.header, attempt.body))
        th.add_all(labels.TAGS_RESPONSE, (answer.salt, answer.header, body))
        ss_primary = attempt.primary.exchange(exchange.primary.data)
        ss_secondary = attempt.secondary.decapsulate(exchange.secondary.data)
        self._keys = schedule.handshake_keys(self._candidate.ke_salt, ss_secondary, ss_primary, th.digest())
        for spent in (attempt.primary, attempt.secondary, ss_primary, ss_secondary):
            spent.wipe()
        self._suite = Suite(exchange.select.primary, exchange.select.secondary, exchange.select.aead)
        self._verify(Proof.parse(self._keys.hr.open(1, sealed_proof, answer.box)), now)

    def _check_select(self, select: Select) -> None:
        check_choice(select, self._lists, self._allowed)
        if (select.primary, select.secondary) != self._groups:
            raise MalformedError("other groups than those of our shares")
        if self._retry is not None and select != self._retry[0]:
            raise MalformedError("another choice than in the RETRY")

    def _verify(self, proof: Proof, now: float) -> None:
        peer = PeerIdentity.from_bundle(proof.bundle)
        if self._target is not None and peer.uuid != self._target:
            raise AuthenticationError("another UUID than the one dialled")
        self._delegation = delegation = delegations.read(proof.delegation, peer)
        th, keys = self._transcript, present(self._keys)
        th.add(labels.TAG_IDENTITY, proof.bundle)
        if delegation is not None:
            th.add(labels.TAG_DELEGATION, proof.delegation)
        th.add(labels.TAG_OTHERS, proof.ext)
        signed = th.digest()
        th.add(labels.TAG_SIGNATURE, proof.signature)
        if not hmac.compare_digest(hmac_sha512(keys.fin_r, th.digest()), proof.confirm):
            raise AuthenticationError("CONFIRM does not verify")
        verify(delegations.proven_bundle(peer, delegation), labels.SIGN_RESPONDER, signed, proof.signature)
        th.add(labels.TAG_CONFIRM, proof.confirm)
        self._consider(peer, now)

    def _consider(self, peer: PeerIdentity, now: float) -> None:
        """R proved to be ``peer``: the last checks before we say who we are."""
        if peer.uuid == self._settings.identity.public.uuid:
            self._end(Step.BAD, Failed("self", "this is me", advice="the address leads back to this node"))
            return
        if self._pin is not None and not hmac.compare_digest(self._pin, peer.fingerprint):
            advice = "do not trust this address until its owner has confirmed the new key in person"
            failed = Failed("pin", "another key than the pinned one", advice, blame="address", security_event=True)
            self._end(Step.BAD, failed)
            return
        unfit = self._terms_failed(peer, self._delegation, now)
        if unfit is not None:
            self._end(Step.BAD, unfit)
            return
        self._peer = peer
        self._move(Step.ANSWER)
        self._deadline = now + self._limits.handshake_seconds
        self._wanted_bytes = 0
        self._ask(PeerCheck(peer, self._role, initiator=True))

    # -- FIN -------------------------------------------------------------------------------------------------------

    def _answered(self, value: Any, now: float) -> None:
        if self.state is InitiatorState.AWAIT_KEY:
            self._move(Step.KEY)
            self._send_init(value, now)
        elif self.state is InitiatorState.AWAIT_SOLUTION:
            self._solution = value
            self._prepare_again(now, Step.SOLVED)
        elif value.admitted:
            self._send_fin(value)
        else:
            self._end(Step.DENY, Failed("denied", value.text or "not admitted by our own rules"))

    def _send_fin(self, verdict: Verdict) -> None:
        keys, suite = present(self._keys), present(self._suite)
        bundle, signature, confirm = self._prove(keys)
        delegation = b"" if self._anonymous else self._settings.identity.delegation
        fin = Fin(self._role, bundle, signature, confirm, self._session, delegation=delegation)
        bare = fin.encode(NO_PAD)
        least = HEADER_BOX_BYTES + len(bare) + TAG_BYTES
        body = bare + pad(pad_value_bytes(least, draw(self._random, MSG3_TOTAL_BYTES)))
        self._out += seal_pair(keys.hi, b"", Header(MessageType.FIN, len(body)).encode(), body)
        secrets = schedule.session_secrets(keys.prk1, self._transcript.digest())
        established = Established(
            initiator=True,
            role=self._role,
            peer=self._peer,
            local=None if self._anonymous else self._settings.identity.public,
            signer=None if self._anonymous else self._settings.identity,
            suite=suite,
            root=secrets.root,
            sid=secrets.sid,
            exporter=secrets.exporter,
            peer_session=b"",
            leftover=b"",
            shared_secret=self._candidate.shared_secret,
            verdict=verdict,
            retried=self._retry is not None,
            peer_delegation=self._delegation,
        )
        self._end(Step.ADMIT, established)

    def _prove(self, keys: HandshakeKeys) -> tuple[bytes, bytes, bytes]:
        """(bundle, signature, confirmation), the first two empty for an anonymous side; hashes up to SESSION."""
        th, bundle, signature = self._transcript, b"", b""
        if self._anonymous:
            th.add(labels.TAG_ANONYMOUS, b"")
        else:
            bundle = self._settings.identity.public.bundle
            th.add(labels.TAG_IDENTITY, bundle)
            if self._settings.identity.delegation:
                th.add(labels.TAG_DELEGATION, self._settings.identity.delegation)
        th.add(labels.TAG_OTHERS, role_tlv(self._role))
        if not self._anonymous:
            signature = self._settings.identity.sign(labels.SIGN_INITIATOR, th.digest())
            th.add(labels.TAG_SIGNATURE, signature)
        confirm = hmac_sha512(keys.fin_i, th.digest())
        th.add(labels.TAG_CONFIRM, confirm)
        if self._session_end is not None:
            self._session += self._session_end(th.digest())
        th.add(labels.TAG_SESSION, self._session)
        return bundle, signature, confirm

    # -- ends ------------------------------------------------------------------------------------------------------

    def _move(self, step: Step) -> None:
        self.state = INITIATOR[self.state, step]

    def _end(self, step: Step, outcome: Established | Failed) -> None:
        self._move(step)
        self.outcome = outcome
        self._deadline = NEVER
        if self._keys is not None:
            self._keys.wipe()
        if self._attempt is not None:
            self._attempt.primary.wipe()
            self._attempt.secondary.wipe()
        self._attempt = self._answer = self._retry = self._keys = None
        self._forget()
