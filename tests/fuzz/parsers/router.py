"""Answers of a router that is asked for a port, as a neighbour on the cable may forge them; and its routing table.

Checked against RFC 6886 and RFC 6887 as read here once more: what they allow is understood, and nothing else is. Spec:
docs/spec/discovery.md section 7.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from quantumgate.errors import MalformedError
from quantumgate.net.defaultroute import router_in
from quantumgate.wire import port_maps
from quantumgate.wire.port_maps import RouterAnswer
from tests.fuzz.parsers.plain import Lore
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken


class Said(IntEnum):
    PCP = 0  # an answer to ANNOUNCE
    PCP_MAP = 1
    NAT_PMP = 2  # an answer about its address
    NAT_PMP_MAP = 3
    TABLE = 4


def run_script(script: Script) -> list[Any]:
    """What was understood. Raises Broken, or whatever escaped a parser."""
    return [found for step in script if (found := _once(Said(step.kind % len(Said)), step.data))]


def _once(kind: Said, data: bytes) -> Any:
    if kind is Said.TABLE:
        return _table(data.decode("ascii", "replace"))
    read, expected = READERS[kind]
    try:
        found = read(data)
    except MalformedError:
        found = None
    if found != (wanted := expected(data)):
        raise Broken(f"{data[:70].hex()} is {found}, and {wanted} for the oracle")
    older = 8 <= len(data) <= 16 and data[0] == 0 and data[1] >= 0x80 and data[2:4] == b"\x00\x01"
    if port_maps.says_nat_pmp(data) != older:
        raise Broken(f"{data[:70].hex()} is how an older router answers")
    return found


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _host(data: bytes) -> str:
    return "" if data == bytes(4) else socket.inet_ntoa(data)


def _pcp(data: bytes) -> RouterAnswer | None:
    good = 24 <= len(data) <= 1100 and not len(data) % 4 and data[:2] == b"\x02\x80"
    return RouterAnswer(data[3], _number(data, 8, 4)) if good else None


def _pcp_map(data: bytes) -> RouterAnswer | None:
    if not 60 <= len(data) <= 1100 or len(data) % 4 or data[:2] != b"\x02\x81" or data[36] != 6:
        return None
    result, lease, epoch = data[3], _number(data, 4, 4), _number(data, 8, 4)
    nonce, port, external = data[24:36], _number(data, 40, 2), _number(data, 42, 2)
    if result:
        return RouterAnswer(result, epoch, port=port, nonce=nonce)
    if data[44:56] != bytes(10) + b"\xff\xff" or (lease and not external):
        return None
    return RouterAnswer(0, epoch, port, external, lease, _host(data[56:60]), nonce)


def _nat_pmp(data: bytes) -> RouterAnswer | None:
    return _of_nat_pmp(data, 0x80, 12, lambda epoch: RouterAnswer(0, epoch, address=_host(data[8:12])))


def _nat_pmp_map(data: bytes) -> RouterAnswer | None:
    lease, external = _number(data, 12, 4), _number(data, 10, 2)
    found = _of_nat_pmp(data, 0x82, 16, lambda epoch: RouterAnswer(0, epoch, _number(data, 8, 2), external, lease))
    return None if found is not None and not found.result and lease and not external else found


def _of_nat_pmp(data: bytes, kind: int, whole: int, done: Callable[[int], RouterAnswer]) -> RouterAnswer | None:
    if not 8 <= len(data) <= whole or data[:2] != bytes((0, kind)):
        return None
    result, epoch = _number(data, 2, 2), _number(data, 4, 4)
    if result:
        return RouterAnswer(result, epoch)
    return done(epoch) if len(data) == whole else None


READERS: dict[Said, tuple[Callable[[bytes], RouterAnswer], Callable[[bytes], RouterAnswer | None]]] = {
    Said.PCP: (port_maps.read_pcp_announce, _pcp),
    Said.PCP_MAP: (port_maps.read_pcp_map, _pcp_map),
    Said.NAT_PMP: (port_maps.read_nat_pmp_address, _nat_pmp),
    Said.NAT_PMP_MAP: (port_maps.read_nat_pmp_map, _nat_pmp_map),
}


def _table(text: str) -> str:
    """An address that stands in the table, or none."""
    found = router_in(text)
    if found:
        number = int.from_bytes(socket.inet_aton(found), sys.byteorder)
        if not re.search(f"0*{number:x}", text.replace("_", ""), re.IGNORECASE):
            raise Broken(f"{found} stands nowhere in the table")
    return found


PCP_MAP = bytes.fromhex("0281000000000e10000003e8" + "00" * 12 + "000102030405060708090a0b" + "06000000270f270f"
                        + "00" * 10 + "ffff54140799")
PMP_MAP = bytes.fromhex("00820000000003e8270f4e2000000e10")
TABLE = b"Iface\tDestination\tGateway\neth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
LORE = Lore(
    Said,
    (
        Step(Said.PCP, data=bytes.fromhex("0280000000000000000003e8") + bytes(12)),
        Step(Said.PCP, data=bytes.fromhex("02800004000000000000000a") + bytes(12)),
        Step(Said.PCP, data=bytes.fromhex("00800001000003e8")),
        Step(Said.PCP_MAP, data=PCP_MAP),
        Step(Said.PCP_MAP, data=PCP_MAP + bytes(8)),
        Step(Said.PCP_MAP, data=PCP_MAP[:3] + b"\x08" + PCP_MAP[4:]),
        Step(Said.NAT_PMP, data=bytes.fromhex("00800000000003e854140799")),
        Step(Said.NAT_PMP, data=bytes.fromhex("00800003000003e8")),
        Step(Said.NAT_PMP_MAP, data=PMP_MAP),
        Step(Said.NAT_PMP_MAP, data=PMP_MAP[:3] + b"\x02" + PMP_MAP[4:8]),
        Step(Said.NAT_PMP_MAP, data=PMP_MAP[:10] + bytes(2) + PMP_MAP[12:]),
        Step(Said.TABLE, data=TABLE),
    ),
    (b"\x00", b"\x02", b"\x80", b"\x81", b"\x82", b"\x06", b"\xff\xff", b"\x00\x01", bytes(4), bytes(8), bytes(10),
     b"\x00\x00\x0e\x10", b"\x27\x0f", b"00000000", b"0003", b"\t", b"\n", b"-1", b"0x3", b"_", b"FFFFFFFF",
     b"1FFFFFFFF", "\u0663".encode()),
)  # fmt: skip
