"""Tests of the echo extender."""
