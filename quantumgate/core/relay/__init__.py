"""Relays as thought: links inside sessions, choice of hops, quotas. Touches nothing; ``node/`` carries it out."""
