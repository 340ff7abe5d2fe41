"""The long checks: each point of the first milestone, measured on real processes, with a bound that breaks the run.

``make acceptance [NAME...]`` runs them and keeps docs/acceptance.md. Trial collects none of it: no module is a test_*.
"""
