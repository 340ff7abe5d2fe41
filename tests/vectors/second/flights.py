"""The messages of the handshake as octets: headers, bodies, sizes (handshake.md sections 3 to 9).

Not for keys: bodies come in opened and go out to be sealed.
"""
from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from .octets import PAD, Reader, read_ids, read_tlvs, require, tlv, u

INIT, RESP, FIN, RETRY, REFUSE = 1, 2, 3, 4, 5
NAMES = {INIT: "INIT", RESP: "RESP", FIN: "FIN", RETRY: "RETRY", REFUSE: "REFUSE"}
VERSION = 1
MINUTE_MS = 60_000
FLIGHT_OCTETS_MAX = 65_536
PRIMARIES, SECONDARIES, AEADS, KE_PRIMARY, KE_SECONDARY, TOKEN, ROLE, VERSIONS = 1, 2, 3, 6, 7, 0x0A, 0x0B, 0x0C
POW, PUZZLE_NUMBERS, PUZZLE_BITS_MAX = 9, 16, 16
SELECT, IDENTITY, DELEGATION, SIGNATURE, CONFIRM, ANONYMOUS, SESSION = 0x11, 0x20, 0x21, 0x22, 0x23, 0x24, 0x30
INIT_TYPES = {PRIMARIES, SECONDARIES, AEADS, KE_PRIMARY, KE_SECONDARY, TOKEN, VERSIONS}
INIT_SOLVED_TYPES = INIT_TYPES | {POW}
ANSWER_TYPES = {KE_PRIMARY, KE_SECONDARY, SELECT}
PROOF_R_TYPES = {IDENTITY, SIGNATURE, CONFIRM}
PROOF_I_TYPES = {ROLE, IDENTITY, SIGNATURE, CONFIRM, SESSION}
PROOF_NAMELESS_TYPES = {ROLE, CONFIRM, ANONYMOUS, SESSION}


@dataclass(frozen=True)
class Header:
    """The 16 octets before each body."""

    kind: int
    a: int
    body_octets: int
    flags: int = 0
    version: int = VERSION

    def encode(self) -> bytes:
        """As octets."""
        return bytes((self.kind, self.version, self.flags, 0)) + u(8, self.a) + u(4, self.body_octets)

    @classmethod
    def decode(cls, plaintext: bytes, *kinds: int) -> Header:
        """One of these kinds, with every bit as the table says; an INIT's version is judged by its receiver."""
        kind, version, flags, zero = plaintext[:4]
        a, body_octets = int.from_bytes(plaintext[4:12], "big"), int.from_bytes(plaintext[12:], "big")
        header = cls(kind, a, body_octets, flags, version)
        require(kind in kinds, "header", f"type {kind}")
        require(kind == INIT or version == VERSION, "header", f"version {version}")
        require(zero == 0 and flags <= (kind == INIT), "header", "a bit that no table gives")
        require(kind in (INIT, RESP) or header.a == 0, "header", "a is not 0")
        return header


@dataclass(frozen=True)
class Share:
    """A share, public key or ciphertext behind its group."""

    group: int
    value: bytes

    def encode(self) -> bytes:
        """As octets."""
        return u(2, self.group) + self.value

    @classmethod
    def decode(cls, value: bytes, step: str) -> Share:
        """Lengths are judged later, by group."""
        reader = Reader(value, step)
        return cls(reader.u(2), reader.rest())


@dataclass(frozen=True)
class Init:
    """BODY1."""

    primaries: list[int]
    secondaries: list[int]
    aeads: list[int]
    primary: Share
    secondary: Share
    token: bytes
    versions: list[int]
    solution: bytes | None = None

    def encode(self, pad_octets: int) -> bytes:
        """As octets, with a PAD of zeros."""
        lists = zip((PRIMARIES, SECONDARIES, AEADS), (self.primaries, self.secondaries, self.aeads), strict=True)
        return (b"".join(tlv(kind, b"".join(u(2, i) for i in ids)) for kind, ids in lists)
                + tlv(KE_PRIMARY, self.primary.encode()) + tlv(KE_SECONDARY, self.secondary.encode())
                + (b"" if self.solution is None else tlv(POW, self.solution))
                + tlv(TOKEN, self.token) + tlv(VERSIONS, bytes(self.versions)) + tlv(PAD, bytes(pad_octets)))

    @classmethod
    def decode(cls, body: bytes) -> Init:
        """TLVs, lists, TOKEN's length, groups of the shares in their lists."""
        fields = read_tlvs(body, "BODY1", INIT_TYPES, INIT_SOLVED_TYPES)
        primaries, secondaries, aeads = (read_ids(fields[kind], "BODY1") for kind in (PRIMARIES, SECONDARIES, AEADS))
        primary, secondary = (Share.decode(fields[kind], "BODY1") for kind in (KE_PRIMARY, KE_SECONDARY))
        require(len(fields[TOKEN]) == 48, "BODY1", "TOKEN")
        require(primary.group in primaries and secondary.group in secondaries, "BODY1", "a share outside its list")
        versions = read_ids(fields[VERSIONS], "BODY1", width=1, most=16)
        solution = fields.values.get(POW)
        require(solution is None or len(solution) == 8 * PUZZLE_NUMBERS, "BODY1", "POW")
        return cls(primaries, secondaries, aeads, primary, secondary, fields[TOKEN], versions, solution)


@dataclass(frozen=True)
class Select:
    """What R chose."""

    primary: int
    secondary: int
    aead: int
    version: int = VERSION

    def encode(self) -> bytes:
        """As octets."""
        return u(1, self.version) + u(2, self.primary) + u(2, self.secondary) + u(2, self.aead)

    @classmethod
    def decode(cls, value: bytes) -> Select:
        """7 octets."""
        reader = Reader(value, "SELECT")
        version, primary, secondary, aead = (reader.u(width) for width in (1, 2, 2, 2))
        reader.end()
        return cls(primary, secondary, aead, version)


@dataclass(frozen=True)
class Puzzle:
    """POW of a RETRY (overload.md section 4)."""

    seed: bytes
    bits: int

    def encode(self) -> bytes:
        """As octets."""
        return self.seed + u(1, self.bits)

    def hashes(self, salt: bytes, solution: bytes) -> bytes:
        """The sixteen, one behind the other."""
        front = self.seed + salt
        return b"".join(sha256(front + u(1, i) + solution[8 * i:8 * i + 8]).digest() for i in range(PUZZLE_NUMBERS))

    def solved_by(self, hashes: bytes) -> bool:
        """Whether each begins with enough zeros."""
        return all(int.from_bytes(hashes[at:at + 32], "big") >> 256 - self.bits == 0 for at in range(0, 512, 32))


@dataclass(frozen=True)
class Retry:
    """The body of a RETRY."""

    select: Select
    puzzle: Puzzle | None = None

    def encode(self) -> bytes:
        """As octets, without a PAD."""
        return (b"" if self.puzzle is None else tlv(POW, self.puzzle.encode())) + tlv(SELECT, self.select.encode())

    @classmethod
    def decode(cls, body: bytes) -> Retry:
        """With or without a puzzle."""
        fields = read_tlvs(body, "RETRY", {SELECT}, {SELECT, POW})
        puzzle = None
        if POW in fields:
            reader = Reader(fields[POW], "RETRY")
            puzzle = Puzzle(reader.take(32), reader.u(1))
            reader.end()
            require(puzzle.bits >= 1, "RETRY", "a puzzle of no bits")
        return cls(Select.decode(fields[SELECT]), puzzle)


@dataclass(frozen=True)
class Answer:
    """BODY2A."""

    primary: Share
    secondary: Share
    select: Select

    def encode(self) -> bytes:
        """As octets, without a PAD: RESP has its PAD in BODY2B."""
        return (tlv(KE_PRIMARY, self.primary.encode()) + tlv(KE_SECONDARY, self.secondary.encode())
                + tlv(SELECT, self.select.encode()))

    @classmethod
    def decode(cls, body: bytes) -> Answer:
        """Its groups are judged by I."""
        fields = read_tlvs(body, "BODY2A", ANSWER_TYPES)
        primary, secondary = (Share.decode(fields[kind], "BODY2A") for kind in (KE_PRIMARY, KE_SECONDARY))
        return cls(primary, secondary, Select.decode(fields[SELECT]))


@dataclass(frozen=True)
class Proof:
    """BODY2B or BODY3: who a side is. `ext` is as the transcript wants it; the session is I's alone."""

    bundle: bytes | None
    ext: bytes
    signature: bytes | None
    confirm: bytes
    session: bytes | None = None
    delegation: bytes = b""

    def encode(self) -> bytes:
        """As octets, without a PAD; nothing optional is ever sent here, so `ext` stands in front."""
        named = b"" if self.bundle is None or self.signature is None else (
            tlv(IDENTITY, self.bundle) + (tlv(DELEGATION, self.delegation) if self.delegation else b"")
            + tlv(SIGNATURE, self.signature))
        nameless = b"" if self.bundle is not None else tlv(ANONYMOUS, b"")
        last = b"" if self.session is None else tlv(SESSION, self.session)
        return self.ext + named + tlv(CONFIRM, self.confirm) + nameless + last

    @classmethod
    def decode_r(cls, body: bytes) -> Proof:
        """BODY2B."""
        fields = read_tlvs(body, "BODY2B", PROOF_R_TYPES, PROOF_R_TYPES | {DELEGATION})
        require(len(fields[CONFIRM]) == 64, "BODY2B", "CONFIRM")
        return cls(fields[IDENTITY], fields.optional, fields[SIGNATURE], fields[CONFIRM],
                   delegation=_delegation(fields.values))

    @classmethod
    def decode_i(cls, body: bytes) -> Proof:
        """BODY3."""
        fields = read_tlvs(body, "BODY3", PROOF_I_TYPES, PROOF_NAMELESS_TYPES, PROOF_I_TYPES | {DELEGATION})
        role, nameless = fields[ROLE], ANONYMOUS in fields
        require(len(fields[CONFIRM]) == 64 and not fields.values.get(ANONYMOUS), "BODY3", "CONFIRM or ANONYMOUS")
        require(role in (b"\1", b"\2") or (role == b"\3" and not nameless), "BODY3", "ROLE")
        return cls(fields.values.get(IDENTITY), tlv(ROLE, role) + fields.optional, fields.values.get(SIGNATURE),
                   fields[CONFIRM], fields[SESSION], _delegation(fields.values))


def _delegation(values: dict[int, bytes]) -> bytes:
    require(values.get(DELEGATION) != b"", "delegation", "empty")
    return values.get(DELEGATION, b"")


def total_octets(needed: int, drawn: int) -> int:
    """How long a message becomes that needs so much and drew that total."""
    total = drawn
    while needed > total or 1 <= total - needed <= 3:
        total = (total // 4096 + 1) * 4096
    return total


def pad_to(total: int, needed: int) -> bytes:
    """The PAD that makes up the difference; none where there is none."""
    return tlv(PAD, bytes(total - needed - 4)) if total > needed else b""


def refuse_body(code: int, clock_seconds: int, octets: int) -> bytes:
    """The body of a REFUSE, filled with zeros."""
    return (u(2, code) + u(2, 0) + u(8, clock_seconds)).ljust(octets, b"\0")


def read_refuse(body: bytes) -> tuple[int, int, int]:
    """Code, seconds to wait, R's clock in seconds."""
    reader = Reader(body, "REFUSE")
    code, wait, clock = reader.u(2), reader.u(2), reader.u(8)
    require(not any(reader.rest()), "REFUSE", "other octets than zeros")
    return code, wait, clock
