"""Floor 5: the channel between qgate and a running node."""
