"""Somebody who hears both sides and was given keys, and no private key, shared secret or randomness.

It opens every box, knows the transcript, and can verify signatures; CONFIRM it cannot.
"""
from __future__ import annotations

from .crypto import TAG_OCTETS, Keys
from .flights import FIN, INIT, REFUSE, RESP, RETRY, Answer, Header, Init, Proof, Retry, read_refuse
from .identity import check_bundle, read_delegation, verify
from .octets import Refused, require
from .schedule import Ledger, Transcript


class Observer:
    """Reads one handshake, flight by flight. `ledger` notes the boxes; the rest is what was said."""

    def __init__(self, target: bytes, keys: dict[str, Keys]) -> None:
        self.target = target
        self.ledger = Ledger()
        self.ledger.keys.update(keys)
        self.transcript = Transcript()
        self.again = " first" if "o1 first" in keys else ""
        self.signed: dict[str, bytes] = {}
        self.init: Init
        self.answer: Answer
        self.session = b""
        self.refused: tuple[int, int, int] | None = None
        self.bundles: dict[str, bytes | None] = {}

    def read(self, flights_seen: list[bytes]) -> None:
        """The flights of a vector in order."""
        turns = iter(flights_seen)
        if self.again:
            self._first(next(turns), next(turns))
            self.again = ""
        up, down = next(turns), next(turns)
        init = self._salted("o1", "INIT", up, INIT)
        self.init = Init.decode(init[1])
        header, body, end = self._salted("o2", "answer", down, RESP, REFUSE)
        if Header.decode(header, RESP, REFUSE).kind == REFUSE:
            self.refused = read_refuse(body)
            return
        self.answer = Answer.decode(body)
        parts = (self.target, up[:32], *init[:2], down[:32], header, body)
        for tag, value in zip(("target", "saltI", "h1", "b1", "saltR", "h2", "b2"), parts, strict=True):
            self.transcript.add(tag, value)
        self._proof("R", Proof.decode_r(self.ledger.unseal("body 2B", "hr", 1, down[32:64], down[end:])))
        self._fin(next(turns))
        require(next(turns, None) is None, "flights", "one too many")

    def _first(self, up: bytes, down: bytes) -> None:
        init = self._salted("o1", "INIT", up, INIT)
        retry = self._salted("o2", "RETRY", down, RETRY)
        Retry.decode(retry[1])
        parts = (up[:32], *init[:2], down[:32], *retry[:2])
        for tag, value in zip(("s0", "h0", "b0", "sr0", "hr0", "br0"), parts, strict=True):
            self.transcript.add(tag, value)

    def _salted(self, keys: str, name: str, wire: bytes, *kinds: int) -> tuple[bytes, bytes, int]:
        """Header, body, and where the body's box ends."""
        behind = "" if name == "RETRY" else self.again
        plain = self.ledger.unseal(f"header {name}{behind}", keys + self.again, 0, wire[:32], wire[32:64])
        header = Header.decode(plain, *kinds)
        end = 64 + header.body_octets + TAG_OCTETS
        tail = header.a + TAG_OCTETS if header.kind == RESP else 0
        require(len(wire) == end + tail, name, "length")
        return plain, self.ledger.unseal(f"body {name}{behind}", keys + self.again, 1, wire[32:64], wire[64:end]), end

    def _fin(self, wire: bytes) -> None:
        header = Header.decode(self.ledger.unseal("header FIN", "hi", 0, b"", wire[:32]), FIN)
        require(len(wire) == 32 + header.body_octets + TAG_OCTETS, "FIN", "length")
        proof = Proof.decode_i(self.ledger.unseal("body FIN", "hi", 1, wire[:32], wire[32:]))
        self._proof("I", proof)
        self.session = proof.session or b""
        self.transcript.add("session", self.session)

    def _proof(self, who: str, proof: Proof) -> None:
        self.bundles[who] = proof.bundle
        self.transcript.add("anon" if proof.bundle is None else "id", proof.bundle or b"")
        if proof.delegation:
            self.transcript.add("deleg", proof.delegation)
        self.transcript.add("ext", proof.ext)
        if proof.bundle is not None:
            if proof.signature is None:
                raise Refused(f"Sig{who}", "missing")
            check_bundle(proof.bundle)
            self.signed[who] = self.transcript.digest()
            name = "responder signature" if who == "R" else "initiator signature"
            key = read_delegation(proof.delegation).online if proof.delegation else proof.bundle
            verify(key, name, self.signed[who], proof.signature, f"Sig{who}")
            self.transcript.add("sig", proof.signature)
        self.transcript.add("mac", proof.confirm)
