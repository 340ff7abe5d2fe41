"""Every domain-separation string of QG/1, in one tree: what is derived from what, under which name.

Not for: names of log events or settings. Spec: docs/spec/crypto.md (labels).
"""

from __future__ import annotations

from functools import cache

PROTOCOL = b"QuantumGate/1"
"""First value of every transcript, and the ML-DSA context string (FIPS 204 ctx)."""

# -- hashed in front of public values ----------------------------------------------------------------------------
NETWORK_SALT = b"QuantumGate/1 net"
PASSPHRASE_SALT = b"QuantumGate/1 psk"
PEER_UUID = b"QuantumGate/1 peer uuid"
FINGERPRINT = b"QuantumGate/1 fingerprint"
INVITATION_SALT = b"QuantumGate/1 invitation"
DIRECTORY = b"QuantumGate/1 directory"
EXTENDER = b"QuantumGate/1 extender"
SIGNATURE = b"\x20" * 64 + b"QuantumGate/1 "

# -- names of pairs of key and iv: ``aead_from`` adds "qg1 " in front and " key" or " iv" behind -----------------
OBFUSCATION_INITIATOR = "o1"
OBFUSCATION_RESPONDER = "o2"
HANDSHAKE_R2I = "hs r2i"
HANDSHAKE_I2R = "hs i2r"
APPLICATION_I2R = "ap i2r"
APPLICATION_R2I = "ap r2i"
LAN = "lan"

# -- infos of HKDF-Expand ----------------------------------------------------------------------------------------
OBFUSCATION = b"qg1 obf"
KEY_EXCHANGE_SALT = b"qg1 ke salt"
LAN_ROOT = b"qg1 lan"
LAN_GROUP = b"qg1 group on lan"
FINISHED_R = b"qg1 fin r"
FINISHED_I = b"qg1 fin i"
DERIVED = b"qg1 derived"
ROOT = b"qg1 root"
SESSION_ID = b"qg1 session id"
EXPORTER = b"qg1 exporter"
EXPORT = b"qg1 exp"
REKEY_ID = b"qg1 rekey id"
INVITATION_ID = b"qg1 invitation id"
INVITATION_KEY = b"qg1 invitation key"

# -- names of signatures -----------------------------------------------------------------------------------------
SIGN_RESPONDER = "responder signature"
SIGN_INITIATOR = "initiator signature"
SIGN_REKEY_REQUEST = "rekey request"
SIGN_REKEY_RESPONSE = "rekey response"
SIGN_DELEGATION = "delegation"
SIGN_PEER_RECORD = "peer record"
SIGN_SUCCESSION = "succession"
SIGN_VOUCHER = "voucher"
SIGN_INVITATION = "invitation"
"""By the key that an invitation holds, and that signs nothing else."""

SIGNATURE_NAMES = (
    SIGN_RESPONDER,
    SIGN_INITIATOR,
    SIGN_REKEY_REQUEST,
    SIGN_REKEY_RESPONSE,
    SIGN_DELEGATION,
    SIGN_PEER_RECORD,
    SIGN_SUCCESSION,
    SIGN_VOUCHER,
    SIGN_INVITATION,
)
"""All that an identity key ever signs, but for the last."""

# -- tags of the transcript: TH runs over lp(tag) || lp(value) ---------------------------------------------------
TAG_PROTOCOL = b"proto"
TAGS_RETRY = (b"s0", b"h0", b"b0", b"sr0", b"hr0", b"br0")
TAG_TARGET = b"target"
TAGS_INIT = (b"saltI", b"h1", b"b1")
TAGS_RESPONSE = (b"saltR", b"h2", b"b2")
TAG_IDENTITY = b"id"
TAG_ANONYMOUS = b"anon"
TAG_DELEGATION = b"deleg"
TAG_OTHERS = b"ext"
TAG_SIGNATURE = b"sig"
TAG_CONFIRM = b"mac"
TAG_SESSION = b"session"


@cache
def key_info(name: str) -> bytes:
    """The info of a pair's key: ``qg1 NAME key``."""
    return f"qg1 {name} key".encode()


@cache
def iv_info(name: str) -> bytes:
    """The info of a pair's iv: ``qg1 NAME iv``."""
    return f"qg1 {name} iv".encode()


def _pair(*names: str) -> tuple[bytes, ...]:
    return tuple(info(name) for name in names for info in (key_info, iv_info))


TREE: dict[str, tuple[bytes, ...]] = {
    "SHA-512": (NETWORK_SALT, PASSPHRASE_SALT, PEER_UUID, FINGERPRINT, DIRECTORY, EXTENDER),
    "PRK0": (OBFUSCATION, KEY_EXCHANGE_SALT, LAN_ROOT, LAN_GROUP),
    "Extract(salt_I, OBF)": _pair(OBFUSCATION_INITIATOR),
    "Extract(salt_I || salt_R, OBF)": _pair(OBFUSCATION_RESPONDER),
    "LAN root": _pair(LAN),
    "PRK1": (*_pair(HANDSHAKE_R2I, HANDSHAKE_I2R), FINISHED_R, FINISHED_I, DERIVED),
    "PRK2": (ROOT, SESSION_ID, EXPORTER),
    "exporter": (EXPORT,),
    "Extract, in front of the secret of an invitation": (INVITATION_SALT,),
    "Extract(QuantumGate/1 invitation, secret)": (INVITATION_ID, INVITATION_KEY),
    "root_e": (*_pair(APPLICATION_I2R, APPLICATION_R2I), REKEY_ID),
}
"""Parent secret (or hash) -> the labels used directly below it."""
