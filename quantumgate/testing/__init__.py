"""Beside the house, shipped: memory network, seeded randomness and clocks, for our tests and for authors of extenders."""
