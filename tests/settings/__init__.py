"""Tests of quantumgate.settings; ``broken/`` holds configurations with the one line each must be refused with."""
