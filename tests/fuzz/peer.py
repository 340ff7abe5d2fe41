"""The other side of a fuzzed handshake: seals and opens with the right keys whatever a script wants it to say.

It knows what a dialler and a listener know and has identities of its own. ``a`` of a step shapes a message (``Shape``),
``b`` changes one byte of its plaintext, ``data`` stands in its place or behind it. Not for: what must hold
(``handshake.py``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quantumgate.core import schedule
from quantumgate.core.handshake.settings import Candidate, HandshakeSettings, candidate
from quantumgate.core.puzzle import Search
from quantumgate.core.records import RecordOpener, RecordSealer
from quantumgate.core.schedule import HandshakeKeys
from quantumgate.core.transcript import Transcript
from quantumgate.crypto import labels
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.kdf import hmac_sha512
from quantumgate.errors import MalformedError, RemoteProtocolError
from quantumgate.wire.limits import RECORD_OVERHEAD_BYTES
from quantumgate.wire.messages import (
    Exchange,
    Fin,
    Header,
    Init,
    KeyShare,
    Lists,
    MessageType,
    Proof,
    Puzzle,
    Refuse,
    Retry,
    Select,
    role_tlv,
)
from quantumgate.wire.session_tlvs import SessionBlock
from tests.fuzz.known_keys import encapsulated, known_primary, known_secondary
from tests.fuzz.script import Step

START, WALL_OFFSET_SECONDS = 1000.0, 1_700_000_000.0
NOW_MS = int((START + WALL_OFFSET_SECONDS) * 1000)
MINUTE_MS = 60_000
A_MS = NOW_MS - NOW_MS % MINUTE_MS
TIMES_MS = (A_MS, A_MS - 100_000_000, A_MS + 10 * MINUTE_MS, A_MS + 1)
PRIMARY_GROUPS, SECONDARY_GROUPS = (1, 2, 3, 9), (1, 2, 16, 32)
FULL, SHORT = Lists((1, 2, 3), (1, 2), (1, 2)), Lists((3, 7), (2, 16), (2,))
VERSIONS: tuple[tuple[int, ...], ...] = ((1,), (2, 1), (2,), (1, 2, 3))
OURS, ANOTHER = Identity.generate(1), Identity.generate(1)
SESSION_BYTES = SessionBlock().encode()
EXTRA = 1 << 16
"""``data`` is put behind what belongs there, not in its place."""


class Unreadable(Exception):
    """What came from the fuzzed side does not open or does not parse."""


def bit(number: int, at: int) -> bool:
    return bool(number >> at & 1)


def two(number: int, at: int) -> int:
    return number >> at & 3


def spoilt(body: bytes, place: int) -> bytes:
    """One byte changed at ``place`` - 1; 0 leaves it as it is."""
    if not place or not body:
        return body
    changed = bytearray(body)
    changed[(place - 1) % len(changed)] ^= 1 << (place - 1) // len(changed) % 8
    return bytes(changed)


def fork(th: Transcript) -> Transcript:
    other = Transcript()
    other._hash = th._hash.copy()
    return other


class Peer:
    """``initiator``: the role of this peer. ``identity`` replaces its own."""

    def __init__(self, theirs: HandshakeSettings, identity: Identity | None, *, initiator: bool) -> None:
        self.identity = identity or OURS
        self.initiator, self.theirs = initiator, theirs
        self.salts = self.accepted_inits = 0
        self.salt = self.header = self.body = b""
        self.init_seen: tuple[bytes, bytes, bytes, Init] | None = None
        self.first: tuple[bytes, ...] = ()
        self.select: Select | None = None
        self.puzzle: Puzzle | None = None
        self.lists, self.versions = FULL, VERSIONS[0]
        self.candidate: Candidate = self._candidate_of_theirs(0)
        self.keys: HandshakeKeys | None = None
        self.th = Transcript()
        self.sealer: RecordSealer | None = None
        self.opener: RecordOpener | None = None
        self.suite_aead = 1

    def _candidate_of_theirs(self, number: int) -> Candidate:
        """Of a listener: one of those it takes, or of somebody else; of a dialler: the one it dials under."""
        if self.initiator:
            every = self.theirs.candidates
            return every[number % 5] if number % 5 < len(every) else candidate(b"elsewhere", None, bytes(16))
        return self.theirs.dial_candidate(self.identity.public.uuid)

    @property
    def opened_something(self) -> bool:
        return self.accepted_inits > 0

    def _salt(self) -> bytes:
        self.salts += 1
        return (b"i" if self.initiator else b"r") + self.salts.to_bytes(4, "big") + bytes(27)

    @staticmethod
    def _content(body: bytes, step: Step) -> bytes:
        """What is sent in place of ``body``."""
        if step.data:
            body = body + step.data if step.a & EXTRA else step.data
        return spoilt(body, step.b)

    # -- as a dialler --------------------------------------------------------------------------------------------

    def init(self, step: Step, wrong: Any) -> bytes:
        a = step.a
        if not (self.select and not bit(a, 15)):
            self.candidate = self._candidate_of_theirs(a & 7)
            self.lists = self._lists(a)
            self.versions = VERSIONS[two(a, 13)]
        primary, secondary = PRIMARY_GROUPS[two(a, 3)], SECONDARY_GROUPS[two(a, 5)]
        if self.select and not bit(a, 15):
            primary, secondary = self.select.primary, self.select.secondary
        share = known_primary(primary, "peer").share if primary < 9 else bytes(32)
        public = known_secondary(secondary, "peer").public
        if not bit(a, 17) or not self.salt:
            self.salt = self._salt()
        solution = self._solution(a)
        token = bytes(48) if not bit(a, 20) else b"\1" * 48
        init = Init(self.lists, KeyShare(primary, share), KeyShare(secondary, public), token, self.versions, solution)
        self.body = self._content(init.encode(two(a, 18) * 100), step)
        addressed = self.candidate.addressed != bit(a, 9)
        version = 2 if bit(a, 12) else 1
        header = Header(MessageType.INIT, len(self.body), TIMES_MS[two(a, 10)], int(addressed), version)
        self.header = self._header(header, wrong)
        allowed = self.candidate.addressed or self.theirs.allow_unaddressed
        self.accepted_inits += allowed and self.candidate in self.theirs.candidates
        key = schedule.first_flight_key(self.candidate.obf, self.salt)
        return self.salt + self._pair(key, self.salt, self.header, self.body)

    def _solution(self, a: int) -> bytes:
        """Where there is a puzzle it is solved, but for bit 21; with bit 22 there is a wrong one in any case."""
        if bit(a, 22):
            return bytes(128)
        if self.puzzle is None or bit(a, 21):
            return b""
        return Search(self.puzzle, self.salt).go_on(100_000) or bytes(128)

    @staticmethod
    def _lists(a: int) -> Lists:
        lists = SHORT if bit(a, 8) else FULL
        if bit(a, 7):
            lists = Lists(lists.primaries[::-1], lists.secondaries[::-1], lists.aeads[::-1])
        return lists

    @staticmethod
    def _header(header: Header, wrong: Any) -> bytes:
        plain = bytearray(header.encode())
        plain[wrong.header_at] ^= wrong.header_xor
        return bytes(plain)

    @staticmethod
    def _pair(key: Any, salt: bytes, header: bytes, body: bytes) -> bytes:
        box: bytes = key.seal(0, header, salt)
        sealed: bytes = key.seal(1, body, box)
        return box + sealed

    def fin(self, step: Step, wrong: Any) -> bytes | None:
        """A FIN once there was a RESP. With bit 6 ``data`` is the SESSION, with EXTRA more TLVs behind ROLE."""
        if self.keys is None or not self.initiator:
            return None
        a, th = step.a, fork(self.th)
        session = step.data if bit(a, 6) else SESSION_BYTES
        who = (self.identity, self.theirs.identity, ANOTHER, self.identity)[two(a, 3)]
        fin = self._fin(th, who, 1 + two(a, 1), session, a)
        body = fin.encode(two(a, 18) * 50 - 1)
        body = spoilt(body, step.b) if bit(a, 6) else self._content(body, step)
        if self.sealer is None:
            self._session(th, body)
        header = self._header(Header(MessageType.FIN, len(body)), wrong)
        return self._pair(self.keys.hi, b"", header, body)

    def _fin(self, th: Transcript, who: Identity, role: int, session: bytes, a: int) -> Fin:
        keys = self.keys
        bundle = signature = b""
        if bit(a, 0):
            th.add(labels.TAG_ANONYMOUS, b"")
        else:
            bundle = who.public.bundle
            th.add(labels.TAG_IDENTITY, bundle)
        th.add(labels.TAG_OTHERS, role_tlv(role))
        if not bit(a, 0):
            signature = spoilt(who.sign(labels.SIGN_INITIATOR, th.digest()), int(bit(a, 5)))
            th.add(labels.TAG_SIGNATURE, signature)
        confirm = spoilt(hmac_sha512(keys.fin_i, th.digest()) if keys else b"", int(bit(a, 7)))
        th.add(labels.TAG_CONFIRM, confirm)
        return Fin(role, bundle, signature, confirm, session)

    def _session(self, th: Transcript, body: bytes) -> None:
        """Record keys, from whatever SESSION the body has."""
        try:
            session = Fin.parse(body).session
        except RemoteProtocolError:
            return
        if self.keys is not None:
            th.add(labels.TAG_SESSION, session)
            root = schedule.session_secrets(self.keys.prk1, th.digest()).root
            i2r, r2i = schedule.record_keys(root, self.suite_aead)
            self.sealer, self.opener = RecordSealer(i2r), RecordOpener(r2i)

    # -- as a listener -------------------------------------------------------------------------------------------

    def resp(self, step: Step, wrong: Any) -> bytes | None:
        """A RESP to the last INIT. ``wrong.proof`` is the step that says what BODY2B is."""
        if self.init_seen is None or self.initiator:
            return None
        a, (salt_i, header_i, body_i, init) = step.a, self.init_seen
        primary_group = init.primary.group if not two(a, 0) else PRIMARY_GROUPS[two(a, 0)]
        secondary_group = init.secondary.group if not two(a, 2) else SECONDARY_GROUPS[two(a, 2)]
        ours = known_primary(init.primary.group, "peer")
        ciphertext, ss_secondary = encapsulated(init.secondary.group, init.secondary.data)
        aead = self.select.aead if self.select and not bit(a, 4) else 2 if bit(a, 4) else 1
        select = Select(primary_group, secondary_group, aead, 2 if bit(a, 5) else 1)
        exchange = Exchange(KeyShare(primary_group, ours.share), KeyShare(secondary_group, ciphertext), select)
        if bit(a, 10):
            exchange = replace(exchange, select=Select(3, 2, 1))
        body_a = self._content(exchange.encode(), step)
        ours_proof, salt = wrong.proof or Step(0), salt_i if bit(a, 11) else self._salt()
        body_b_bytes = len(self._content(Proof(self._who(a).public.bundle, bytes(64), bytes(64)).encode(9), ours_proof))
        header = self._header(Header(MessageType.RESP, len(body_a), body_b_bytes), wrong)
        th = Transcript()
        if self.first:
            th.add_all(labels.TAGS_RETRY, self.first)
        th.add(labels.TAG_TARGET, self.candidate.target)
        th.add_all(labels.TAGS_INIT, (salt_i, header_i, body_i))
        th.add_all(labels.TAGS_RESPONSE, (salt, header, body_a))
        ss_primary = ours.exchange(init.primary.data)
        keys = schedule.handshake_keys(self.candidate.ke_salt, ss_secondary, ss_primary, th.digest())
        body_b = self._content(self._proof(th, keys, a).encode(9), ours_proof)
        pair = self._pair(schedule.answer_key(self.candidate.obf, salt_i, salt), salt, header, body_a)
        if self.opener is None:
            self.keys, self.th, self.suite_aead = keys, th, aead
        return salt + pair + keys.hr.seal(1, body_b, pair[:32])

    def _who(self, a: int) -> Identity:
        return (self.identity, self.theirs.identity, ANOTHER, self.identity)[two(a, 8)]

    def _proof(self, th: Transcript, keys: HandshakeKeys, a: int) -> Proof:
        who = self._who(a)
        th.add(labels.TAG_IDENTITY, who.public.bundle)
        th.add(labels.TAG_OTHERS, b"")
        signature = spoilt(who.sign(labels.SIGN_RESPONDER, th.digest()), int(bit(a, 7)))
        th.add(labels.TAG_SIGNATURE, signature)
        confirm = spoilt(hmac_sha512(keys.fin_r, th.digest()), int(bit(a, 6)))
        th.add(labels.TAG_CONFIRM, confirm)
        return Proof(who.public.bundle, signature, confirm)

    def retry(self, step: Step, wrong: Any) -> bytes | None:
        a = step.a
        groups = PRIMARY_GROUPS[two(a, 0)], SECONDARY_GROUPS[two(a, 2)]
        select = Select(*groups, 2 if bit(a, 4) else 1, 2 if bit(a, 5) else 1)
        puzzle = Puzzle(bytes(range(32)), (1, 4, 16, 200)[two(a, 8)]) if bit(a, 7) else None
        body = self._content(Retry(select, puzzle).encode(100), step)
        sent = self._plainly(MessageType.RETRY, body, wrong)
        if sent is None or self.init_seen is None:
            return None
        salt, header, box = sent
        if not self.first:
            self.first, self.select = (*self.init_seen[:3], salt, header, body), select
        return salt + box

    def refuse(self, step: Step, wrong: Any) -> bytes | None:
        body = self._content(Refuse(step.a % 20, step.a >> 5 & 0xFFFF, 1_700_000_000).encode(200), step)
        sent = self._plainly(MessageType.REFUSE, body, wrong)
        return sent[0] + sent[2] if sent else None

    def _plainly(self, kind: MessageType, body: bytes, wrong: Any) -> tuple[bytes, bytes, bytes] | None:
        if self.init_seen is None or self.initiator:
            return None
        salt, header = self._salt(), self._header(Header(kind, len(body)), wrong)
        key = schedule.answer_key(self.candidate.obf, self.init_seen[0], salt)
        return salt, header, self._pair(key, salt, header, body)

    # -- what comes back -----------------------------------------------------------------------------------------

    def read(self, data: bytes) -> None:
        """A message or a record of the fuzzed side. Raises Unreadable."""
        try:
            if self.opener is not None:
                self._read_record(data)
            elif self.initiator:
                self._read_answer(data)
            elif self.keys is None:
                self._read_init(data)
            else:
                self._read_fin(data)
        except RemoteProtocolError as error:
            raise Unreadable(str(error)) from error

    def _read_record(self, data: bytes) -> None:
        view = memoryview(bytearray(data))
        opener = self.opener
        if opener is not None and opener.body_bytes(view[:20], 1 << 20) + RECORD_OVERHEAD_BYTES != len(data):
            raise MalformedError("not one record")
        if opener is not None:
            opener.open_body(view[:20], view[20:])

    def _read_answer(self, data: bytes) -> None:
        salt, box = data[:32], data[32:64]
        key = schedule.answer_key(self.candidate.obf, self.salt, salt)
        plain = key.open(0, box, salt)
        header = Header.parse(plain)
        cut = 64 + header.body_bytes + 16
        body = key.open(1, data[64:cut], box)
        if header.type == MessageType.REFUSE:
            Refuse.parse(body)
        elif header.type == MessageType.RETRY:
            self.first = (self.salt, self.header, self.body, salt, plain, body)
            retry = Retry.parse(body)
            self.select, self.puzzle = retry.select, retry.puzzle
        else:
            self._read_resp(salt, plain, body, box, data[cut:])

    def _read_resp(self, salt: bytes, header: bytes, body: bytes, box: bytes, sealed_proof: bytes) -> None:
        exchange = Exchange.parse(body)
        th = self.th
        if self.first:
            th.add_all(labels.TAGS_RETRY, self.first)
        th.add(labels.TAG_TARGET, self.candidate.target)
        th.add_all(labels.TAGS_INIT, (self.salt, self.header, self.body))
        th.add_all(labels.TAGS_RESPONSE, (salt, header, body))
        if self._sent_shares_of_its_own():
            return
        ss_primary = known_primary(exchange.primary.group, "peer").exchange(exchange.primary.data)
        ss_secondary = known_secondary(exchange.secondary.group, "peer").decapsulate(exchange.secondary.data)
        keys = schedule.handshake_keys(self.candidate.ke_salt, ss_secondary, ss_primary, th.digest())
        proof = Proof.parse(keys.hr.open(1, sealed_proof, box))
        self.keys, self.suite_aead = keys, exchange.select.aead
        th.add(labels.TAG_IDENTITY, proof.bundle)
        th.add(labels.TAG_OTHERS, proof.ext)
        th.add(labels.TAG_SIGNATURE, proof.signature)
        th.add(labels.TAG_CONFIRM, proof.confirm)

    def _sent_shares_of_its_own(self) -> bool:
        """Whether the script changed the shares of the INIT: then nobody knows the secrets."""
        init = Init.parse(self.body)
        known = known_primary(init.primary.group, "peer").share, known_secondary(init.secondary.group, "peer").public
        return (init.primary.data, init.secondary.data) != known

    def _read_init(self, data: bytes) -> None:
        salt, box = data[:32], data[32:64]
        for target in (self.identity.public.uuid, None):
            self.candidate = self.theirs.dial_candidate(target)
            key = schedule.first_flight_key(self.candidate.obf, salt)
            try:
                header = key.open(0, box, salt)
            except RemoteProtocolError:
                continue
            body = key.open(1, data[64:], box)
            self.init_seen = salt, header, body, Init.parse(body)
            return
        raise Unreadable("an INIT under no key")

    def _read_fin(self, data: bytes) -> None:
        keys, th = self.keys, self.th
        if keys is None:
            return
        fin = Fin.parse(keys.hi.open(1, data[32:], data[:32]))
        if fin.anonymous:
            th.add(labels.TAG_ANONYMOUS, b"")
        else:
            th.add(labels.TAG_IDENTITY, fin.bundle)
        th.add(labels.TAG_OTHERS, fin.ext)
        if not fin.anonymous:
            th.add(labels.TAG_SIGNATURE, fin.signature)
        th.add(labels.TAG_CONFIRM, fin.confirm)
        th.add(labels.TAG_SESSION, fin.session)
        root = schedule.session_secrets(keys.prk1, th.digest()).root
        i2r, r2i = schedule.record_keys(root, self.suite_aead)
        self.sealer, self.opener = RecordSealer(r2i), RecordOpener(i2r)

    # -- behind the handshake ------------------------------------------------------------------------------------

    def record(self, body: bytes) -> bytes:
        """Sealed under the first keys; nothing while there are none."""
        if self.sealer is None or not body:
            return b""
        body = body[:16_000]
        sealed = bytearray(len(body) + RECORD_OVERHEAD_BYTES)
        sealed[20 : 20 + len(body)] = body
        self.sealer.seal(memoryview(sealed), len(body))
        return bytes(sealed)
