"""Online keys that act for the roots of ``duel.identity``, with delegations that are good at a Duel's time, or not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from quantumgate.core.delegations import FOR_ALL, Delegation, delegate
from quantumgate.core.handshake import HandshakeSettings
from quantumgate.crypto import labels
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.signatures import KINDS
from tests.core.handshake.duel import START, WALL_OFFSET_SECONDS, SeededRandom, identity

NOW_SECONDS = int(START + WALL_OFFSET_SECONDS)
DAY = 86_400


def online(name: str, kind: int = 1) -> Identity:
    """A fresh object every time, for it is told whom it acts for; the same key for the same name."""
    return Identity(kind, Secret(SeededRandom((name, "online", kind)).bytes(KINDS[kind].seed_bytes)))


def delegation(name: str, kind: int = 1, *, key: str = "", root: str = "", **changes: Any) -> Delegation:
    """What the root ``name`` signed for its online key (or ``key``'s); ``changes`` are signed, too, by ``root``."""
    one = delegate(
        identity(name, kind), online(key or name, kind).own, serial=NOW_SECONDS * 1000,
        not_before_seconds=NOW_SECONDS - DAY, not_after_seconds=NOW_SECONDS + DAY, usages=FOR_ALL,
    )
    if not changes and not root:
        return one
    changed = replace(one, **changes)
    digest = hashlib.sha512(changed.signed_part()).digest()
    return replace(changed, signature=identity(root or name, kind).sign(labels.SIGN_DELEGATION, digest))


def deputy(name: str, kind: int = 1, *, key: str = "", said: bytes = b"", **changes: Any) -> Identity:
    """An online key that acts for ``name``, by a delegation of these terms, or whatever is ``said``."""
    whose = identity(name, kind).public
    return online(key or name, kind).act_for(whose, said or delegation(name, kind, key=key, **changes).encode())


def delegated(name: str, kind: int = 1, **more: Any) -> HandshakeSettings:
    """Settings of somebody whose root is elsewhere."""
    return HandshakeSettings(deputy(name, kind), **more)
