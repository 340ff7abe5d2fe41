"""The side that dials: INIT from injected draws, then RETRY, REFUSE or RESP as octets, then FIN (handshake.md).

Not for states and times.
"""
from __future__ import annotations

import hmac

from . import crypto, exchange
from .flights import (
    FIN,
    FLIGHT_OCTETS_MAX,
    INIT,
    MINUTE_MS,
    PUZZLE_BITS_MAX,
    REFUSE,
    RESP,
    RETRY,
    Answer,
    Header,
    Init,
    Proof,
    Puzzle,
    Retry,
    Select,
    Share,
    pad_to,
    read_refuse,
    total_octets,
)
from .identity import check_bundle, uuid_of, verify
from .octets import Refused, require, tlv
from .side import Side
from .vector import Inputs


class Refusal(Exception):
    """R said REFUSE: code, seconds to wait, its clock in seconds."""


class Initiator(Side):
    """I, from its injected identity, draws and keys."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs, inputs.initiator)
        self.use_target(inputs.target)
        self.offer = inputs.lists("offer")
        self.wanted: Select | None = None
        self.puzzle: Puzzle | None = None

    def init(self) -> bytes:
        """An INIT for the first of each list, or for the pair that a RETRY wants."""
        groups = (self.wanted.primary, self.wanted.secondary) if self.wanted else (self.offer[0][0], self.offer[1][0])
        self.secondary = exchange.secondary_pair(self.own.keys, groups[1])
        self.primary = exchange.primary_pair(self.own.keys, groups[0])
        salt = self.own.luck.octets(32)
        token = self.inputs.token if self.wanted is None else None
        token = self.own.luck.octets(48) if token is None else token
        pad = self.own.luck.number()
        solution = None if self.puzzle is None else self._solve(self.puzzle, salt)
        body = Init(*self.offer, Share(groups[0], self.primary.public), Share(groups[1], self.secondary.public),
                    token, [1], solution).encode(pad)
        clock = self.inputs.wall_ms // MINUTE_MS * MINUTE_MS
        self.use_init_salt(salt)
        return self.seal_salted("o1", "INIT", salt, Header(INIT, clock, len(body), int(any(self.inputs.target))), body)

    def answered(self, wire: bytes) -> bytes:
        """R's answer: gives FIN, or the second INIT after a RETRY; raises Refusal after a REFUSE."""
        require(len(wire) >= 64 and wire[:32] != self.parts["saltI"], "header answer", "salt")
        self.use_answer_salt(wire[:32])
        plain = crypto.unseal(self.ledger.keys["o2"], 0, wire[:32], wire[32:64], crypto.AES_256_GCM, "header answer")
        header = Header.decode(plain, RESP, RETRY, REFUSE)
        require(64 + header.body_octets + 16 + header.a + 16 <= FLIGHT_OCTETS_MAX, "header answer", "too long")
        if header.kind == RETRY:
            return self._retried(self.open_salted("o2", "RETRY", wire, header))
        if header.kind == REFUSE:
            raise Refusal(*read_refuse(self.open_salted("o2", "answer", wire, header)))
        tail = header.a + crypto.TAG_OCTETS
        require(len(wire) > 64 + header.body_octets + 16, "body answer", "too few octets")
        answer = Answer.decode(self.open_salted("o2", "answer", wire, header, tail))
        self._check_answer(answer)
        self._agree(answer)
        self._verify(Proof.decode_r(self.ledger.unseal("body 2B", "hr", 1, wire[32:64], wire[-tail:])))
        return self._fin()

    def _check_select(self, select: Select) -> None:
        ids = (select.primary, select.secondary, select.aead)
        offered = all(i in ids_sent for i, ids_sent in zip(ids, self.offer, strict=True))
        require(select.version == 1 and offered, "SELECT", "not offered")

    def _retried(self, body: bytes) -> bytes:
        retry = Retry.decode(body)
        select = retry.select
        self._check_select(select)
        require(self.wanted is None, "RETRY", "a second one")
        same_pair = (select.primary, select.secondary) == (self.primary.group, self.secondary.group)
        require(not same_pair or retry.puzzle is not None, "RETRY", "same pair")
        require(retry.puzzle is None or retry.puzzle.bits <= PUZZLE_BITS_MAX, "RETRY", "a puzzle too hard")
        self.becomes_first()
        self.wanted, self.puzzle = select, retry.puzzle
        return self.init()

    def _solve(self, puzzle: Puzzle, salt: bytes) -> bytes:
        """The solution of the file, which must be one."""
        given = self.inputs.solution
        require(given is not None and len(given) == 128, "solution", "none")
        solution = given or b""
        require(puzzle.solved_by(self.ledger.note("puzzle hashes", puzzle.hashes(salt, solution))), "solution")
        return solution

    def _check_answer(self, answer: Answer) -> None:
        pair = (self.primary.group, self.secondary.group)
        require((answer.primary.group, answer.secondary.group) == pair, "BODY2A", "groups of the shares")
        require((answer.select.primary, answer.select.secondary) == pair, "SELECT", "another pair")
        self._check_select(answer.select)
        require(self.wanted in (None, answer.select), "SELECT", "not that of the RETRY")
        self.groups, self.aead = pair, answer.select.aead

    def _agree(self, answer: Answer) -> None:
        primary = crypto.agree(self.primary.group, self.primary.private, answer.primary.value)
        secondary = crypto.decapsulate(self.secondary.group, self.secondary.private, answer.secondary.value)
        self.agree(secondary, primary)

    def _verify(self, proof: Proof) -> None:
        bundle, given = proof.bundle, proof.signature
        if bundle is None or given is None:
            raise Refused("BODY2B", "nameless")
        check_bundle(bundle)
        require(not any(self.inputs.target) or uuid_of(bundle) == self.inputs.target, "bundle", "not the target")
        signed, _, confirm = self.prove("R", bundle, proof.ext, lambda th: given, proof.delegation)
        require(hmac.compare_digest(confirm, proof.confirm), "ConfR")
        self.peer_key = self.key_of(bundle, proof.delegation)
        verify(self.peer_key, "responder signature", signed, given, "SigR")
        require(bundle != self.own.identity.bundle, "bundle", "this is me")
        self.peer_bundle = bundle

    def _fin(self) -> bytes:
        named = not self.inputs.anonymous
        bundle, ext = self.own.identity.bundle if named else None, tlv(0x0B, bytes((self.inputs.role,)))
        delegation = self.own.delegation if named else b""
        sign = self.own.sign
        _, signature, confirm = self.prove("I", bundle, ext, lambda th: sign("initiator signature", th), delegation)
        body = Proof(bundle, ext, signature, confirm, self.inputs.session, delegation).encode()
        needed = 32 + len(body) + crypto.TAG_OCTETS
        body += pad_to(total_octets(needed, 11_264 + self.own.luck.number()), needed)
        box = self.ledger.seal("header FIN", "hi", 0, b"", Header(FIN, 0, len(body)).encode())
        fin = box + self.ledger.seal("body FIN", "hi", 1, box, body)
        self.finish(self.inputs.session)
        return fin
