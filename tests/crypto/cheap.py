"""Cheap stretching of passphrases, where a test is about what is done with them; the true cost: test_identity.py."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto import kdf


def cheapen(case: SynchronousTestCase) -> None:
    """Argon2id with the least memory and one pass, till the end of this test; not in processes that it starts."""
    case.patch(kdf, "ARGON2_MEMORY_KIB", 32)
    case.patch(kdf, "ARGON2_PASSES", 1)
