"""Invitations as people paste them, and what stands in them: a value or its error, one spelling, one opinion of two.

The bytes below the check are fuzzed under a check that fits, or nothing behind it would ever be reached; what the
second decoder of ``tests/vectors`` makes of them is the oracle. Names that people type are here, too. Spec:
docs/spec/addresses.md sections 2 and 3.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import replace
from enum import IntEnum
from typing import Any

from quantumgate.core.petnames import checked_name, is_name, look
from quantumgate.errors import LocalError, MalformedError
from quantumgate.ids import QgAddress
from quantumgate.node.joining import addresses_of
from quantumgate.wire.invitation_text import (
    CHECK_BYTES,
    SCHEME,
    Invitation,
    is_invitation_text,
    read_invitation,
)
from tests.fuzz.parsers.plain import Lore
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken
from tests.vectors.second import invitations as second
from tests.vectors.second.octets import Refused
from tests.wire.test_invitation_text import FULL, NAME, ONE, PLAIN, V4, V6


class Paste(IntEnum):
    TEXT = 0
    BODY = 1  # with a check behind it
    NAME = 2


def run_script(script: Script) -> list[Any]:
    """What was understood. Raises Broken, or whatever escaped a parser."""
    return [found for step in script if (found := READ[Paste(step.kind % len(Paste))](step.data)) is not None]


def _text(data: bytes) -> Invitation | None:
    return _read(data.decode("utf-8", "surrogateescape"))


def _body(data: bytes) -> Invitation | None:
    whole = data + binascii.crc32(data).to_bytes(CHECK_BYTES, "big")
    return _read(SCHEME + base64.b32encode(whole).decode().rstrip("="))


def _read(text: str) -> Invitation | None:
    try:
        found = read_invitation(text)
    except MalformedError:
        found = None
    try:
        theirs: bytes | None = second.read_text(text).body
    except Refused:
        theirs = None
    if (found is None) != (theirs is None):
        raise Broken(f"{text[:80]!r} is {found}, and {theirs!r} for the oracle")
    if found is None:
        return None
    if found.encode()[:-CHECK_BYTES] != theirs or read_invitation(found.text) != found or not is_invitation_text(text):
        raise Broken(f"{found} is another invitation than it was")
    for address in addresses_of(found) if found.endpoints or found.anchors else ():
        if QgAddress.parse(address).uuid != found.uuid:
            raise Broken(f"{address} leads elsewhere")
    return found


def _name(data: bytes) -> str | None:
    text = data.decode("utf-8", "surrogateescape")
    expected = len(text) <= 32 and re.fullmatch(r"[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z0-9]+){0,2}", text) is not None
    if is_name(text) != expected:
        raise Broken(f"{text[:80]!r} is a name: {not expected}")
    try:
        name = checked_name(text)
    except LocalError:
        return None
    if not expected or checked_name(name) != name or look(name) != look(text.lower()) or name.count("-") > 2:
        raise Broken(f"{text[:80]!r} is {name}")
    return name


READ: dict[Paste, Callable[[bytes], Any]] = {Paste.TEXT: _text, Paste.BODY: _body, Paste.NAME: _name}
NAMES = (b"bob", b"Bob-Laptop", b"b0b", b"rn-vv-1", b"everybody")
LORE = Lore(
    Paste,
    (
        *(Step(Paste.TEXT, data=one.text.encode()) for one in (PLAIN, FULL)),
        *(Step(Paste.BODY, data=one.encode()[:-CHECK_BYTES]) for one in (PLAIN, FULL, replace(PLAIN, endpoints=()))),
        *(Step(Paste.NAME, data=name) for name in NAMES),
    ),
    (ONE.bytes, V4.encode(), V6.encode(), NAME.encode(), b"\x01\x09192.0.2.7\x00\x01", b"\x00\x07", b"\x00\x00",
     b"\x01", b"\x03", b"\x21", b"\xff", b"\x00", b"qgi:", b"QGI:", b" ", b"\n", b"=", b"1", b"a", b"7", b"-", b"--",
     b"me", b"Z", "\u0131".encode(), "\u212a".encode(), "\u0430".encode()),
)  # fmt: skip
