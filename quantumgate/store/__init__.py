"""Floor 3, hands: what a node keeps. One ``IStore`` over SQLite (the default), PostgreSQL, or memory.

``Store`` (``store.py``) gathers changes and commits them in groups, in a thread of its own; a ``Database`` (``sql.py``,
``memory.py``) writes them. Knows rows and columns (``tables.py``), not what they mean:
that is for ``node/state.py``. Imports neither ``net`` nor ``settings``. Spec: docs/guide/operating.md (the store).
"""
