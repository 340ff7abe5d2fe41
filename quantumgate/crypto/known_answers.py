"""Fixed answers that each backend must give before it is trusted.

Not for: vectors of the protocol (tests/vectors). Where a value comes from stands beside it.
"""

from __future__ import annotations

LIBOQS_ANSWERS: dict[int, str] = {
    16: "0b0ab274b91b5eaaff465884c9a836316741c51a1fded1bbccd379cd1d8e8c5c",
    17: "e3470b1446e49be7bcb5e9afe76e3044c9bccbc335e7174fbb091548011cf873",
    18: "6621335ed1b09d6eaf7885497b9d61df38a05a1d3d9423b1ddc13a276f2ebda5",
    32: "97b0f480fbf58577f4052818c63b647d8ee4c103354ada092b2200052aa20560",
    33: "cb4b837bdafa4bee0e581535683ba1c75da62a8999a933498519332629e8ace6",
    34: "d8650d17ce50bfc54b399731798e896a8e41f00d26f286abcf7cb0fb67bfd43d",
}
"""SHA-256(public key || ciphertext || secret) that ``liboqs_probe.answer`` finds by secondary id; recorded from liboqs
0.16.0, the portable and the AVX2 build alike. McEliece keys were made by the f form, used by the other."""
