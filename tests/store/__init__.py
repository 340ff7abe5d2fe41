"""The store: the contract for every kind, then each kind and each part alone."""
