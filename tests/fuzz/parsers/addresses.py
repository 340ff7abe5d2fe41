"""What people paste: qg addresses, names of hosts, UUIDs, and peer records as text. A value or its error, one spelling.

Spec: docs/spec/identity.md (addresses), docs/spec/peer-records.md, 6.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

from quantumgate.crypto.identity import fingerprint_text
from quantumgate.errors import ConnectFailed, LocalError, MalformedError
from quantumgate.ids import QgAddress, host_text, parse_host, parse_peer_uuid
from quantumgate.node.dialling import parse_target
from quantumgate.wire import record_text
from tests.fuzz.parsers.plain import Lore
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken

PEER = "0b51a0f2-3c4d-8100-8888-000000000001"
KEY = fingerprint_text(bytes(range(32)))
_NO_WORLD: Any = SimpleNamespace(host=lambda *_: None, client=lambda *_: None)  # nothing is dialled


class Paste(IntEnum):
    ADDRESS = 0
    HOST = 1
    UUID = 2
    RECORDS = 3
    DIAL = 4


def run_script(script: Script) -> list[Any]:
    """What was understood. Raises Broken, or whatever escaped a parser."""
    return [found for step in script if (found := READ[Paste(step.kind % len(Paste))](_text(step.data))) is not None]


def _text(data: bytes) -> str:
    """As it comes from a terminal: what is no UTF-8 is there in surrogates."""
    return data.decode("utf-8", "surrogateescape")


def _address(text: str) -> QgAddress | None:
    try:
        address = QgAddress.parse(text)
    except LocalError:
        return None
    if QgAddress.parse(str(address)) != address or address.uuid != QgAddress.parse(address.to_dial).uuid:
        raise Broken(f"{address} is another address than it was")
    return address


def _host(text: str) -> tuple[str, int] | None:
    try:
        host, port = parse_host(text)
    except LocalError:
        return None
    if parse_host(host_text(host, port)) != (host, port) or not host.isascii():
        raise Broken(f"{host}:{port} is another host than it was")
    return host, port


def _uuid(text: str) -> Any:
    try:
        uuid = parse_peer_uuid(text)
    except LocalError:
        return None
    if str(uuid) != text.lower():
        raise Broken("a UUID in two spellings")
    return uuid


def _records(text: str) -> tuple[bytes, ...] | None:
    try:
        records = record_text.from_text(text)
    except MalformedError:
        return None
    if [record_text.as_text(record) for record in records] != text.split():
        raise Broken("a record in two spellings")
    return records


def _dial(text: str) -> Any:
    try:
        return parse_target(text, _NO_WORLD)
    except ConnectFailed:
        return None


READ: dict[Paste, Callable[[str], Any]] = {
    Paste.ADDRESS: _address, Paste.HOST: _host, Paste.UUID: _uuid, Paste.RECORDS: _records, Paste.DIAL: _dial,
}  # fmt: skip
ADDRESSES = (PEER, f"qg://{PEER}", f"qg://{PEER}.{KEY}@h.example:1,[2001:db8::1]:9999,192.0.2.1",
             f"qg://{PEER}?key={KEY}&anchor={PEER}.{KEY}@192.0.2.1:2&anchor={PEER}@[::1]")
TEXTS = ("[fe80::1%eth0]:7", "host", "192.0.2.1:65535")
RECORD = record_text.as_text(bytes(range(99)))
LORE = Lore(
    Paste,
    (
        *(Step(kind, data=text.encode()) for kind in (Paste.ADDRESS, Paste.DIAL) for text in ADDRESSES),
        *(Step(Paste.HOST, data=text.encode()) for text in TEXTS),
        Step(Paste.UUID, data=PEER.encode()),
        Step(Paste.DIAL, data=b"tcp:127.0.0.1:9999"),
        *(Step(Paste.RECORDS, data=f"{RECORD} \n{RECORD}".encode()) for _ in range(3)),
    ),
    (*(word.encode() for word in (PEER, KEY, RECORD, "qg://", "qgr:", "@", "?", "&", "?anchor=" + PEER, "?key=", ".",
                                  "&anchor=", "=", ",", ":", "[", "]", "%", "::", "9", "65536", "\u0661", "\u0130", "-",
                                  "_", "A", "{", "}", "urn:uuid:", "tcp:", " ", "\x00", "\n", "\x1b")), b"\xff"),
)
