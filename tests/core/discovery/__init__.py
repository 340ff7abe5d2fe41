"""Tests of quantumgate.core.discovery."""
