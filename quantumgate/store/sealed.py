"""The seal of a store with a key: AES-256-GCM boxes, keyed row ids, and the store's own key, wrapped under ours.

Each opening draws a salt of its own and counts: no nonce comes twice however many boxes there are. The store's key is
random and lies in its table ``meta``, sealed under what the passphrase (argon2id) or a key file comes to: another
passphrase rewrites one row. Not for: finding passphrases and files (``node/store_key.py``). Spec:
docs/guide/operating.md (the store); docs/adr/0173.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from quantumgate.crypto.aead import AES_256_GCM, IV_BYTES, KEY_BYTES, TAG_BYTES, AeadKey
from quantumgate.crypto.kdf import HASH_BYTES, expand, extract, hmac_sha512, stretch_for_file
from quantumgate.crypto.random import RandomSource
from quantumgate.crypto.secret import Secret
from quantumgate.errors import AuthenticationError
from quantumgate.store.interface import DamagedStore, StoreError
from quantumgate.store.seal import ID_BYTES

SALT_BYTES, COUNTER_BYTES = 16, 6
OPENINGS_REMEMBERED = 256
"""Keys of earlier openings that are kept at hand."""

_IDS, _BOXES = b"QuantumGate store 1 ids", b"QuantumGate store 1 boxes "
_FILE, _WRAPPED = b"QuantumGate store 1 key file", b"QuantumGate store 1 wrapped key"

Source = Literal["passphrase", "key file", "credential"]


@dataclass(frozen=True, slots=True)
class StoreKey:
    """What the operator gave: ``secret`` is the UTF-8 of a passphrase, or a file's bytes (32 or more)."""

    source: Source
    secret: Secret


class Sealed:
    """See ``seal.Seal``. ``master``: 64 bytes."""

    sealed = True

    def __init__(self, master: Secret, random: RandomSource) -> None:
        self._master, self._ids = master, expand(master, _IDS)
        self._salt, self._count = random.bytes(SALT_BYTES), 0
        self._keys: dict[bytes, AeadKey] = {}

    def id_of(self, place: bytes) -> bytes:
        """See Seal: who has no key cannot even try a UUID."""
        return hmac_sha512(self._ids, place)[:ID_BYTES]

    def shut(self, plain: bytes, place: bytes) -> bytes:
        """``salt(16) || counter(6) || box``."""
        number, self._count = self._count, self._count + 1
        return self._salt + number.to_bytes(COUNTER_BYTES, "big") + self._key(self._salt).seal(number, plain, place)

    def open(self, kept: bytes, place: bytes) -> bytes:
        """See Seal."""
        head = SALT_BYTES + COUNTER_BYTES
        if len(kept) < head + TAG_BYTES:
            raise ValueError("a box that is too short")
        number = int.from_bytes(kept[SALT_BYTES:head], "big")
        try:
            return self._key(kept[:SALT_BYTES]).open(number, kept[head:], place)
        except AuthenticationError:
            raise ValueError("a box that does not open: it was altered, or belongs elsewhere") from None

    def _key(self, salt: bytes) -> AeadKey:
        found = self._keys.get(salt)
        if found is None:
            if len(self._keys) >= OPENINGS_REMEMBERED:
                self._keys.clear()
            found = self._keys[salt] = _box_key(expand(self._master, _BOXES + salt, KEY_BYTES + IV_BYTES))
        return found


class Wrapped(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The row ``seal`` of ``meta``, as JSON: which key opens the store's own, and that, sealed."""

    version: Literal[1]
    source: Source
    salt: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    box: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{160}$")]

    @classmethod
    def of(cls, master: Secret, key: StoreKey, random: RandomSource) -> Wrapped:
        salt = random.bytes(SALT_BYTES)
        box = _wrapping(key, salt).seal(0, master.borrow(), _WRAPPED + key.source.encode())
        return cls(version=1, source=key.source, salt=salt.hex(), box=box.hex())

    @classmethod
    def decode(cls, data: bytes) -> Wrapped:
        """Raises DamagedStore."""
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise DamagedStore(f"the store does not say how it is sealed: {error}") from None

    def encode(self) -> bytes:
        """As JSON."""
        return msgspec.json.encode(self)

    def opened(self, key: StoreKey | None) -> Secret:
        """The store's own key. Raises StoreError without the right one."""
        if key is None:
            raise StoreError(f"the store is sealed with a {self.source}, and none is given", advice=_WHERE[self.source])
        try:
            wrapping, box = _wrapping(key, bytes.fromhex(self.salt)), bytes.fromhex(self.box)
            opened = wrapping.open(0, box, _WRAPPED + self.source.encode())
        except AuthenticationError:
            raise StoreError(f"the store is sealed with another key (it was a {self.source}; given is a {key.source})",
                             advice="give the one that it was sealed with; qgate store seal changes it") from None
        return Secret(opened)


_WHERE = {
    "passphrase": "name the file with the passphrase in node.identity_passphrase_file",
    "key file": "name the file in node.store_key_file",
    "credential": "start the node by its systemd unit, which has the credential quantumgate.store-key",
}


def new_master(random: RandomSource) -> Secret:
    """A store's own key."""
    return Secret(random.bytes(HASH_BYTES))


def _wrapping(key: StoreKey, salt: bytes) -> AeadKey:
    if key.source == "passphrase":
        return _box_key(stretch_for_file(key.secret.reveal().decode(), salt, KEY_BYTES + IV_BYTES))
    return _box_key(expand(extract(salt, key.secret), _FILE, KEY_BYTES + IV_BYTES))


def _box_key(both: Secret) -> AeadKey:
    view = both.borrow()
    return AeadKey(AES_256_GCM, Secret(view[:KEY_BYTES]), Secret(view[KEY_BYTES:]))
