"""Fuzzing with the keys in hand: inputs are sealed as a real peer seals them, so that they reach what lies behind.

``python -m tests.fuzz`` runs for as long as it is told; ``test_session.py`` replays the kept corpus and fuzzes
briefly in every test run. Invariant (docs/spec/records.md): an event or a RemoteProtocolError, nothing else.
"""
