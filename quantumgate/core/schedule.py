"""The key schedule: which secret comes from which, from the network's name to the keys of records.

Pure functions; what they return belongs to the caller, who wipes it. Not for: deciding when a key is used, transcripts
(``core/transcript.py``). Spec: docs/spec/key-schedule.md sections 2 to 7.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from quantumgate.crypto import labels
from quantumgate.crypto.aead import AES_256_GCM, AeadKey, aead_from
from quantumgate.crypto.kdf import Expansion, expand, extract
from quantumgate.crypto.secret import Secret
from quantumgate.wire.writer import lp

NO_PSK = bytes(64)
SESSION_ID_BYTES = 32


# -- before any key exchange: what hides the first flight ----------------------------------------------------------


def network_secret(network_id: bytes, psk: Secret | None) -> Secret:
    """PRK0: all that a node knows of its network. Section 2."""
    salt = hashlib.sha512(labels.NETWORK_SALT + lp(network_id)).digest()
    return extract(salt, NO_PSK if psk is None else psk)


def obfuscation_secret(prk0: Secret, target: bytes) -> Secret:
    """OBF: known to whoever knows the responder's UUID (16 bytes; zeros when unaddressed). Section 2."""
    return expand(prk0, labels.OBFUSCATION + lp(target))


def exchange_salt(prk0: Secret) -> Secret:
    """The salt of PRK1, so that the shared secret also goes into every later key. Section 3."""
    return expand(prk0, labels.KEY_EXCHANGE_SALT)


def lan_secret(prk0: Secret) -> Secret:
    """What seals beacons on the local network. docs/spec/discovery.md."""
    return expand(prk0, labels.LAN_ROOT)


def lan_group(prk0: Secret) -> bytes:
    """Six bytes that tell where on the local network this network's beacons go. docs/spec/discovery.md."""
    return expand(prk0, labels.LAN_GROUP, 6).reveal()


def beacon_key(lan: Secret, salt: bytes) -> AeadKey:
    """Of one beacon; ``salt``: its first 16 bytes. Always AES-256-GCM. docs/spec/discovery.md."""
    return _keys_of_extract(lan, salt, labels.LAN)


def first_flight_key(obf: Secret, salt_i: bytes) -> AeadKey:
    """o1, which seals INIT. Always AES-256-GCM. Section 2."""
    return _keys_of_extract(obf, salt_i, labels.OBFUSCATION_INITIATOR)


def answer_key(obf: Secret, salt_i: bytes, salt_r: bytes) -> AeadKey:
    """o2, which seals the header and first body of RESP, and RETRY and REFUSE. Section 2."""
    return _keys_of_extract(obf, salt_i + salt_r, labels.OBFUSCATION_RESPONDER)


def _keys_of_extract(obf: Secret, salt: bytes, name: str) -> AeadKey:
    return aead_from(Expansion.of_extract(salt, obf), name, AES_256_GCM)


# -- from the key exchange to the session --------------------------------------------------------------------------


@dataclass(slots=True)
class HandshakeKeys:
    """PRK1 and what hangs on it: hr and hi seal the proofs, Fr and Fi make the confirmations."""

    prk1: Secret
    hr: AeadKey
    hi: AeadKey
    fin_r: Secret
    fin_i: Secret

    def wipe(self) -> None:
        """Forget all of it."""
        for secret in (self.prk1, self.fin_r, self.fin_i):
            secret.wipe()


def handshake_keys(ke_salt: Secret, ss_secondary: Secret, ss_primary: Secret, th2: bytes) -> HandshakeKeys:
    """The combiner: both shared secrets and the transcript up to BODY2A (64 bytes). Section 3."""
    prk1 = extract(ke_salt, _length(ss_secondary), ss_secondary, _length(ss_primary), ss_primary, th2)
    under = Expansion(prk1)
    return HandshakeKeys(
        prk1,
        hr=aead_from(under, labels.HANDSHAKE_R2I, AES_256_GCM),
        hi=aead_from(under, labels.HANDSHAKE_I2R, AES_256_GCM),
        fin_r=under.secret(labels.FINISHED_R),
        fin_i=under.secret(labels.FINISHED_I),
    )


@dataclass(slots=True)
class SessionSecrets:
    """What a finished handshake leaves behind: root_0, the session id (32 bytes, not secret) and the exporter."""

    root: Secret
    sid: bytes
    exporter: Secret


def session_secrets(prk1: Secret, th_session: bytes) -> SessionSecrets:
    """From PRK1 and the transcript up to I's SESSION (64 bytes). Section 5."""
    salt = expand(prk1, labels.DERIVED)
    prk2 = Expansion.of_extract(salt, th_session)
    salt.wipe()
    sid = prk2.short_lived(labels.SESSION_ID, SESSION_ID_BYTES)
    return SessionSecrets(prk2.secret(labels.ROOT), sid, prk2.secret(labels.EXPORTER))


# -- during the session --------------------------------------------------------------------------------------------


def record_keys(root: Secret, aead_id: int) -> tuple[AeadKey, AeadKey]:
    """The keys of one epoch: (initiator to responder, responder to initiator). Section 6."""
    under = Expansion(root)
    return aead_from(under, labels.APPLICATION_I2R, aead_id), aead_from(under, labels.APPLICATION_R2I, aead_id)


def next_root(root: Secret, ss_secondary: Secret, ss_primary: Secret, request: bytes, response: bytes) -> Secret:
    """root_{e+1}; request and response are the whole payloads of REKEY_REQ and REKEY_RSP. Section 6."""
    bound = hashlib.sha512(lp(request) + lp(response)).digest()
    return extract(root, _length(ss_secondary), ss_secondary, _length(ss_primary), ss_primary, bound)


def rekey_id(root: Secret) -> bytes:
    """64 bytes that stand for the current root inside the signatures of a re-key. Section 6."""
    return expand(root, labels.REKEY_ID).reveal()


def export(exporter: Secret, label: bytes, context: bytes, length: int) -> Secret:
    """A key for something beside the session, bound to it. Section 7."""
    info = labels.EXPORT + lp(label) + lp(hashlib.sha512(context).digest())
    return expand(exporter, info, length)


def _length(secret: Secret) -> bytes:
    return len(secret).to_bytes(4, "big")
