"""Tests of the handshake of QG/1."""
