"""Thousands of nodes of ``quantumgate/core/discovery`` over an abstract law of links, and a hundred real cores that
confirm it. Report: docs/simulation/README.md. Not for: tests of single modules (``tests/core/discovery``)."""
