"""Numbered reasons on the wire: CLOSE, CH_RESET, links, REFUSE. Spec: docs/spec/codes.md."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

CODES_REMEMBERED = 64
"""Whose words are kept: a session's end says the same few again and again."""


class CloseCode(IntEnum):
    """Why a session ends. Unknown numbers mean a general failure."""

    BYE = 0
    IDLE = 1
    DUPLICATE = 2
    REPLACED = 3
    ACCESS_DENIED = 4
    TOO_MANY_SESSIONS = 5
    VIOLATION = 6
    FLOOD = 7
    OUT_OF_RESOURCES = 8
    REKEY_FAILED = 9
    IDENTITY_EXPIRED = 10
    UPGRADE = 11
    GOING_TO_SLEEP = 12
    INVITATION_EXPIRED = 13
    INVITATION_USED = 14
    INVITATION_REVOKED = 15


class ResetCode(IntEnum):
    """Why a channel ends early. Numbers from 0x8000 belong to the extender."""

    CANCELLED = 0
    NO_SUCH_SERVICE = 1
    REFUSED = 2
    IDENTITY_NEEDED = 3
    LIMIT = 4
    TIMEOUT = 5
    PATH_LOST = 6
    GUEST_FAILED = 7


class LinkCode(IntEnum):
    """LINK_STATUS and LINK_CLOSE. Unknown numbers mean a failure; 2, 4, 6, 8 and 9 are never sent."""

    FINISHED = 0
    CONNECTED = 1
    UNREACHABLE = 3
    POLICY = 5
    LIMIT = 7
    RESET = 10
    FAILURE = 11
    RELAY_LIMIT = 12


FIRST_GUEST_RESET_CODE = 0x8000


class RefuseCode(IntEnum):
    """Why a handshake was refused (message type 5)."""

    NO_COMMON_SUITE = 1
    VERSION = 2
    BUSY = 3


@lru_cache(CODES_REMEMBERED)
def describe(code: int, family: type[IntEnum]) -> str:
    """A code in words, ``unknown reason N`` where it has none."""
    try:
        return family(code).name.lower().replace("_", " ")
    except ValueError:
        return f"unknown reason {code}"
