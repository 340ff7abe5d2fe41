"""Floor 1, letters: how frames, messages and addresses are spelled. May not touch crypto, Twisted, clocks or logs."""
