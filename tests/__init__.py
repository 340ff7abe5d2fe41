"""The test suite: a mirror of quantumgate/, plus vectors, simulation, attacks and the house itself."""
