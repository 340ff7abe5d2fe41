"""Floods against a real node on one core: each module is one flood, with its attacker and its figures.

``python -m tests.acceptance floods`` runs all, ``floods.garbage`` one. Trial collects none of it. The page is
docs/attacks.md.
"""
