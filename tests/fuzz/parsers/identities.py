"""What identities are passed on in: delegations, successions as text, files of online keys. A value or its error.

What is good is spelt as it came; what is changed behind its signature is refused. Spec: docs/spec/identity.md, 7 to 9.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from quantumgate.core import delegations, online_key, successions
from quantumgate.core.delegations import FOR_HANDSHAKE, Delegation, delegate
from quantumgate.core.online_key import OnlineKeyFile
from quantumgate.crypto import labels
from quantumgate.crypto.identity import Identity
from quantumgate.errors import KeyFileError, RemoteProtocolError
from quantumgate.wire.one_word import data_of, word_of
from tests.core.handshake.duel import SeededRandom, identity
from tests.fuzz.parsers.plain import Lore
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken

NOW_MS = 1_900_000_000_000
NOW = NOW_MS // 1000
OURS, ANOTHER = identity("alice"), identity("bob")
GOOD = delegate(OURS, ANOTHER.public, serial=7, not_before_seconds=NOW - 1000, not_after_seconds=NOW + 1000)
HEIR = successions.succeed(OURS, ANOTHER, now_seconds=NOW)
FILE = online_key.make(OURS, now_seconds=NOW, life_seconds=1000, random=SeededRandom("online")).encode()


class Told(IntEnum):
    DELEGATION = 0  # as it came
    SIGNED = 1  # data, signed by the root
    SUCCESSION = 2  # text
    HEIR = 3  # data, signed by both, as text
    FILE = 4


def run_script(script: Script) -> list[Any]:
    """What was understood. Raises Broken, or whatever escaped a parser."""
    return [found for step in script if (found := READ[Told(step.kind % len(Told))](step.data)) is not None]


def _judged(data: bytes) -> Delegation | None:
    try:
        found = delegations.judge(data, OURS.public, usage=FOR_HANDSHAKE, now_ms=NOW_MS, least_serial=3)
    except RemoteProtocolError:
        return None
    if found.encode() != data:
        raise Broken("a delegation in two spellings")
    return found


def _delegation(data: bytes) -> Delegation | None:
    found = _judged(data)
    if found is not None and found != GOOD:
        raise Broken("a delegation that its root has not signed")
    return found


def _signed(data: bytes) -> Delegation | None:
    return _judged(data + OURS.sign(labels.SIGN_DELEGATION, hashlib.sha512(data).digest()))


def _read(text: str) -> successions.Succession | None:
    try:
        found = successions.judge(text, now_ms=NOW_MS)
    except RemoteProtocolError:
        return None
    if found.text != text.strip():
        raise Broken("a succession in two spellings")
    return found


def _succession(data: bytes) -> successions.Succession | None:
    found = _read(data.decode("utf-8", "surrogateescape"))
    if found is not None and found != HEIR:
        raise Broken("a succession that its roots have not signed")
    return found


def _heir(data: bytes) -> successions.Succession | None:
    digest = hashlib.sha512(data).digest()
    seals = b"".join(one.sign(labels.SIGN_SUCCESSION, digest) for one in (OURS, ANOTHER))
    word = word_of(successions.SCHEME, data + seals)
    try:
        data_of(word, successions.SCHEME, successions.TEXT_LETTERS_MAX, "a succession")
    except RemoteProtocolError:
        return None
    return _read(word)


def _file(data: bytes) -> Identity | None:
    try:
        found = OnlineKeyFile.decode(data).identity()
    except KeyFileError:
        return None
    if found.public != OURS.public or OnlineKeyFile.decode(data).encode() != data:
        raise Broken("a file of an online key of somebody else, or in two spellings")
    return found


READ: dict[Told, Callable[[bytes], Any]] = {
    Told.DELEGATION: _delegation, Told.SIGNED: _signed, Told.SUCCESSION: _succession, Told.HEIR: _heir,
    Told.FILE: _file,
}  # fmt: skip
LORE = Lore(
    Told,
    (
        Step(Told.DELEGATION, data=GOOD.encode()),
        *(Step(Told.SIGNED, data=GOOD.signed_part()) for _ in range(3)),
        Step(Told.SUCCESSION, data=f" {HEIR.text}\n".encode()),
        *(Step(Told.HEIR, data=HEIR.signed_part()) for _ in range(3)),
        Step(Told.FILE, data=FILE),
    ),
    (b"\x00" * 8, b"\xff" * 8, b"\x00\x07", b"\x00\x00", b"\x01", b"\x02", b"\x03", b"\x09", OURS.public.bundle,
     ANOTHER.public.bundle, OURS.public.fingerprint, NOW.to_bytes(8, "big"), (NOW + 10**7).to_bytes(8, "big"),
     (NOW - 10**7).to_bytes(8, "big"), b"qgs:", HEIR.text.encode(), b"A", b"=", b"_", b"\xc3", b" "),
)
