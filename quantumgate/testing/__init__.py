"""Beside the house, shipped: memory network, seeded randomness, nodes on a fake clock, play scripts. Only for tests."""
