"""What the crypto libraries here can do, and whether they give known answers. For the start of a node and its doctor.

Not for: choosing algorithms (``suites.py``, settings). Spec: docs/spec/crypto.md (backends).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import cryptography
from cryptography.hazmat.backends.openssl import backend as openssl

from quantumgate.crypto import labels, liboqs
from quantumgate.crypto.aead import AeadKey
from quantumgate.crypto.agreement import primary
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.kdf import expand, extract
from quantumgate.crypto.kem import MLKEM_SEED_BYTES, kem
from quantumgate.crypto.known_answers import (
    AEAD_ANSWERS,
    AGREEMENT_ANSWERS,
    HKDF_ANSWER,
    IDENTITY_ANSWERS,
    KNOWN_ANSWER,
    MLKEM_ANSWERS,
)
from quantumgate.crypto.random import FixedRandom
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.signatures import KINDS, verify
from quantumgate.crypto.suites import AEADS, CRYPTOGRAPHY, LIBOQS, PRIMARIES, SECONDARIES
from quantumgate.errors import AuthenticationError


@dataclass(frozen=True, slots=True)
class Check:
    """One known answer: which backend, which algorithm, whether it came, and if not, what came instead."""

    backend: str
    algorithm: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Backend:
    """One library. ``state``: ok, absent (optional and not here), broken (here, unusable) or failed (wrong answers)."""

    name: str
    version: str
    state: str
    reason: str
    advice: str
    checks: tuple[Check, ...]


def self_test() -> list[Check]:
    """Ask every backend for its known answers: about 10 ms, and with liboqs half a second, once per process."""
    return [check for backend in backends() for check in backend.checks]


def backends() -> list[Backend]:
    """Both libraries, examined. Never raises."""
    return [_cryptography(), _liboqs()]


def _cryptography() -> Backend:
    checks = tuple(_run(name, question) for name, question in _questions())
    failed = [check.algorithm for check in checks if not check.ok]
    version = f"{cryptography.__version__} ({openssl.openssl_version_text()})"
    if not failed:
        return Backend(CRYPTOGRAPHY, version, "ok", "", "", checks)
    advice = "do not use this installation; reinstall the cryptography package"
    return Backend(CRYPTOGRAPHY, version, "failed", f"wrong answers of {', '.join(failed)}", advice, checks)


def _liboqs() -> Backend:
    found = liboqs.find()
    if found.module is None:
        return Backend(
            LIBOQS, found.version, "broken" if found.broken else "absent", found.reason, liboqs.ADVICE, ()
        )
    checks = tuple(
        Check(LIBOQS, row.name, row.id not in found.problems, found.problems.get(row.id, "")) for row in liboqs.rows()
    )
    failed = [f"{check.algorithm}: {check.detail}" for check in checks if not check.ok]
    state = "failed" if failed else "ok"
    return Backend(LIBOQS, found.version, state, "; ".join(failed), liboqs.ADVICE if failed else "", checks)


def _questions() -> list[tuple[str, Callable[[], bool]]]:
    return [
        ("HKDF-SHA-512", _hkdf),
        *((row.name, lambda id_=row.id: _aead(id_)) for row in AEADS.values()),
        *((row.name, lambda id_=row.id: _agreement(id_)) for row in PRIMARIES.values()),
        *((SECONDARIES[id_].name, lambda id_=id_: _mlkem(id_)) for id_ in MLKEM_ANSWERS),
        *((KINDS[kind].name, lambda kind=kind: _identity(kind)) for kind in IDENTITY_ANSWERS),
    ]


def _run(name: str, question: Callable[[], bool]) -> Check:
    try:
        ok, detail = question(), "another answer than the known one"
    except Exception as problem:  # a backend may fail in any way; the doctor wants to know which
        ok, detail = False, f"{type(problem).__name__}: {problem}"
    return Check(CRYPTOGRAPHY, name, ok, "" if ok else detail)


def _draws(name: str) -> FixedRandom:
    return FixedRandom(KNOWN_ANSWER + name.encode())


def _hkdf() -> bool:
    luck = _draws("HKDF-SHA-512")
    return expand(extract(luck.bytes(64), luck.bytes(80)), labels.ROOT).reveal().hex() == HKDF_ANSWER


def _aead(id_: int) -> bool:
    luck = _draws(AEADS[id_].name)
    key = AeadKey(id_, Secret(luck.bytes(32)), Secret(luck.bytes(12)))
    text, ad = luck.bytes(100), luck.bytes(20)
    box = key.seal(5, text, ad)
    try:
        key.open(5, bytes((box[0] ^ 1,)) + box[1:], ad)
    except AuthenticationError:
        return key.open(5, box, ad) == text and hashlib.sha256(box).hexdigest() == AEAD_ANSWERS[id_]
    return False


def _agreement(id_: int) -> bool:
    luck = _draws(PRIMARIES[id_].name)
    a, b = primary(id_).generate(luck), primary(id_).generate(luck)
    secret = a.exchange(b.share)
    digest = hashlib.sha256(a.share + b.share + secret.reveal()).hexdigest()
    return secret == b.exchange(a.share) and digest == AGREEMENT_ANSWERS[id_]


def _mlkem(id_: int) -> bool:
    known, mechanism = MLKEM_ANSWERS[id_], kem(id_)
    key = mechanism.generate(_draws(mechanism.name).bytes(MLKEM_SEED_BYTES))
    ciphertext, secret = mechanism.encapsulate(key.public)
    return (
        hashlib.sha256(key.public).hexdigest() == known.public_hash
        and key.decapsulate(known.ciphertext).reveal().hex() == known.secret
        and key.decapsulate(bytes(mechanism.ciphertext_bytes)).reveal().hex() == known.rejected
        and key.decapsulate(ciphertext) == secret
    )


def _identity(kind: int) -> bool:
    """Covers both algorithms of a hybrid kind; the plain kinds use the same Edwards keys."""
    table, (fingerprint, known) = KINDS[kind], IDENTITY_ANSWERS[kind]
    identity = Identity(kind, Secret(_draws(table.name).bytes(table.seed_bytes)))
    content = hashlib.sha512(b"known answer").digest()
    signature = identity.sign(labels.SIGN_RESPONDER, content)
    verify(identity.public.bundle, labels.SIGN_RESPONDER, content, known)
    verify(identity.public.bundle, labels.SIGN_RESPONDER, content, signature)
    cut = table.edwards_signature_bytes
    return identity.public.fingerprint.hex() == fingerprint and signature[:cut] == known[:cut]
