"""Frozen bytes: what our code must reproduce, and what made them."""
