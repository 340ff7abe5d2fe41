"""Tests of floor 1, letters."""
