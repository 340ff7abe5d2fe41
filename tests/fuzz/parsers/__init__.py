"""Every other parser that a stranger's byte reaches, or a local program's: one target a file, each a ``TARGET``.

What is sealed or signed has fuzzers of its own beside this directory, which hold the keys.
"""
