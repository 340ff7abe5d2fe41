"""The injected ephemeral keys of a vector: a fresh pair, an encapsulation, and what each makes of the other's.

Not for messages.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from . import crypto
from .octets import require
from .vector import Node


class Pair(NamedTuple):
    """A key pair for one exchange; `private` is a seed where the group is secondary."""

    group: int
    private: bytes
    public: bytes


def secondary_pair(keys: Iterator[Node], group: int) -> Pair:
    """The next key, which must be a secondary one; its public half is made anew and compared."""
    entry = next(keys)
    pair = Pair(entry["secondary"].take(), entry["seed"].octets(), entry["public"].octets())
    require(pair.group == group, "keys", "another secondary group")
    require(crypto.kem_public(group, pair.private) == pair.public, "keys", "another public key")
    return pair


def primary_pair(keys: Iterator[Node], group: int) -> Pair:
    """The next key, which must be a primary one; its share is made anew and compared."""
    entry = next(keys)
    pair = Pair(entry["primary"].take(), entry["private"].octets(), entry["share"].octets())
    require(pair.group == group, "keys", "another primary group")
    require(crypto.share_of(group, pair.private) == pair.public, "keys", "another share")
    return pair


def encapsulate(keys: Iterator[Node], group: int, public: bytes) -> tuple[bytes, bytes]:
    """The next key, which must be an encapsulation to this public key: ciphertext and secret as injected."""
    crypto.check_kem_key(group, public)
    entry = next(keys)
    require(entry["encapsulate"].take() == group and entry["public"].octets() == public, "keys", "another public key")
    return entry["ciphertext"].octets(), entry["secret"].octets()
