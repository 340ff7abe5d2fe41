"""Why a request failed: our codes between the two sides, and what SOCKS 5 and SOCKS 4 call them.

Not for: finding out why (``dialling.py``), or how a code travels (``wire.py``).
"""

from __future__ import annotations

from enum import IntEnum
from ipaddress import IPv4Address

from .destination import NOWHERE, Destination

SOCKS4_GRANTED, SOCKS4_REFUSED = 0x5A, 0x5B


class Code(IntEnum):
    """0 to 8 are the reply codes of RFC 1928; from 16 on ours, which SOCKS has no word for."""

    GRANTED = 0
    FAILURE = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    REFUSED = 5
    TIMED_OUT = 6
    COMMAND_UNKNOWN = 7
    ADDRESS_TYPE_UNKNOWN = 8
    NAME_UNKNOWN = 16
    NAME_FAILED = 17
    LIMIT = 18
    NO_EXIT = 19
    EXIT_LOST = 20
    NOT_OFFERED = 21


_IN_SOCKS5 = {
    Code.NAME_UNKNOWN: Code.HOST_UNREACHABLE,
    Code.NAME_FAILED: Code.HOST_UNREACHABLE,
    Code.LIMIT: Code.FAILURE,
    Code.NO_EXIT: Code.NETWORK_UNREACHABLE,
    Code.EXIT_LOST: Code.FAILURE,
    Code.NOT_OFFERED: Code.NOT_ALLOWED,
}
OF_THE_EXIT = frozenset({Code.LIMIT, Code.EXIT_LOST, Code.NOT_OFFERED})
"""Failures that say nothing of the destination: another exit may do better."""


def code_of(number: int) -> Code:
    """A code from the wire; one that we do not know is a general failure."""
    try:
        return Code(number)
    except ValueError:
        return Code.FAILURE


def socks5(code: Code, bound: Destination = NOWHERE) -> bytes:
    """The reply of SOCKS 5 (RFC 1928, section 6)."""
    return bytes((5, _IN_SOCKS5.get(code, code), 0)) + bound.encode()


def socks4(code: Code, bound: Destination = NOWHERE) -> bytes:
    """The reply of SOCKS 4, which has one word for all failures, and none for IPv6."""
    host = bound.host if isinstance(bound.host, IPv4Address) else IPv4Address(0)
    status = SOCKS4_GRANTED if code is Code.GRANTED else SOCKS4_REFUSED
    return bytes((0, status)) + bound.port.to_bytes(2) + host.packed


def reply(version: int, code: Code, bound: Destination = NOWHERE) -> bytes:
    """In the version that the program speaks."""
    return socks4(code, bound) if version == 4 else socks5(code, bound)
