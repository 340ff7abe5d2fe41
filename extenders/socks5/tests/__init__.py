"""Tests of the socks5 extender."""
