"""Tests of quantumgate/net: transports and timers, on fake clocks."""
