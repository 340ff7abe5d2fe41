"""Whom to let in, and the price of behaving badly: rules, limits, scores, one verdict. Spec: docs/spec/access.md."""
