"""PADME length buckets. Spec: docs/spec/records.md, section 5.

Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", PoPETs 2019.
"""

from __future__ import annotations


def padme(size_bytes: int) -> int:
    """The PADME bucket of a size: at most 12 % longer, and O(log log) bits of it remain visible."""
    exponent = size_bytes.bit_length() - 1
    if exponent < 1:
        return size_bytes
    free_bits = exponent - exponent.bit_length()
    mask = (1 << free_bits) - 1
    return (size_bytes + mask) & ~mask
