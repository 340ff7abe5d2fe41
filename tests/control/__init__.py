"""Tests of quantumgate.control. ``fakenode.py`` is a node that keeps the law of ``control/api.py`` and does nothing."""
