"""Somebody who knows what a dialler knows (UUID, network, shared secret) and keeps to no rule.

``Dialler`` and ``Listener`` spell each message by hand from parts that a test replaces one at a time, so that what
reaches the victim is properly sealed and wrong in exactly one place. Not for: honest peers (``duel.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from quantumgate.core import schedule
from quantumgate.core.handshake.settings import Candidate, HandshakeSettings
from quantumgate.core.schedule import HandshakeKeys
from quantumgate.core.transcript import Transcript
from quantumgate.crypto import agreement, kem, labels
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.kdf import hmac_sha512
from quantumgate.wire.messages import (
    Exchange,
    Fin,
    Header,
    Init,
    KeyShare,
    Lists,
    MessageType,
    Proof,
    Select,
    role_tlv,
)
from tests.core.handshake.duel import START, WALL_OFFSET_SECONDS, SeededRandom, settings

NOW_MS = int((START + WALL_OFFSET_SECONDS) * 1000)
MINUTE_MS = 60_000
A_MS = NOW_MS - NOW_MS % MINUTE_MS
SALT_I = b"mallory's salt as an initiator.."
SALT_R = b"mallory's salt as a responder..."
LISTS = Lists((1, 2, 3), (1, 2), (1, 2))


def seal(key: Any, salt: bytes, header: bytes, body: bytes) -> bytes:
    """A header box and a body box."""
    box: bytes = key.seal(0, header, salt)
    return box + key.seal(1, body, box)


def candidate_for(victim: HandshakeSettings) -> Candidate:
    """What opens first flights to the victim."""
    return victim.candidates[0]


@dataclass
class Opened:
    """The plaintext of an INIT."""

    salt: bytes
    header: bytes
    body: bytes
    init: Init


def open_init(candidate: Candidate, data: bytes) -> Opened:
    """Read somebody's INIT, as anyone can who knows its target."""
    salt, box = data[:32], data[32:64]
    key = schedule.first_flight_key(candidate.obf, salt)
    body = key.open(1, data[64:], box)
    return Opened(salt, key.open(0, box, salt), body, Init.parse(body))


def seal_init(candidate: Candidate, salt: bytes, header: bytes, body: bytes) -> bytes:
    """An INIT from its plaintext."""
    return salt + seal(schedule.first_flight_key(candidate.obf, salt), salt, header, body)


class Dialler:
    """An initiator by hand. ``init``, then ``read``, then ``fin``."""

    def __init__(self, victim: HandshakeSettings, salt: bytes = SALT_I, seed: int = 0) -> None:
        self.candidate = candidate_for(victim)
        self.salt = salt
        self.primary = agreement.primary(1).generate(SeededRandom(("mallory", seed)))
        self.secondary = kem.kem(1).generate()
        self.offer = Init(LISTS, KeyShare(1, self.primary.share), KeyShare(1, self.secondary.public), bytes(48))
        self.header = self.body = b""
        self.keys: HandshakeKeys | None = None
        self.transcript = Transcript()
        self.proof: Proof | None = None

    def init(self, *, body: bytes | None = None, header: dict[str, Any] | None = None, **offer: Any) -> bytes:
        """An INIT; ``offer`` replaces fields of it, ``header`` fields of the header."""
        self.body = replace(self.offer, **offer).encode(100) if body is None else body
        plain = Header(MessageType.INIT, len(self.body), A_MS, 1)
        self.header = replace(plain, **(header or {})).encode()
        return seal_init(self.candidate, self.salt, self.header, self.body)

    def read(self, data: bytes) -> Proof:
        """R's RESP: keys, and what R says of itself."""
        salt, box = data[:32], data[32:64]
        key = schedule.answer_key(self.candidate.obf, self.salt, salt)
        plain = key.open(0, box, salt)
        header = Header.parse(plain)
        cut = 64 + header.body_bytes + 16
        body = key.open(1, data[64:cut], box)
        exchange = Exchange.parse(body)
        th = self.transcript
        th.add(labels.TAG_TARGET, self.candidate.target)
        th.add_all(labels.TAGS_INIT, (self.salt, self.header, self.body))
        th.add_all(labels.TAGS_RESPONSE, (salt, plain, body))
        ss_primary = self.primary.exchange(exchange.primary.data)
        ss_secondary = self.secondary.decapsulate(exchange.secondary.data)
        self.keys = schedule.handshake_keys(self.candidate.ke_salt, ss_secondary, ss_primary, th.digest())
        self.proof = proof = Proof.parse(self.keys.hr.open(1, data[cut:], box))
        th.add(labels.TAG_IDENTITY, proof.bundle)
        th.add(labels.TAG_OTHERS, proof.ext)
        th.add(labels.TAG_SIGNATURE, proof.signature)
        th.add(labels.TAG_CONFIRM, proof.confirm)
        return proof

    def fin(
        self,
        who: Identity,
        *,
        bundle: bytes | None = None,
        signature: bytes | None = None,
        confirm: bytes | None = None,
        role: int = 1,
        header: dict[str, Any] | None = None,
        raw_body: bytes | None = None,
    ) -> bytes:
        """A FIN by ``who``, wrong where a test says so; the confirmation fits what is sent."""
        keys, th = self.keys, self.transcript
        assert keys is not None
        bundle = who.public.bundle if bundle is None else bundle
        th.add(labels.TAG_IDENTITY, bundle)
        th.add(labels.TAG_OTHERS, role_tlv(role))
        signature = who.sign(labels.SIGN_INITIATOR, th.digest()) if signature is None else signature
        th.add(labels.TAG_SIGNATURE, signature)
        confirm = hmac_sha512(keys.fin_i, th.digest()) if confirm is None else confirm
        body = Fin(role, bundle, signature, confirm, b"").encode(0) if raw_body is None else raw_body
        plain = replace(Header(MessageType.FIN, len(body)), **(header or {}))
        return seal(keys.hi, b"", plain.encode(), body)


class Listener:
    """A responder by hand, to a victim that dials ``target``. ``read``, then ``resp`` or ``plain``."""

    def __init__(self, target: HandshakeSettings) -> None:
        self.candidate = candidate_for(target)
        self.opened: Opened | None = None
        self.keys: HandshakeKeys | None = None
        self.transcript = Transcript()
        self.box = b""

    def read(self, data: bytes) -> Opened:
        """The victim's INIT."""
        self.opened = open_init(self.candidate, data)
        return self.opened

    def resp(
        self,
        who: Identity,
        *,
        bundle: bytes | None = None,
        signature: bytes | None = None,
        confirm: bytes | None = None,
        header: dict[str, Any] | None = None,
        share: bytes | None = None,
        ciphertext: bytes | None = None,
        groups: tuple[int, int] = (1, 1),
        select: Select | None = None,
        raw_a: bytes | None = None,
        raw_b: bytes | None = None,
        retried: tuple[bytes, ...] = (),
    ) -> bytes:
        """A RESP by ``who``, wrong where a test says so; the confirmation fits what is sent."""
        opened = self.opened
        assert opened is not None
        primary = agreement.primary(opened.init.primary.group).generate()
        ss_primary = primary.exchange(opened.init.primary.data)
        made, ss_secondary = kem.kem(opened.init.secondary.group).encapsulate(opened.init.secondary.data)
        exchange = Exchange(
            KeyShare(groups[0], primary.share if share is None else share),
            KeyShare(groups[1], made if ciphertext is None else ciphertext),
            select or Select(*groups, 1),
        )
        body_a = exchange.encode() if raw_a is None else raw_a
        bundle = who.public.bundle if bundle is None else bundle
        length = len(signature) if signature is not None else len(who.sign(labels.SIGN_RESPONDER, bytes(64)))
        body_b_bytes = len(Proof(bundle, bytes(length), bytes(64)).encode(0)) if raw_b is None else len(raw_b)
        plain = replace(Header(MessageType.RESP, len(body_a), body_b_bytes), **(header or {})).encode()
        th = self.transcript
        if retried:
            th.add_all(labels.TAGS_RETRY, retried)
        th.add(labels.TAG_TARGET, self.candidate.target)
        th.add_all(labels.TAGS_INIT, (opened.salt, opened.header, opened.body))
        th.add_all(labels.TAGS_RESPONSE, (SALT_R, plain, body_a))
        self.keys = keys = schedule.handshake_keys(self.candidate.ke_salt, ss_secondary, ss_primary, th.digest())
        th.add(labels.TAG_IDENTITY, bundle)
        th.add(labels.TAG_OTHERS, b"")
        signature = who.sign(labels.SIGN_RESPONDER, th.digest()) if signature is None else signature
        th.add(labels.TAG_SIGNATURE, signature)
        confirm = hmac_sha512(keys.fin_r, th.digest()) if confirm is None else confirm
        th.add(labels.TAG_CONFIRM, confirm)
        head = seal(schedule.answer_key(self.candidate.obf, opened.salt, SALT_R), SALT_R, plain, body_a)
        body_b = Proof(bundle, signature, confirm).encode(0) if raw_b is None else raw_b
        return SALT_R + head + keys.hr.seal(1, body_b, head[:32])

    def plain(self, kind: MessageType, body: bytes, salt: bytes = SALT_R, **header: Any) -> bytes:
        """A RETRY, a REFUSE or anything else under o2 alone."""
        assert self.opened is not None
        encoded = replace(Header(kind, len(body)), **header).encode()
        return salt + seal(schedule.answer_key(self.candidate.obf, self.opened.salt, salt), salt, encoded, body)

    def read_fin(self, data: bytes) -> Fin:
        """The victim's FIN."""
        assert self.keys is not None
        return Fin.parse(self.keys.hi.open(1, data[32:], data[:32]))


def mallory() -> Identity:
    """Her own identity."""
    return settings("mallory").identity
