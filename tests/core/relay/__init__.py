"""Links, paths and quotas, without a node."""
