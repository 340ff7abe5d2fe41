"""A gateway that alters what it carries: ``twistd qgnode`` with its splice changed, for ``tamper.py`` alone.

    python -m tests.acceptance.hostile ORDERS TWISTD-OPTIONS...

Does to the next piece of a link what the file ORDERS says (``DEED forth|back``), once, and removes the file: ``flip`` a
bit, ``cut`` a byte out, ``stutter`` (a byte twice), ``drop`` the piece or ``repeat`` it. A piece is what one LINK_DATA
holds: a sealed record.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from quantumgate.core.relay.link import Pipe

PIECE_BYTES = 200
"""Of shorter ones nothing is made: a record is never that short in a circuit."""


def flip(data: bytes) -> list[bytes]:
    middle = len(data) // 2
    return [data[:middle] + bytes((data[middle] ^ 1,)) + data[middle + 1 :]]


def cut(data: bytes) -> list[bytes]:
    return [data[: len(data) // 2] + data[len(data) // 2 + 1 :]]


def stutter(data: bytes) -> list[bytes]:
    middle = len(data) // 2
    return [data[:middle] + data[middle : middle + 1] + data[middle:]]


def drop(data: bytes) -> list[bytes]:
    return []


def repeat(data: bytes) -> list[bytes]:
    return [data, data]


DEEDS: dict[str, Callable[[bytes], list[bytes]]] = {one.__name__: one for one in (flip, cut, stutter, drop, repeat)}
WAYS = ("forth", "back")


class HostilePipe(Pipe):
    """Obeys the orders; ``forth`` is away from who asked for the link."""

    __slots__ = ()
    orders: Path

    def _arrived(self, data: memoryview) -> None:
        deed = self._ordered() if len(data) >= PIECE_BYTES else None
        for piece in deed(bytes(data)) if deed else (data,):
            super()._arrived(memoryview(piece))

    def _ordered(self) -> Callable[[bytes], list[bytes]] | None:
        try:
            deed, way = self.orders.read_text(encoding="ascii").split()
        except FileNotFoundError:
            return None
        if way != WAYS[self._from.ours]:
            return None
        self.orders.unlink()
        return DEEDS[deed]


def main() -> None:
    from twisted.scripts.twistd import run

    from quantumgate.core.relay import link

    HostilePipe.orders = Path(sys.argv.pop(1))
    link.Pipe = HostilePipe  # type: ignore[misc]
    run()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
