"""Tests of qgate. ``help/`` holds what ``--help`` prints; ``schemas.json`` the shapes of ``--json``."""
