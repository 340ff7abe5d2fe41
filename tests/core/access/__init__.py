"""Filters, rules, limits, scores and verdicts, without a node."""
