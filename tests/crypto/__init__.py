"""Tests of the crypto floor."""
