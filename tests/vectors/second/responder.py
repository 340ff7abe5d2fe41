"""The side that listens: INIT as octets gives RESP, RETRY or REFUSE; FIN gives the session (handshake.md).

Not for states, times, budgets and the window of salts.
"""
from __future__ import annotations

import hmac

from . import crypto, exchange, schedule
from .flights import (
    FIN,
    FLIGHT_OCTETS_MAX,
    INIT,
    MINUTE_MS,
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
    refuse_body,
    total_octets,
)
from .identity import check_bundle, uuid_of, verify
from .octets import Refused, require
from .side import Side
from .vector import Inputs

ANSWER_OCTETS = 12_288
NO_COMMON_SUITE, OTHER_VERSION = 1, 2


class Responder(Side):
    """R, from its injected identity, draws and keys."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs, inputs.responder)
        self.allowed = inputs.lists("allowed_by_responder")
        self.uuid = uuid_of(self.own.identity.bundle)
        self.wanted: Select | None = None
        self.first: Init | None = None
        self.puzzle = None if inputs.puzzle is None else Puzzle(*inputs.puzzle)

    def called(self, wire: bytes) -> bytes:
        """An INIT: gives RESP, RETRY or REFUSE."""
        header = self._open_header(wire)
        self._check_header(header)
        body = self.open_salted("o1", "INIT", wire, header)
        if header.version != 1:
            require(self.first is None, "header INIT", "another version in the second INIT")
            return self._refuse(OTHER_VERSION)
        init = Init.decode(body)
        if self.first is not None:
            return self._second(init, self.first)
        require(init.solution is None, "BODY1", "a solution of no puzzle")
        if 1 not in init.versions:
            return self._refuse(OTHER_VERSION)
        select = self._choose(init)
        if select is None:
            return self._refuse(NO_COMMON_SUITE)
        if self.puzzle or (select.primary, select.secondary) != (init.primary.group, init.secondary.group):
            return self._retry(select, init)
        return self._respond(init, select)

    def _open_header(self, wire: bytes) -> Header:
        """The keys in the order of section 2 (a vector has no previous UUID or secret)."""
        require(len(wire) >= 64, "header INIT", "too few octets")
        targets = [self.parts["target"]] if self.first else [self.uuid, bytes(16)]
        for target in targets:
            o1 = crypto.keys(crypto.extract(wire[:32], schedule.target_root(self.prk0, target)), "o1")
            try:
                plain = crypto.unseal(o1, 0, wire[:32], wire[32:64], crypto.AES_256_GCM, "header INIT")
            except Refused:
                continue
            header = Header.decode(plain, INIT)
            require(header.flags == int(any(target)), "header", "flag and target do not agree")
            self.use_target(target)
            return self._fresh_salt(wire[:32], header)
        raise Refused("header INIT", "opens under no key")

    def _fresh_salt(self, salt: bytes, header: Header) -> Header:
        require(self.parts.get("saltI") != salt, "salt", "not fresh")
        self.use_init_salt(salt)
        return header

    def _check_header(self, header: Header) -> None:
        late = self.inputs.wall_ms - header.a
        require(header.a % MINUTE_MS == 0 and -360_000 <= late <= 26 * 3_600_000, "header", "clock")
        require(64 + header.body_octets + 16 <= FLIGHT_OCTETS_MAX, "header", "too long")

    def _choose(self, init: Init) -> Select | None:
        """The first id of I's in each list that R allows."""
        lists = zip((init.primaries, init.secondaries, init.aeads), self.allowed, strict=True)
        chosen = [next((i for i in offered if i in allowed), None) for offered, allowed in lists]
        primary, secondary, aead = chosen
        return None if primary is None or secondary is None or aead is None else Select(primary, secondary, aead)

    def _refuse(self, code: int) -> bytes:
        total = total_octets(92, ANSWER_OCTETS + self.own.luck.number())
        body = refuse_body(code, self.inputs.wall_ms // 1000, total - 80)
        return self._answer("answer", REFUSE, self.own.luck.octets(32), body)

    def _retry(self, select: Select, init: Init) -> bytes:
        body = Retry(select, self.puzzle).encode()
        needed = 80 + len(body)
        body += pad_to(total_octets(needed, ANSWER_OCTETS + self.own.luck.number()), needed)
        answer = self._answer("RETRY", RETRY, self.own.luck.octets(32), body)
        self.becomes_first()
        self.wanted, self.first = select, init
        return answer

    def _answer(self, name: str, kind: int, salt: bytes, body: bytes) -> bytes:
        self.use_answer_salt(salt)
        return self.seal_salted("o2", name, salt, Header(kind, 0, len(body)), body)

    def _second(self, init: Init, first: Init) -> bytes:
        same = [(i.primaries, i.secondaries, i.aeads, i.versions) for i in (init, first)]
        require(same[0] == same[1], "BODY1", "not the lists of the first INIT")
        select = self.wanted
        if select is None or (select.primary, select.secondary) != (init.primary.group, init.secondary.group):
            raise Refused("BODY1", "not the wanted groups")
        require((init.solution is None) == (self.puzzle is None), "BODY1", "a solution of no puzzle, or none of one")
        if self.puzzle is not None and init.solution is not None:
            hashes = self.puzzle.hashes(self.parts["saltI"], init.solution)
            require(self.puzzle.solved_by(self.ledger.note("puzzle hashes", hashes)), "solution")
        return self._respond(init, select)

    def _respond(self, init: Init, select: Select) -> bytes:
        for share, sizes in ((init.primary, crypto.SHARE_OCTETS), (init.secondary, crypto.KEM_KEY_OCTETS)):
            require(len(share.value) == sizes[share.group], "share", "length")
        pair = exchange.primary_pair(self.own.keys, select.primary)
        primary = crypto.agree(pair.group, pair.private, init.primary.value)
        ciphertext, secondary = exchange.encapsulate(self.own.keys, select.secondary, init.secondary.value)
        answer = Answer(Share(pair.group, pair.public), Share(select.secondary, ciphertext), select).encode()
        salt, total = self.own.luck.octets(32), ANSWER_OCTETS + self.own.luck.number()
        self.groups, self.aead = (select.primary, select.secondary), select.aead
        return self._seal_answer(answer, salt, total, (secondary, primary))

    def _seal_answer(self, answer: bytes, salt: bytes, drawn: int, secrets: tuple[bytes, bytes]) -> bytes:
        """RESP. The header tells BODY2B's length and is signed by it, so the length must be known before."""
        own, delegation = self.own.identity, self.own.delegation
        known = Proof(own.bundle, b"", bytes(own.signature_octets), bytes(64), delegation=delegation).encode()
        needed = 80 + len(answer) + len(known) + crypto.TAG_OCTETS
        pad = pad_to(total_octets(needed, drawn), needed)
        self.use_answer_salt(salt)
        front = self.seal_salted("o2", "answer", salt, Header(RESP, len(known) + len(pad), len(answer)), answer)
        self.agree(*secrets)
        sign = self.own.sign
        _, signature, confirm = self.prove("R", own.bundle, b"", lambda th: sign("responder signature", th), delegation)
        body = Proof(own.bundle, b"", signature, confirm, delegation=delegation).encode() + pad
        return front + self.ledger.seal("body 2B", "hr", 1, front[32:64], body)

    def proved(self, wire: bytes) -> None:
        """FIN: gives the session."""
        require(len(wire) >= 32, "header FIN", "too few octets")
        header = Header.decode(self.ledger.unseal("header FIN", "hi", 0, b"", wire[:32]), FIN)
        require(32 + header.body_octets + 16 <= FLIGHT_OCTETS_MAX, "header FIN", "too long")
        require(len(wire) == 32 + header.body_octets + 16, "body FIN", "length")
        proof = Proof.decode_i(self.ledger.unseal("body FIN", "hi", 1, wire[:32], wire[32:]))
        if proof.bundle is not None:
            check_bundle(proof.bundle)
        signed, _, confirm = self.prove("I", proof.bundle, proof.ext, lambda th: proof.signature or b"",
                                        proof.delegation)
        require(hmac.compare_digest(confirm, proof.confirm), "ConfI")
        if proof.bundle is not None:
            self.peer_key = self.key_of(proof.bundle, proof.delegation)
            verify(self.peer_key, "initiator signature", signed, proof.signature or b"", "SigI")
            require(proof.bundle != self.own.identity.bundle, "bundle", "this is me")
        self.peer_bundle = proof.bundle
        self.finish(proof.session or b"")
