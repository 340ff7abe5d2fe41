"""Tests of quantumgate/node: the roof, in memory where that is possible and with real processes where it is not."""
