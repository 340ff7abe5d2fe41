"""Floor 3, the hands: transports and timers around one core Connection. No decisions about what bytes mean."""
