"""Floor 5, the roof: builds the node from all floors below and runs it."""
