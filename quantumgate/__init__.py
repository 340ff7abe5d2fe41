"""QuantumGate: peer-to-peer sessions with hybrid post-quantum keys, and the node that carries them.

The package is a house of floors; imports only ever go down (checked by ``tests/test_house.py``):
wire spells, crypto locks, core thinks, net and settings touch the world, extenders are guests, node puts it together.
"""

__version__ = "0.1.0"
