"""Bytes of a file as a configuration: checked Settings, or one line for the user that names the file and the key.

Spec: docs/guide/configuration.md.
"""

from __future__ import annotations

import io
import json
import re
import tomllib
from collections.abc import Iterable
from enum import IntEnum
from pathlib import PurePosixPath
from typing import Any

from quantumgate.errors import ConfigurationError
from quantumgate.settings.loader import load
from quantumgate.settings.sample import full_text
from quantumgate.settings.schema import Settings
from quantumgate.settings.wording import shortened
from tests.fuzz.parsers.plain import Lore
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken

MESSAGE_LETTERS_MOST = 2000
PEER = "0b51a0f2-3c4d-8100-8888-000000000001"
_PLACE = re.compile(r"etc/qg\.toml(?::\d+:\d+)?: ")
_FIRST_KEY = re.compile(r'([A-Za-z0-9_-]+(?:\.\.\.)?|"(?:[^"\\]|\\.)*")(?:[.\[:]|$)')


class File(IntEnum):
    TEXT = 0  # data = the bytes of the file


class FileInMemory(PurePosixPath):
    """A path whose file is in memory."""

    data = b""

    def absolute(self) -> FileInMemory:
        return self

    def open(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.data)


def run_script(script: Script) -> list[Settings]:
    """Raises Broken, or whatever escaped the loader."""
    return [settings for step in script if (settings := loaded(step.data)) is not None]


def loaded(data: bytes) -> Settings | None:
    path: Any = FileInMemory("etc/qg.toml")
    path.data = data
    try:
        return load(path, extenders=("echo", "socks5"), offerable=installed)
    except ConfigurationError as error:
        check(str(error), data)
        return None


def installed(ids: Iterable[int]) -> tuple[int, ...]:
    return tuple(ids)


def check(message: str, data: bytes) -> None:
    """One printable line, not too long; where the text is TOML, it names a key that is there or should be."""
    if len(message) > MESSAGE_LETTERS_MOST or not message.isprintable():
        raise Broken(f"no line for a terminal: {ascii(message)[:200]}")
    if not (place := _PLACE.match(message)):
        raise Broken(f"no file in {message[:200]!r}")
    try:
        given = tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return
    key = _FIRST_KEY.match(message, place.end())
    names = {*given, *Settings.__struct_fields__}
    if not key or not any(key[1] in {name, json.dumps(name)} for name in map(shortened, names)):
        raise Broken(f"no key in {message[:200]!r}")


NODE = b"""[node]
listen = ["tcp:9999", {endpoint = "tcp6:9998:interface=\\\\:\\\\:1", lan = true}]
connect = ["qg://%s@192.0.2.7:9999"]
control = "run/control"
[security]
level = "custom"
handshake_seconds = 20
handshake_delay_seconds = 0
rekey_seconds = [300, 600.5]
rekey_volume_bytes = 20000000
rekey_stop_seconds = 120
[privacy]
padding = "padme"
noise = "off"
hops = 0
""" % PEER.encode()
ACCESS = b"""[access]
allow = ["%s", {peer = "%s", only = ["relay"]}]
allow_from = ["192.0.2.0/24", "2001:db8::/32"]
block = ["::ffff:192.0.2.1"]
limits = [{prefix = "ipv4/24", connections = 16, attempts = 40, links = 8}]
[limits]
sessions = 100
rekey_seconds = [300, 600]
[algorithms]
primary = ["X25519"]
minimum = {symmetric = ["AES-256-GCM"]}
[relay]
anchors = ["qg://%s@h:1"]
[extenders.echo]
""" % ((PEER.encode(),) * 3)
WORDS = (
    *(name.encode() for name in Settings.__struct_fields__), b"=", b"\n", b"[", b"]", b"{", b"}", b'"', b'"""', b"'''",
    b"#", b".", b",", b"1979-05-27T07:32:00Z", b"07:32:00", b"nan", b"-inf", b"1e999", b"0x", b"0xf", b"9" * 20, b"-1",
    b"true", b"\\u009b", b"\\u202e", b"\\U0010ffff", b"\\u0000", b"\\n", b"\xff", b"\x1b", b"\xe2\x80\xa8", b"a.b.c",
    b"limits.sessions = 1\n", b"extenders.echo.x = 1\n", b"[[node]]\n", b'"\\u001b" = 1\n', b"store", b"qg://", b"@h:",
    b"?key=", b"&anchor=", b"?anchor=" + PEER.encode(),
    b"1", b"::1", b"/32", b"ipv6/128", b"tcp:", b"_bytes", b"level",
    b"peer", b"only", b"endpoint", b"minimum", b"prefix", b"[0, 1]",
)  # fmt: skip
LORE = Lore(File, tuple(Step(File.TEXT, data=data) for data in (NODE, ACCESS, full_text().encode())), WORDS)
