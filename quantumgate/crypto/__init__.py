"""Floor 1, locks: every cryptographic algorithm behind our own doors.

Verification raises, secrets live in ``secret.py``, luck comes from ``random.py``. May import floor 0 and the crypto
libraries; may not show their objects, touch ``wire``, read clocks or write logs.
"""
