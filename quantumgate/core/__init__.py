"""Floor 2, the head: thinks, touches nothing.

No Twisted, sockets, files, clocks, randomness or logging: time and luck are arguments.
"""
