"""Floor 5: qgate, the operator's tool."""
