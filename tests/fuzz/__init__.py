"""Fuzzing with the keys in hand: inputs are sealed as a real peer seals them, so that they reach what lies behind.

Targets: sessions (channels, re-keys, links), handshakes, records; in ``parsers/`` all that needs no keys. README.md
has the table; ``python -m tests.fuzz`` runs as it is told; the tests replay the kept corpora and fuzz briefly in every
test run; ``tally.json`` says how much was run on which code.
Invariant (docs/spec/records.md): an event or a RemoteProtocolError, nothing else.
"""
