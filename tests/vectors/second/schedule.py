"""What is derived from what (key-schedule.md), each value noted under the name that section 9 gives it.

Not for messages: flights.py says what is in them.
"""
from __future__ import annotations

import hashlib
from typing import NamedTuple

from . import crypto
from .crypto import AES_256_GCM, Keys, expand, extract
from .octets import lp

Noted = str | dict[str, str | int]


class Ledger:
    """Every value that one side came to know, as the vector files write it: octets in hexadecimal."""

    def __init__(self) -> None:
        self.values: dict[str, Noted] = {}
        self.keys: dict[str, Keys] = {}

    def note(self, name: str, value: bytes) -> bytes:
        """Keep a value under its name, and hand it back."""
        self.values[name] = value.hex()
        return value

    def derive(self, name: str, prk: bytes, label: str) -> Keys:
        """keys(prk, label), noted as `name key` and `name iv`."""
        keys = self.keys[name] = crypto.keys(prk, label)
        self.note(f"{name} key", keys.key)
        self.note(f"{name} iv", keys.iv)
        return keys

    def seal(self, box_name: str, keys: str, n: int, ad: bytes, plaintext: bytes, aead: int = AES_256_GCM) -> bytes:
        """Make a box and note it."""
        box = crypto.seal(self.keys[keys], n, ad, plaintext, aead)
        self._note_box(box_name, keys, n, ad, plaintext, box)
        return box

    def unseal(self, box_name: str, keys: str, n: int, ad: bytes, box: bytes, aead: int = AES_256_GCM) -> bytes:
        """Open a box and note it; one that does not open is refused at its name."""
        plaintext = crypto.unseal(self.keys[keys], n, ad, box, aead, box_name)
        self._note_box(box_name, keys, n, ad, plaintext, box)
        return plaintext

    def _note_box(self, name: str, keys: str, n: int, ad: bytes, plaintext: bytes, box: bytes) -> None:
        self.values[f"box {name}"] = {
            "key": keys, "n": n, "nonce": crypto.nonce(self.keys[keys], n).hex(), "ad": ad.hex(),
            "plaintext": plaintext.hex(), "box": box.hex()}

    def becomes_first(self) -> None:
        """A RETRY came: what was noted of this exchange is that of the first one."""
        once = {"saltI", "saltR", "box header INIT", "box body INIT"}
        renamed: dict[str, Noted] = {}
        for name, value in self.values.items():
            head, _, tail = name.partition(" ")
            new = f"{head} first {tail}" if head in ("o1", "o2") else name + " first" * (name in once)
            renamed[new] = {**value, "key": f"{value['key']} first"} if isinstance(value, dict) else value
        self.values = renamed


class Transcript:
    """The running SHA-512 over tagged values."""

    def __init__(self) -> None:
        self._hash = hashlib.sha512()
        self.tags: list[str] = []
        self.add("proto", b"QuantumGate/1")

    def add(self, tag: str, value: bytes) -> None:
        """Hash a value under its tag."""
        self.tags.append(tag)
        self._hash.update(lp(tag.encode("ascii")) + lp(value))

    def digest(self) -> bytes:
        """TH at this step."""
        return self._hash.copy().digest()


class Exchange(NamedTuple):
    """What the key exchange gives: PRK1 and the two keys that make CONFIRM."""

    prk1: bytes
    confirm_r: bytes
    confirm_i: bytes


class Session(NamedTuple):
    """What a finished handshake gives."""

    root: bytes
    sid: bytes
    exporter: bytes


def network(ledger: Ledger, network_id: str, secret: bytes | None) -> bytes:
    """PRK0 of a network and its shared secret; notes `ke salt` beside it."""
    salt = ledger.note("network salt", crypto.sha512(b"QuantumGate/1 net" + lp(network_id.encode())))
    prk0 = ledger.note("PRK0", extract(salt, bytes(64) if secret is None else secret))
    ledger.note("ke salt", expand(prk0, b"qg1 ke salt"))
    return prk0


def target_root(prk0: bytes, target: bytes) -> bytes:
    """OBF of a target."""
    return expand(prk0, b"qg1 obf" + lp(target))


def flight_keys(ledger: Ledger, name: str, salts: bytes, obf: bytes) -> Keys:
    """o1 or o2."""
    return ledger.derive(name, ledger.note(f"{name} prk", extract(salts, obf)), name)


def exchange(ledger: Ledger, prk0: bytes, secondary: bytes, primary: bytes, th2: bytes) -> Exchange:
    """PRK1 with hr, hi, Fr, Fi of both raw secrets and TH2."""
    for name, value in (("ss_secondary", secondary), ("ss_primary", primary), ("TH2", th2)):
        ledger.note(name, value)
    prk1 = ledger.note("PRK1", extract(expand(prk0, b"qg1 ke salt"), lp(secondary) + lp(primary) + th2))
    ledger.derive("hr", prk1, "hs r2i")
    ledger.derive("hi", prk1, "hs i2r")
    return Exchange(prk1, ledger.note("Fr", expand(prk1, b"qg1 fin r")), ledger.note("Fi", expand(prk1, b"qg1 fin i")))


def session(ledger: Ledger, prk1: bytes, th: bytes) -> Session:
    """root_0, sid and exporter."""
    salt = ledger.note("PRK2 salt", expand(prk1, b"qg1 derived"))
    prk2 = ledger.note("PRK2", extract(salt, ledger.note("TH session", th)))
    made = Session(expand(prk2, b"qg1 root"), expand(prk2, b"qg1 session id", 32), expand(prk2, b"qg1 exporter"))
    for name, value in zip(("root_0", "sid", "exporter"), made, strict=True):
        ledger.note(name, value)
    return made


def epoch(ledger: Ledger, root: bytes, number: int) -> None:
    """The record keys of one epoch, both directions."""
    for way in ("ap i2r", "ap r2i"):
        ledger.derive(way + (f" epoch {number}" if number else ""), root, way)


def export(exporter: bytes, label: str, context: bytes, length: int) -> bytes:
    """A secret for an extender."""
    return expand(exporter, b"qg1 exp" + lp(label.encode()) + lp(crypto.sha512(context)), length)
