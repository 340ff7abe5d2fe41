"""SOCKS 4, 4a and 5 over QuantumGate: programs connect here, connections leave at a peer, the exit.

One package for both roles: ``near*`` is the side of the programs, ``far*`` the exit's, ``wire`` what they say to each
other (docs/WIRE.md). Not for: paths through gateways; those are the node's.
"""

from __future__ import annotations

from quantumgate.extender import api

from .extender import Socks5
from .settings import Settings

UUID = "a0c1b8f4-3a5e-4f6c-9d55-6f0e1d7c2b90"
VERSION = "0.1.0"

maker = api.maker(
    Socks5,
    name="socks5",
    uuid=UUID,
    version=VERSION,
    summary="SOCKS proxy on this node, exits on other nodes",
    settings=Settings,
    compression=False,  # what a program sends mixes secrets with what a web page made it send
)
