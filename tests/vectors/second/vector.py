"""The vector files (handshake.md section 13): what is injected, and which fields were used.

Not for any derivation.
"""
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .identity import Deputy, Identity
from .octets import require

FOLDER = Path(__file__).parent.parent


def names() -> list[str]:
    """The vector files of handshakes and sessions: folder and name, without their ending."""
    files = (path for folder in ("handshake", "session") for path in (FOLDER / folder).glob("*.json"))
    return sorted(f"{path.parent.name}/{path.stem}" for path in files)


def load(name: str) -> Any:
    """One vector as plain JSON."""
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """The paths of all numbers, texts and so on in a vector; an empty list or object counts as one."""
    if isinstance(value, (dict, list)) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, f"{path}/{key}")
    else:
        yield path


class Node:
    """A part of a vector that remembers in `used` which leaves were taken."""

    def __init__(self, value: Any, used: set[str], path: str = "") -> None:
        self._value = value
        self._used = used
        self._path = path

    def __getitem__(self, key: str | int) -> Node:
        return Node(self._value[key], self._used, f"{self._path}/{key}")

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def __iter__(self) -> Iterator[Node]:
        if self.is_empty():
            self.take()
        return (self[at] for at in range(len(self._value)))

    def names(self) -> list[str]:
        """The names in an object."""
        return list(self._value)

    def is_empty(self) -> bool:
        """Whether nothing is below this part."""
        return not self._value

    def take(self) -> Any:
        """All below this part as plain JSON."""
        self._used.update(leaves(self._value, self._path))
        return self._value

    def octets(self) -> bytes:
        """A leaf of hexadecimal digits."""
        return bytes.fromhex(self.take())


class Luck:
    """The random draws of one side in their order."""

    def __init__(self, draws: Node) -> None:
        self._draws = iter(draws)

    def octets(self, length: int) -> bytes:
        """The next draw, which must be octets."""
        drawn = next(self._draws).octets()
        require(len(drawn) == length, "draws", "another length")
        return drawn

    def number(self) -> int:
        """The next draw, which must be a number."""
        drawn = next(self._draws).take()
        require(isinstance(drawn, int), "draws", "not a number")
        return int(drawn)

    def used_up(self) -> bool:
        """Whether no draw is left."""
        return next(self._draws, None) is None


class Party:
    """What is injected into one side: identity, draws, ephemeral keys, signatures."""

    def __init__(self, node: Node) -> None:
        self.node = node
        root = Identity.from_seeds(node["kind"].take(), node["seeds"].octets())
        self.identity: Identity | Deputy = root
        self.delegation = b""
        if "online" in node:
            online = Identity.from_seeds(root.kind, node["online"]["seeds"].octets())
            require(node["online"]["bundle"].octets() == online.bundle, "online", "another bundle")
            self.identity, self.delegation = Deputy(root, online), node["delegation"].octets()
        self.luck = Luck(node["draws"])
        self.keys = iter(node["keys"])
        self.signatures = iter(node["signatures"])

    def sign(self, name: str, h: bytes) -> bytes:
        """The next signature, which must have this name and hash; its deterministic half is made anew."""
        entry = next(self.signatures)
        require(entry["name"].take() == name and entry["hash"].octets() == h, "signatures", name)
        given = entry["signature"].octets()
        made = self.identity.sign(name, h, given)
        require(made == given, "signatures", f"{name}: another signature")
        return made


class Inputs:
    """The part `inputs` of a vector."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.wall_ms: int = node["wall_ms"].take()
        self.network_id: str = node["network_id"].take()
        self.passphrase: str | None = node["passphrase"].take()
        secret = node["psk"].take()
        self.secret = None if secret is None else bytes.fromhex(secret)
        self.target = node["target"].octets()
        self.anonymous: bool = node["anonymous"].take()
        self.role: int = node["role"].take()
        self.session = node["session"].octets()
        self.token = node["token"].octets() if "token" in node else None
        self.puzzle = (node["puzzle"]["seed"].octets(), node["puzzle"]["bits"].take()) if "puzzle" in node else None
        self.solution = node["solution"].octets() if "solution" in node else None
        self.initiator = Party(node["initiator"])
        self.responder = Party(node["responder"])

    def lists(self, name: str) -> tuple[list[int], list[int], list[int]]:
        """The three lists of `offer` or `allowed_by_responder`."""
        node = self.node[name]
        return node["primaries"].take(), node["secondaries"].take(), node["aeads"].take()
