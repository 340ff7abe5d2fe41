"""``python -m tests.acceptance.routerd ADDRESS OUTSIDE VERSION``: a router that maps ports, in a namespace of its own.

It answers at UDP port 5351 of its inside ADDRESS by ``tests/net/mapping_router.py``, as PCP (2) or NAT-PMP (0), and
each map becomes a rule of nftables that leads the port in: chain ``in`` of table ``nat``, which stands already.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time

from quantumgate.wire.limits import MAP_ANSWER_BYTES
from quantumgate.wire.port_maps import ROUTER_PORT
from tests.acceptance.netns import INTERFACE
from tests.net.mapping_router import MappingRouter

CHAIN = "ip nat in"


class Rules:
    """What nftables is told: all maps anew each time, so that none is left over."""

    def __init__(self) -> None:
        self.maps: dict[int, tuple[str, int]] = {}

    def changed(self, external: int, inside: tuple[str, int] | None) -> None:
        if inside is None:
            self.maps.pop(external, None)
        else:
            self.maps[external] = inside
        rules = [f"add rule {CHAIN} iifname {INTERFACE} tcp dport {port} dnat to {host}:{at}"
                 for port, (host, at) in self.maps.items()]
        subprocess.run(["nft", "-f", "-"], input="\n".join((f"flush chain {CHAIN}", *rules)) + "\n", text=True,
                       check=True, timeout=20)


def main(address: str, outside: str, version: int) -> None:
    router = MappingRouter(time.monotonic, version, outside=outside)
    router.changed = Rules().changed
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as cable:
        cable.bind((address, ROUTER_PORT))
        while True:
            datagram, source = cable.recvfrom(MAP_ANSWER_BYTES + 1)
            answer = router.hear(datagram, source[0])
            if answer is not None:
                cable.sendto(answer, source)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
