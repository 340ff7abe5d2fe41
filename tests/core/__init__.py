"""Tests of floor 2, the head."""
