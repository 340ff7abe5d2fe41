"""The SESSION block (session.md section 1).

Not for phases.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from .octets import Reader, require

NUMBERS = {0x41: (4, 16_384, 1_048_576, "max_record"), 0x42: (4, 65_536, 2**32, "initial_window"),
           0x43: (4, 32, 2**32, "max_channels"), 0x44: (4, 1, 8_388_608, "max_message"), 0x47: (1, 0, 255, "padding"),
           0x48: (1, 1, 255, "version"), 0x4D: (1, 0, 255, "relay"), 0x4E: (8, 0, 2**64, "clock"),
           0x4F: (8, 0, 2**64, "instance")}
LISTS = {0x45: (2, "compression"), 0x49: (2, "features"), 0x4B: (16, "extenders")}
ENDPOINTS, REPLACES, TOKEN = 0x4C, 0x50, 0x51


@dataclass
class Block:
    """What a SESSION block says; missing parts have their defaults."""

    numbers: dict[str, int] = field(default_factory=lambda: {
        "max_record": 262_144, "initial_window": 65_536, "max_channels": 512, "max_message": 1_048_576, "padding": 0,
        "version": 1, "relay": 0})
    lists: dict[str, list[bytes]] = field(default_factory=lambda: {name: [] for _, name in LISTS.values()})
    endpoints: list[str] = field(default_factory=list)
    replaces: bytes | None = None
    token: bytes | None = None

    @classmethod
    def decode(cls, payload: bytes) -> Block:
        """A block as its receiver must read it."""
        block, reader, last = cls(), Reader(payload, "SESSION"), -1
        while reader.left:
            kind = reader.u(1)
            value = reader.take(reader.u(3))
            require(kind > last, "SESSION", f"type {kind:#x} out of order")
            last = kind
            block._take(kind, value)
        return block

    def _take(self, kind: int, value: bytes) -> None:
        if kind in NUMBERS:
            width, least, most, name = NUMBERS[kind]
            require(len(value) == width, "SESSION", name)
            number = int.from_bytes(value, "big")
            require(least <= number <= most, "SESSION", f"{name} {number}")
            if name != "padding" or number in (0, 1):
                self.numbers[name] = number
        elif kind in LISTS:
            self._take_list(*LISTS[kind], value)
        elif kind == ENDPOINTS:
            self._take_endpoints(value)
        elif kind in (REPLACES, TOKEN):
            require(len(value) == (32 if kind == REPLACES else 48), "SESSION", "length")
            if kind == REPLACES:
                self.replaces = value
            else:
                self.token = value

    def _take_list(self, width: int, name: str, value: bytes) -> None:
        require(len(value) % width == 0, "SESSION", name)
        entries = [value[at:at + width] for at in range(0, len(value), width)]
        require(name != "extenders" or len(set(entries)) == len(entries), "SESSION", "an extender twice")
        self.lists[name] = entries

    def _take_endpoints(self, value: bytes) -> None:
        reader = Reader(value, "SESSION")
        while reader.left:
            try:
                self.endpoints.append(reader.take(reader.u(1)).decode("utf-8"))
            except UnicodeDecodeError:
                require(False, "SESSION", "an endpoint that is not UTF-8")
        require(len(self.endpoints) <= 8, "SESSION", "endpoints")
