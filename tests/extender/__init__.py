"""Tests of the guests' floor."""
