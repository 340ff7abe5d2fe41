"""Runs a script of peer records against their judge: signed as their peers sign them, whatever they say.

What must hold: a record is judged good or raises what a peer did wrong; a good one is spelt as it came and was not
changed after it was signed. Scripts are made here too. Spec: docs/spec/peer-records.md.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from enum import IntEnum
from uuid import UUID

from quantumgate.core import peer_records
from quantumgate.core.peer_records import KnownRecord
from quantumgate.crypto import labels
from quantumgate.errors import BugError, RemoteProtocolError
from quantumgate.wire.limits import PEER_RECORD_LIFE_SECONDS, PEER_RECORD_RELAY_LIFE_SECONDS
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import SIGNATURE, Anchor, PeerRecord
from quantumgate.wire.writer import tlv
from tests.fuzz.handshake_mutation import split_tlvs
from tests.fuzz.linked import ENDPOINTS
from tests.fuzz.mutation import Mutator
from tests.fuzz.peer import ANOTHER, NOW_MS, OURS, bit, spoilt, two
from tests.fuzz.script import MAX_STEPS, Script, Step
from tests.fuzz.target import Broken

NETWORK = peer_records.network_of(b"QuantumGate")
LIVES = (PEER_RECORD_RELAY_LIFE_SECONDS, PEER_RECORD_LIFE_SECONDS, 0, PEER_RECORD_LIFE_SECONDS + 100)
TIMES_MS = (NOW_MS, NOW_MS - 10**10, NOW_MS + 10**10, NOW_MS - 1000)
NOBODYS = UUID(int=0)
ANCHOR = Anchor(ANOTHER.public.uuid, bytes(32), b"voucher")


class Say(IntEnum):
    """What a step says; kinds of a script wrap."""

    RECORD = 0  # a = its shape, b = byte to change after it was signed + 1, data = TLVs behind it
    BODY = 1  # data, signed
    BYTES = 2  # data as it is
    OWN = 3  # our own, of shape a


def shaped(a: int) -> PeerRecord:
    seq_ms, life = TIMES_MS[two(a, 0)], LIVES[two(a, 2)]
    return PeerRecord(
        network=bytes(32) if bit(a, 4) else NETWORK,
        bundle=(ANOTHER if bit(a, 5) else OURS).public.bundle,
        seq_ms=seq_ms + (a >> 20 & 3),
        not_after_seconds=seq_ms // 1000 + life,
        capabilities=int(not bit(a, 6)),
        endpoints=(*ENDPOINTS, LinkEndpoint("192.0.2.9", 0))[: 4 if bit(a, 7) else two(a, 8)],
        via=(ANCHOR,) * (two(a, 10)),
        rendezvous=bytes(range(32)) if bit(a, 12) else b"",
        family=("", "us", "\n", "f" * 300)[two(a, 13)],
        extenders=((), (bytes(16),), (bytes(16),) * 2, tuple(bytes([n]) * 16 for n in range(64)))[two(a, 15)],
        extras=((0x80, b"x"), (0x90, bytes(9000 * bit(a, 17))))[: two(a, 18) % 3],
    )


def signed(body: bytes) -> bytes:
    return body + tlv(SIGNATURE, OURS.sign(labels.SIGN_PEER_RECORD, hashlib.sha512(body).digest()))


def run_script(script: Script) -> list[KnownRecord]:
    """The records that were judged good. Raises Broken or whatever escaped: a finding."""
    good: list[KnownRecord] = []
    for step in script:
        data, changed = _said(step), step.kind % len(Say) == Say.RECORD and step.b > 0
        if data is None:
            continue
        try:
            known = peer_records.judge(data, network=NETWORK, now_ms=NOW_MS)
        except RemoteProtocolError:
            continue
        if changed or known.signed.encode() != data:
            raise Broken("a good record that was changed, or is spelt in two ways")
        if known.runs(NOBODYS):
            raise Broken("a record that names an extender which nobody has named")
        for other in good:
            if other.identity.bundle == known.identity.bundle:
                peer_records.supersedes(known, other)
                peer_records.equivocates(other, known)
        good.append(known)
    return good


def _said(step: Step) -> bytes | None:
    kind = step.kind % len(Say)
    if kind == Say.RECORD:
        return spoilt(signed(shaped(step.a).encode() + step.data), step.b)
    if kind == Say.OWN:
        try:
            return peer_records.sign(OURS, shaped(step.a)).encode()
        except BugError:  # what we would not say, which the caller has to know before
            return None
    return signed(step.data) if kind == Say.BODY else step.data


class RecordMutator:
    """One seeded source of scripts."""

    def __init__(self, luck: random.Random) -> None:
        self.luck, self.bytes = luck, Mutator(luck, b"")

    def fresh(self) -> Script:
        return [self._step() for _ in range(self.luck.randint(1, 4))]

    def changed(self, script: Sequence[Step], other: Sequence[Step]) -> Script:
        luck, result = self.luck, [*script, *other[:1]] if self.luck.random() < 0.1 else list(script)
        at = luck.randrange(len(result)) if result else 0
        way = luck.randrange(4)
        if not result or way == 0:
            result.insert(at, self._step())
        elif way == 1:
            result[at] = result[at]._replace(a=result[at].a ^ 1 << luck.randrange(22))
        elif way == 2:
            result[at] = result[at]._replace(b=luck.choice((0, luck.getrandbits(9))))
        else:
            result[at] = result[at]._replace(data=self._body(result[at].data))
        return result[:MAX_STEPS]

    def _step(self) -> Step:
        luck = self.luck
        shape = sum({1 << luck.randrange(22) for _ in range(luck.randrange(5))})
        kind = luck.choice((Say.RECORD, Say.RECORD, Say.BODY, Say.BYTES, Say.OWN))
        data = b"" if kind in (Say.RECORD, Say.OWN) and luck.random() < 0.8 else self._body(b"")
        return Step(kind, shape, luck.getrandbits(9) if luck.random() < 0.1 else 0, data)

    def _body(self, old: bytes) -> bytes:
        """TLVs of a record moved, repeated, left out or changed."""
        luck = self.luck
        body = old or shaped(sum({1 << luck.randrange(22) for _ in range(4)})).encode()
        parts = split_tlvs(body[1:])
        at, way = luck.randrange(len(parts)), luck.randrange(5)
        if way == 0:
            parts.insert(at, luck.choice(parts))
        elif way == 1:
            del parts[at]
        elif way == 2 and parts[at]:
            parts[at] = tlv(luck.choice((1, 3, 6, 7, 8, 9, 10, 11, 0x80, 0xFF)), parts[at][4:])
        elif way == 3:
            value = parts[at][4:]
            parts[at] = tlv(parts[at][0] if parts[at] else 1, value[: luck.randint(0, len(value))])
        else:
            parts[at] = self.bytes.bytes_changed(parts[at])
        return body[:1] + b"".join(parts)


def seeds() -> list[Script]:
    """Each bit of a shape alone, in a record that is good otherwise."""
    plain = [Step(Say.RECORD, 1 << n) for n in range(22)]
    pairs = [Step(Say.RECORD, 3 << n) for n in range(20)]
    return [[Step(Say.RECORD), *plain], pairs, [Step(Say.OWN, 0), Step(Say.OWN, 1 << 5), Step(Say.OWN, 3 << 2)]]
