"""Attacks that an implementation must survive, with the expected reactions (docs/attacks.md)."""
