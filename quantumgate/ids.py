"""Names of peers and extenders, and the text of qg addresses.

A peer's UUID is a cryptographic name of its key (``crypto/identity.py`` computes it); here it is only a name.
Spec: docs/spec/identity.md (addresses).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import starmap
from typing import NewType
from uuid import UUID

from quantumgate.errors import LocalError

PeerUUID = NewType("PeerUUID", UUID)
ExtenderUUID = NewType("ExtenderUUID", UUID)

NOBODY = PeerUUID(UUID(int=0))
"""The target of an unaddressed dial: 16 zero bytes."""

DEFAULT_PORT = 9999
MAX_ANCHORS = 3
MAX_HOSTS = 8
_FINGERPRINT = re.compile(r"[a-z2-7]{52}")
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.%a-z]{2,60}\]")


def parse_peer_uuid(text: str) -> PeerUUID:
    """A peer's UUID from text. Raises LocalError unless it is a canonical UUIDv8 of the RFC 9562 variant."""
    try:
        value = UUID(text)
    except ValueError:
        raise LocalError(f"not a peer UUID: {text!r}") from None
    if str(value) != text.lower() or value.version != 8:
        raise LocalError(f"not a peer UUID: {text!r}", advice="a peer's UUID has the form xxxxxxxx-xxxx-8xxx-....")
    return PeerUUID(value)


@dataclass(frozen=True, slots=True)
class QgAddress:
    """``qg://UUID[.fingerprint]@host[:port][,host[:port]...]``, or a bare ``UUID`` (no hosts).

    Of a peer that cannot be dialled: ``qg://UUID[.fingerprint]?key=KEY&anchor=ANCHOR[&anchor=ANCHOR...]``, where KEY is
    its rendezvous key as fingerprints are written, and ANCHOR the address of a relay without ``qg://``.
    """

    uuid: PeerUUID
    hosts: tuple[tuple[str, int], ...] = ()
    fingerprint: str = ""
    key: str = field(default="", repr=False)
    anchors: tuple[QgAddress, ...] = ()

    @classmethod
    def parse(cls, text: str) -> QgAddress:
        """Raises LocalError with what was expected and what was found."""
        bare = text.removeprefix("qg://")
        if "?" in bare:
            return cls._behind_anchors(text, *bare.split("?", 1))
        name, at, rest = bare.partition("@")
        if at and bare == text:
            raise LocalError(f"expected qg://UUID@host:port, found {text!r}")
        uuid_text, dot, fingerprint = name.partition(".")
        if dot and not _FINGERPRINT.fullmatch(fingerprint):
            raise LocalError(f"a fingerprint has 52 characters a-z 2-7, found {fingerprint!r}")
        hosts = tuple(parse_host(part) for part in rest.split(",")) if at else ()
        if len(hosts) > MAX_HOSTS:
            raise LocalError(f"at most {MAX_HOSTS} hosts in one address, found {len(hosts)}")
        return cls(parse_peer_uuid(uuid_text), hosts, fingerprint)

    @classmethod
    def _behind_anchors(cls, text: str, name: str, rest: str) -> QgAddress:
        if "?" in rest:  # an anchor behind anchors, and so on
            raise LocalError("expected qg://UUID?key=KEY&anchor=UUID@host:port, found more than one ?")
        bare = cls.parse(name)
        words = [word.partition("=") for word in rest.split("&")]
        keys = [value for word, _, value in words if word == "key"]
        anchors = tuple(cls.parse(f"qg://{value}") for word, _, value in words if word == "anchor")
        if bare.hosts or len(keys) != 1 or len(anchors) + 1 != len(words) or not text.startswith("qg://"):
            raise LocalError("expected qg://UUID?key=KEY&anchor=UUID@host:port, found another form")
        if not _FINGERPRINT.fullmatch(keys[0]):
            raise LocalError("a rendezvous key has 52 characters a-z 2-7")
        if not 0 < len(anchors) <= MAX_ANCHORS or not all(one.hosts and not one.anchors for one in anchors):
            raise LocalError(f"1 to {MAX_ANCHORS} anchors with hosts, found {len(anchors)} anchors")
        return cls(bare.uuid, (), bare.fingerprint, keys[0], anchors)

    @property
    def to_dial(self) -> str:
        """What a node is given: all of it where it says more than the bare UUID."""
        return str(self) if self.hosts or self.anchors or self.fingerprint else str(self.uuid)

    def __str__(self) -> str:
        name = f"{self.uuid}.{self.fingerprint}" if self.fingerprint else str(self.uuid)
        if self.anchors:
            anchors = "".join(f"&anchor={str(one).removeprefix('qg://')}" for one in self.anchors)
            return f"qg://{name}?key={self.key}{anchors}"
        if not self.hosts:
            return f"qg://{name}"
        return f"qg://{name}@" + ",".join(starmap(host_text, self.hosts))


def host_text(host: str, port: int) -> str:
    """``host:port``, and ``[ipv6]:port`` whether or not ``host`` came with its brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def parse_host(text: str) -> tuple[str, int]:
    """Host and port of ``host[:port]`` or ``[ipv6][:port]``; the host keeps its brackets. Raises LocalError."""
    host, port_text = (text, "") if text.endswith("]") else _split_port(text)
    if not _HOST.fullmatch(host):
        raise LocalError(f"expected host:port, [ipv6]:port or a host name, found {text!r}")
    if not port_text:
        return host, DEFAULT_PORT
    digits = port_text.isascii() and port_text.isdigit() and len(port_text) <= 5
    if not digits or not 1 <= int(port_text) <= 65535:
        raise LocalError(f"a port is a number from 1 to 65535, found {port_text!r:.20}")
    return host, int(port_text)


def _split_port(text: str) -> tuple[str, str]:
    host, colon, port = text.rpartition(":")
    return (host, port) if colon else (text, "")
