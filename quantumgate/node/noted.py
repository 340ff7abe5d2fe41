"""A dict that notes which of its keys were touched, so that what is kept of it need not be compared whole.

Not for: when it is saved, or what its rows are (``state.py``, ``state_tables.py``).
"""

from __future__ import annotations

from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Noted(dict[K, V]):
    """Whatever changes it goes through here; a dict's other ways (``|=``, ``popitem``) are closed."""

    __slots__ = ("_touched",)

    def __init__(self, content: Any = ()) -> None:
        super().__init__(content)
        self._touched: set[K] = set(self)

    def touched(self) -> set[K]:
        """Those since the last time this was asked, there still or not; at first all."""
        touched, self._touched = self._touched, set()
        return touched

    def __setitem__(self, key: K, value: V) -> None:
        self._touched.add(key)
        super().__setitem__(key, value)

    def __delitem__(self, key: K) -> None:
        self._touched.add(key)
        super().__delitem__(key)

    def pop(self, key: K, *otherwise: Any) -> Any:
        """See dict."""
        self._touched.add(key)
        return super().pop(key, *otherwise)

    def clear(self) -> None:
        """See dict."""
        self._touched |= self.keys()
        super().clear()

    def update(self, *content: Any, **named: Any) -> None:
        """See dict."""
        for key, value in dict(*content, **named).items():
            self[key] = value

    def setdefault(self, key: K, value: Any = None) -> Any:
        """See dict."""
        if key not in self:
            self[key] = value
        return self[key]

    def popitem(self) -> Any:
        """Nobody needs it."""
        raise TypeError("name what is to go: pop")

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]  # never returns
        raise TypeError("update says the same")
