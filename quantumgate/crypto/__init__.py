"""Floor 1, locks: every cryptographic algorithm behind our own doors. Verification raises; secrets live in secret.py."""
