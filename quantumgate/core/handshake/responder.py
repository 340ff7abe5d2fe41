"""The listening side: cheap checks first, silence for whoever does not know us, one answer per salt.

Not for: how many connections may be half open, how slowly a drained one is read (``net``). Spec: docs/spec/handshake.md
sections 5 to 8 and 10 to 12.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from quantumgate.core import delegations, schedule
from quantumgate.core.delegations import Delegation
from quantumgate.core.handshake.offer import check_lengths, choose
from quantumgate.core.handshake.outcome import Established, Failed
from quantumgate.core.handshake.party import GENERIC, NEVER, Party, present, seal_pair
from quantumgate.core.handshake.settings import Candidate, HandshakeSettings
from quantumgate.core.handshake.sizes import (
    HEADER_BOX_BYTES,
    NO_PAD,
    OPENING_BYTES,
    TLV_HEAD_BYTES,
    draw,
    pad_tlv_bytes,
    pad_value_bytes,
)
from quantumgate.core.overload import KNOWN_EFFORT, PLAIN_COST, SESSION_COST, Ladder, Turn, answer_cost
from quantumgate.core.puzzle import effort_of
from quantumgate.core.replay import ReplayWindow
from quantumgate.core.requests import PeerCheck, TurnNeeded, Verdict
from quantumgate.core.schedule import HandshakeKeys, SessionSecrets
from quantumgate.core.state import RESPONDER, ResponderState, Step
from quantumgate.core.tokens import Holder, TokenMint
from quantumgate.core.transcript import Transcript
from quantumgate.crypto import labels
from quantumgate.crypto.aead import AeadKey
from quantumgate.crypto.identity import PeerIdentity
from quantumgate.crypto.kdf import hmac_sha512
from quantumgate.crypto.random import RandomSource
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.signatures import KINDS, verify
from quantumgate.crypto.suites import Suite
from quantumgate.errors import AuthenticationError, MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire.codes import CloseCode, RefuseCode, describe
from quantumgate.wire.limits import EARLY_RECORDS_BYTES, FIRST_FLIGHT_BYTES, MSG2_TOTAL_BYTES, TAG_BYTES, Limits
from quantumgate.wire.messages import (
    ADDRESSED,
    CONFIRM_BYTES,
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
)
from quantumgate.wire.session_tlvs import invitation_in

PEER, RELAY_CLIENT, CARRIER = 1, 2, 3
"""ROLE of an initiator."""
_BODIES = (ResponderState.AWAIT_INIT_BODY, ResponderState.AWAIT_SECOND_INIT_BODY, ResponderState.AWAIT_FIN_BODY)


@dataclass(slots=True)
class _Opening:
    """The opening of an INIT, and the key that opens the rest."""

    salt: bytes
    header: bytes
    parsed: Header
    box: bytes
    key: AeadKey
    candidate: Candidate


@dataclass(slots=True)
class _Retried:
    """What a RETRY leaves behind: the first exchange for the transcript, the offer, and what was wanted."""

    first: tuple[bytes, ...]
    init: Init
    select: Select
    candidate: Candidate
    puzzle: Puzzle | None


@dataclass(slots=True)
class _Queued:
    """An INIT that waits for its turn."""

    init: Init
    body: bytes
    select: Select


@dataclass(slots=True)
class _Proved:
    """A verified FIN that waits for a verdict."""

    peer: PeerIdentity | None
    delegation: Delegation | None
    fin: Fin
    secrets: SessionSecrets


class Responder(Party):
    """``replay`` is the node's own window, shared by all its responders.

    So are ``mint``, which knows the node's tokens again, and ``ladder``; without them nobody is known and everybody is
    answered. ``favoured()``: whether this address did us good before; ``quiet()``: whether its network has asked for
    little lately. ``allow_unaddressed`` is for this connection (None = as in the settings). ``now``,
    ``wall_offset_seconds``: see Initiator; construction is the moment of accept.
    """

    state: ResponderState

    def __init__(
        self,
        settings: HandshakeSettings,
        replay: ReplayWindow,
        *,
        random: RandomSource,
        now: float,
        wall_offset_seconds: float = 0.0,
        limits: Limits | None = None,
        allow_unaddressed: bool | None = None,
        mint: TokenMint | None = None,
        ladder: Ladder | None = None,
        favoured: Callable[[], bool] = lambda: False,
        quiet: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(settings, random, wall_offset_seconds, limits, ResponderState.AWAIT_INIT)
        self._replay, self._mint, self._ladder, self._favoured = replay, mint, ladder, favoured
        self._quiet = quiet
        self._allow_unaddressed = settings.allow_unaddressed if allow_unaddressed is None else allow_unaddressed
        self._drain_at = now + random.uniform(*self._limits.drain_seconds)
        self._over_at = now + self._limits.handshake_seconds
        self._deadline = now + self._limits.msg1_seconds
        self._wanted_bytes = OPENING_BYTES
        self._step_deadline, self._body_began = self._deadline, now
        self._fin_box = b""
        self._opening: _Opening | None = None
        self._retried: _Retried | None = None
        self._keys: HandshakeKeys | None = None
        self._transcript = Transcript()
        self._suite: Suite | None = None
        self._shared_secret = False
        self._holder: Holder | None = None
        self._effort = 0
        self._queued: _Queued | None = None
        self._proved: _Proved | None = None
        self._invitation = self._before_session = b""

    @property
    def token_holder(self) -> PeerUUID | None:
        """To whom the token was given that came in INIT."""
        return None if self._holder is None else self._holder.uuid

    # -- the door --------------------------------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        """See Party. While draining: the end of it."""
        if now < self._deadline:
            return
        if self.state is ResponderState.DRAINING:
            self._move(Step.DEADLINE)
            self._deadline = NEVER
        elif self.outcome is None:
            self._drain(Step.DEADLINE, Failed("deadline", "the handshake took too long", silent=True))

    def eof(self, now: float) -> None:
        """See Party. A peer that closes is closed at once, in every state."""
        if self.outcome is None:
            self._end(Step.EOF, Failed("lost", "the peer closed the connection during the handshake"))
            self._out.clear()
        elif self.state is ResponderState.DRAINING:
            self._move(Step.EOF)
            self._deadline = NEVER

    def give_way(self, now: float) -> None:
        """Others need its place: met with silence, which is nobody's fault."""
        if self.outcome is None:
            self._stay_silent()

    def _bad(self, now: float, detail: str) -> None:
        first = self.state in (ResponderState.AWAIT_INIT, ResponderState.AWAIT_INIT_BODY)
        reason = "unrecognised" if first else "authentication"
        self._drain(Step.BAD, Failed(reason, GENERIC, silent=True, blame="address", detail=detail))

    # -- reading ---------------------------------------------------------------------------------------------------

    def _advance(self, now: float) -> None:
        match self.state:
            case ResponderState.AWAIT_INIT | ResponderState.AWAIT_SECOND_INIT:
                self._read_init_opening(now)
            case ResponderState.AWAIT_INIT_BODY | ResponderState.AWAIT_SECOND_INIT_BODY:
                self._read_init(now)
            case ResponderState.AWAIT_FIN:
                self._read_fin_header(now)
            case _:
                self._read_fin(now)

    def _waiting(self, now: float) -> None:
        """Progress while a body is pending: ten seconds, and one more for each KiB that came."""
        if self._pending is not None:
            most = FIRST_FLIGHT_BYTES if self.state is ResponderState.AWAIT_TURN else EARLY_RECORDS_BYTES
            if len(self._in) > most:
                raise MalformedError("too much before its time")
        elif self.state in _BODIES:
            paid = self._limits.msg1_seconds + len(self._in) / self._limits.progress_rate_bytes
            self._deadline = min(self._step_deadline, self._body_began + paid)

    def _read_init_opening(self, now: float) -> None:
        """Steps 1 to 3: who is meant, and is it fresh? The salt is looked up, not entered."""
        salt, box = self._take(SALT_BYTES), self._take(HEADER_BOX_BYTES)
        self._opening = opening = self._open_header(salt, box)
        header = self._legal(opening.parsed)
        if bool(header.flags & ADDRESSED) != opening.candidate.addressed:
            raise MalformedError("the addressed bit does not fit the key")
        if not self._replay.fresh(salt, header.a, self._wall_ms(now)):
            raise MalformedError("a first flight outside the window, or answered before")
        if OPENING_BYTES + header.body_bytes + TAG_BYTES > self._settings.first_flight_bytes:
            raise MalformedError("a first flight over the cap")
        self._await_body(header.body_bytes + TAG_BYTES, now)

    def _open_header(self, salt: bytes, box: bytes) -> _Opening:
        for candidate in self._candidates():
            key = schedule.first_flight_key(candidate.obf, salt)
            try:
                plain = key.open(0, box, salt)
            except AuthenticationError:
                continue
            return _Opening(salt, plain, Header.parse(plain), box, key, candidate)
        raise AuthenticationError("no key of ours opens it")

    def _candidates(self) -> tuple[Candidate, ...]:
        if self._retried is not None:
            return (self._retried.candidate,)
        return self._settings.candidates if self._allow_unaddressed else self._settings.addressed_candidates

    def _await_body(self, wanted_bytes: int, now: float) -> None:
        self._wanted_bytes = wanted_bytes
        self._step_deadline = self._deadline
        self._body_began = now
        self._move(Step.HEADER)

    # -- INIT ------------------------------------------------------------------------------------------------------

    def _read_init(self, now: float) -> None:
        """Steps 4 to 6: open, parse, budget, policy."""
        opening = present(self._opening)
        body = opening.key.open(1, self._take(self._wanted_bytes), opening.box)
        held = OPENING_BYTES + opening.parsed.body_bytes + TAG_BYTES + len(self._in)
        if held > self._settings.first_flight_bytes:
            raise MalformedError("a first flight over the cap")
        if opening.parsed.version != VERSION and self._retried is None:
            self._refuse_at_once(RefuseCode.VERSION, now)
            return
        init = Init.parse(body)
        if self._retried is not None:
            self._check_second(init, self._retried)
            self._seek_turn(init, body, self._retried.select, now)
            return
        if init.solution:
            raise MalformedError("a solution of no puzzle")
        if self._mint is not None:
            self._holder = self._mint.holder(init.token, now)
        choice = choose(init, self._settings.lists)
        if isinstance(choice, Select):
            self._seek_turn(init, body, choice, now)
        else:
            self._refuse_at_once(choice, now)

    def _refuse_at_once(self, code: RefuseCode, now: float) -> None:
        """What no ladder has a say in."""
        if self._may_answer(now):
            self._refuse(code, now)
        else:
            self._stay_silent()

    def _seek_turn(self, init: Init, body: bytes, select: Select, now: float) -> None:
        """Step 6: the ladder. A RETRY for other groups needs no public-key work, but may be due with a puzzle."""
        miss = (select.primary, select.secondary) != (init.primary.group, init.secondary.group)
        cost = 0.0 if miss else self._cost(select)
        turn = self._turn(cost, now) if self._may_answer(now) else Turn.SILENCE
        if turn is Turn.SILENCE:
            self._stay_silent()
        elif turn is Turn.BUSY:
            self._refuse(RefuseCode.BUSY, now)
        elif turn is Turn.PUZZLE and self._ladder is not None:
            self._retry(init, body, select, now, self._ladder.puzzle(now))
        elif miss:
            self._retry(init, body, select, now)
        elif turn is Turn.WAIT:
            self._queue(_Queued(init, body, select), cost, now)
        else:
            self._respond(init, body, select, now)

    def _cost(self, select: Select) -> float:
        return answer_cost(self._settings.identity.kind, select.primary, select.secondary)

    def _turn(self, cost: float, now: float) -> Turn:
        if self._ladder is None:
            return Turn.GO
        known, last = self._holder is not None, self._retried is not None
        return self._ladder.judge(
            now, cost, known=known, favoured=self._favoured, effort=self._effort, last=last
        )

    def _queue(self, queued: _Queued, cost: float, now: float) -> None:
        """Others go first. What is left of the deadline for it is the queue's own."""
        self._queued = queued
        self._deadline = min(self._over_at, now + self._limits.turn_seconds)
        self._wanted_bytes = 0
        self._move(Step.WAIT)
        self._ask(TurnNeeded(KNOWN_EFFORT if self._holder is not None else self._effort, cost))

    def _stay_silent(self) -> None:
        """There is no room for this one. Nobody is to blame for it."""
        self._drain(Step.BAD, Failed("busy", GENERIC, silent=True))

    def _may_answer(self, now: float) -> bool:
        """The last of a second's answers are for the known, before that for solvers, before that for quiet networks."""
        kept_share = self._kept_share
        if self._ladder is None or self._holder is not None or self._effort:
            return self._replay.may_answer(now, kept_share)
        if self._replay.may_answer(now, kept_share + (1 - kept_share) / 3):
            return True
        return self._quiet() and self._replay.may_answer(now, kept_share)

    @property
    def _kept_share(self) -> float:
        if self._ladder is None or self._holder is not None:
            return 0.0
        return self._limits.cpu_reserve_share / (2 if self._effort else 1)

    def _check_second(self, init: Init, retried: _Retried) -> None:
        if present(self._opening).parsed.version != VERSION:
            raise MalformedError("a second INIT of another version")
        if (init.lists, init.versions) != (retried.init.lists, retried.init.versions):
            raise MalformedError("a second INIT with another offer")
        if (init.primary.group, init.secondary.group) != (retried.select.primary, retried.select.secondary):
            raise MalformedError("a second INIT without the wanted groups")
        if retried.puzzle is None:
            if init.solution:
                raise MalformedError("a solution of no puzzle")
            return
        if init.solution:
            self._effort = effort_of(retried.puzzle, present(self._opening).salt, init.solution)
        if self._effort < retried.puzzle.bits:
            raise MalformedError("a puzzle that is not solved")

    def _enter(self, opening: _Opening, now: float, cost: float) -> None:
        """Step 8, immediately before the first byte of an answer."""
        self._replay.enter(opening.salt, opening.parsed.a, self._wall_ms(now), cost)
        if self._holder is not None and self._mint is not None:
            self._mint.spend(self._holder)

    def _refuse(self, code: RefuseCode, now: float) -> None:
        body_bytes = draw(self._random, MSG2_TOTAL_BYTES) - OPENING_BYTES - TAG_BYTES
        body = Refuse(code, 0, self._wall_ms(now) // 1000).encode(body_bytes)
        self._answer_plainly(MessageType.REFUSE, body, now)
        self._drain(Step.REFUSE, Failed("refused", f"refused: {describe(code, RefuseCode)}", silent=True))

    def _retry(self, init: Init, body: bytes, select: Select, now: float, puzzle: Puzzle | None = None) -> None:
        opening, retry = present(self._opening), Retry(select, puzzle)
        least = OPENING_BYTES + len(retry.encode(NO_PAD)) + TAG_BYTES
        retry_body = retry.encode(pad_value_bytes(least, draw(self._random, MSG2_TOTAL_BYTES)))
        sent = self._answer_plainly(MessageType.RETRY, retry_body, now)
        first = (opening.salt, opening.header, body, *sent)
        self._retried = _Retried(first, init, select, opening.candidate, puzzle)
        self._opening = None
        self._wanted_bytes = OPENING_BYTES
        self._drain_at += self._limits.retry_seconds
        self._over_at += self._limits.retry_seconds
        self._deadline = now + self._limits.retry_seconds
        self._move(Step.RETRY)

    def _answer_plainly(self, kind: MessageType, body: bytes, now: float) -> tuple[bytes, bytes, bytes]:
        """RETRY or REFUSE, under o2 alone. Returns (salt, header, body) as the transcript wants them."""
        opening = present(self._opening)
        salt = self._random.bytes(SALT_BYTES)
        header = Header(kind, len(body)).encode()
        key = schedule.answer_key(opening.candidate.obf, opening.salt, salt)
        self._enter(opening, now, PLAIN_COST)
        self._out += salt + seal_pair(key, salt, header, body)
        return salt, header, body

    # -- RESP ------------------------------------------------------------------------------------------------------

    def _respond(self, init: Init, body: bytes, select: Select, now: float) -> None:
        """Step 7, public-key work, then RESP."""
        opening = present(self._opening)
        check_lengths(init.primary, init.secondary, ciphertext=False)
        exchange, ss_primary, ss_secondary = self._agree(init, select)
        salt, body_a = self._random.bytes(SALT_BYTES), exchange.encode()
        proof_bytes, pad_bytes = self._proof_bytes(len(body_a))
        header = Header(MessageType.RESP, len(body_a), proof_bytes).encode()
        th = self._transcript
        if self._retried is not None:
            th.add_all(labels.TAGS_RETRY, self._retried.first)
        th.add(labels.TAG_TARGET, opening.candidate.target)
        th.add_all(labels.TAGS_INIT, (opening.salt, opening.header, body))
        th.add_all(labels.TAGS_RESPONSE, (salt, header, body_a))
        keys = schedule.handshake_keys(opening.candidate.ke_salt, ss_secondary, ss_primary, th.digest())
        ss_primary.wipe()
        ss_secondary.wipe()
        box = seal_pair(schedule.answer_key(opening.candidate.obf, opening.salt, salt), salt, header, body_a)
        proof = self._prove(keys).encode(pad_bytes)
        self._enter(opening, now, self._cost(select))
        self._out += salt + box + keys.hr.seal(1, proof, box[:HEADER_BOX_BYTES])
        self._keys, self._suite = keys, Suite(select.primary, select.secondary, select.aead)
        self._shared_secret = opening.candidate.shared_secret
        self._opening = None
        self._wanted_bytes = HEADER_BOX_BYTES
        self._deadline = self._over_at
        self._move(Step.ANSWER)

    def _agree(self, init: Init, select: Select) -> tuple[Exchange, Secret, Secret]:
        """(BODY2A, primary secret, secondary secret)."""
        source = self._settings.keys
        primary = source.primary(select.primary)
        ss_primary = primary.exchange(init.primary.data)
        ciphertext, ss_secondary = source.encapsulate(select.secondary, init.secondary.data)
        primary.wipe()
        ours = KeyShare(select.primary, primary.share)
        return Exchange(ours, KeyShare(select.secondary, ciphertext), select), ss_primary, ss_secondary

    def _proof_bytes(self, body_a_bytes: int) -> tuple[int, int]:
        """(length of BODY2B, length of its PAD's value). Known before it is made, for the header says it."""
        public, delegation = self._settings.identity.public, self._settings.identity.delegation
        values = [len(public.bundle), KINDS[public.kind].signature_bytes, CONFIRM_BYTES]
        if delegation:
            values.append(len(delegation))
        bare = sum(values) + len(values) * TLV_HEAD_BYTES
        least = OPENING_BYTES + body_a_bytes + TAG_BYTES + bare + TAG_BYTES
        pad_bytes = pad_value_bytes(least, draw(self._random, MSG2_TOTAL_BYTES))
        return bare + pad_tlv_bytes(pad_bytes), pad_bytes

    def _prove(self, keys: HandshakeKeys) -> Proof:
        th, identity = self._transcript, self._settings.identity
        th.add(labels.TAG_IDENTITY, identity.public.bundle)
        if identity.delegation:
            th.add(labels.TAG_DELEGATION, identity.delegation)
        th.add(labels.TAG_OTHERS, b"")
        signature = identity.sign(labels.SIGN_RESPONDER, th.digest())
        th.add(labels.TAG_SIGNATURE, signature)
        confirm = hmac_sha512(keys.fin_r, th.digest())
        th.add(labels.TAG_CONFIRM, confirm)
        return Proof(identity.public.bundle, signature, confirm, delegation=identity.delegation)

    # -- FIN -------------------------------------------------------------------------------------------------------

    def _read_fin_header(self, now: float) -> None:
        box = self._take(HEADER_BOX_BYTES)
        header = self._legal(Header.parse(present(self._keys).hi.open(0, box)))
        if header.version != VERSION or HEADER_BOX_BYTES + header.body_bytes + TAG_BYTES > FIRST_FLIGHT_BYTES:
            raise MalformedError("a FIN of another version or over the cap")
        self._fin_box = box
        self._await_body(header.body_bytes + TAG_BYTES, now)

    def _read_fin(self, now: float) -> None:
        """Step 9: everything is checked before anything is kept; then the verdict."""
        keys = present(self._keys)
        fin = Fin.parse(keys.hi.open(1, self._take(self._wanted_bytes), self._fin_box))
        if not PEER <= fin.role <= CARRIER or (fin.anonymous and fin.role == CARRIER):
            raise MalformedError(f"role {fin.role}")
        peer = None if fin.anonymous else PeerIdentity.from_bundle(fin.bundle)
        delegation = None if peer is None else delegations.read(fin.delegation, peer)
        self._verify(fin, keys, peer, delegation)
        unfit = None if peer is None else self._unfit(peer, delegation, now)
        if unfit is not None:
            self._drain(Step.BAD, replace(unfit, silent=True))
            return
        self._proved = _Proved(peer, delegation, fin, schedule.session_secrets(keys.prk1, self._transcript.digest()))
        self._deadline = self._over_at
        self._wanted_bytes = 0
        refused = self._policy(fin)
        if refused is not None:
            self._establish(Step.DENIED, refused)
            return
        self._move(Step.PROOF)
        known = peer is not None and self._holder is not None and self._holder.uuid == peer.uuid
        self._replay.charge(SESSION_COST)
        if self._ladder is not None:
            self._ladder.proved(now, known=known)
        self._ask(PeerCheck(peer, fin.role, False, known, self._invitation, self._before_session))

    def _unfit(self, peer: PeerIdentity, delegation: Delegation | None, now: float) -> Failed | None:
        """Who proved to be there and is not answered all the same. Whoever comes as ourselves has a key of ours."""
        if peer.uuid == self._settings.identity.public.uuid:
            return Failed("twin", "somebody who holds the key of this identity dialled it", security_event=True)
        return self._terms_failed(peer, delegation, now)

    def _verify(
        self, fin: Fin, keys: HandshakeKeys, peer: PeerIdentity | None, delegation: Delegation | None
    ) -> None:
        """CONFIRM and, of a peer with an identity, SIGNATURE; hashes up to SESSION."""
        th = self._transcript
        if peer is None:
            th.add(labels.TAG_ANONYMOUS, b"")
        else:
            th.add(labels.TAG_IDENTITY, fin.bundle)
            if delegation is not None:
                th.add(labels.TAG_DELEGATION, fin.delegation)
        th.add(labels.TAG_OTHERS, fin.ext)
        signed = th.digest()
        if peer is not None:
            th.add(labels.TAG_SIGNATURE, fin.signature)
        if not hmac.compare_digest(hmac_sha512(keys.fin_i, th.digest()), fin.confirm):
            raise AuthenticationError("CONFIRM does not verify")
        if peer is not None:
            verify(delegations.proven_bundle(peer, delegation), labels.SIGN_INITIATOR, signed, fin.signature)
        th.add(labels.TAG_CONFIRM, fin.confirm)
        self._invitation = invitation_in(fin.session)
        self._before_session = th.digest() if self._invitation else b""
        th.add(labels.TAG_SESSION, fin.session)

    def _policy(self, fin: Fin) -> Verdict | None:
        """What is refused without asking anybody: a nameless peer where peers must have names. [A49]"""
        if fin.anonymous and fin.role == PEER and self._settings.require_authentication:
            return Verdict(False, CloseCode.ACCESS_DENIED, "this node requires authentication")
        return None

    def _answered(self, value: Any, now: float) -> None:
        if self.state is not ResponderState.AWAIT_TURN:
            self._establish(Step.ADMIT, value)
            return
        queued, self._queued = present(self._queued), None
        if value is Turn.GO and self._replay.may_answer(now, self._kept_share):
            self._respond(queued.init, queued.body, queued.select, now)
        else:
            self._stay_silent()

    def _establish(self, step: Step, verdict: Verdict) -> None:
        proved, identity = present(self._proved), self._settings.identity
        established = Established(
            initiator=False,
            role=proved.fin.role,
            peer=proved.peer,
            local=identity.public,
            signer=identity,
            suite=present(self._suite),
            root=proved.secrets.root,
            sid=proved.secrets.sid,
            exporter=proved.secrets.exporter,
            peer_session=proved.fin.session,
            leftover=bytes(self._in),
            shared_secret=self._shared_secret,
            verdict=verdict,
            retried=self._retried is not None,
            peer_delegation=proved.delegation,
        )
        self._end(step, established)

    # -- ends ------------------------------------------------------------------------------------------------------

    def _move(self, step: Step) -> None:
        self.state = RESPONDER[self.state, step]

    def _drain(self, step: Step, failed: Failed) -> None:
        """Say nothing, read on, until the timer that was drawn at accept."""
        self._end(step, failed)
        self._deadline = self._drain_at

    def _end(self, step: Step, outcome: Established | Failed) -> None:
        self._move(step)
        self.outcome = outcome
        self._deadline = NEVER
        if self._keys is not None:
            self._keys.wipe()
        self._opening = self._retried = self._keys = self._proved = self._queued = None
        self._forget()
