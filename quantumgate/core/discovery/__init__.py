"""Finding peers: what is remembered of them, what is told to whom, and whom to call."""
