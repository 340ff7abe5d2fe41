"""Draws docs/spec/states.md from the tables of quantumgate/core/state.py. ``make states``; tests keep the two in step.

Tables are found by their shape: (state, step) -> state is a machine, state -> {message: keys} says what is legal where.
A table of another shape is an error here, so that none is left out in silence.
"""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Any

from quantumgate.core import state
from quantumgate.wire import frames

PAGE = Path(__file__).resolve().parent / "states.md"
HEAD = """# States

Drawn by `make states` from `quantumgate/core/state.py`; do not edit. A pair of state and step that has no arrow here
cannot occur: the code looks the next state up in these tables and nowhere else, and a test visits every pair.
"""


def tables() -> dict[str, dict[Any, Any]]:
    """The public tables of core/state.py, in the order in which they stand there."""
    return {name: value for name, value in vars(state).items() if name.isupper() and isinstance(value, dict)}


def page() -> str:
    parts = [HEAD]
    for name, table in tables().items():
        if all(isinstance(key, tuple) and isinstance(value, Enum) for key, value in table.items()):
            parts.append(_machine(name, table))
        elif all(isinstance(key, Enum) for key in table):
            parts.append(_by_state(name, table))
        else:
            raise TypeError(f"core/state.py: {name} has a shape that this script does not draw")
    return "\n".join(parts)


def _machine(name: str, table: dict[tuple[Enum, Enum], Enum]) -> str:
    states, steps = type(next(iter(table))[0]), type(next(iter(table))[1])
    lines = [f"## {_title(name)}", "", "| state | meaning |", "|---|---|"]
    lines += [f"| `{s.name}` | {s.value} |" for s in states]
    lines += ["", "| step | meaning |", "|---|---|"]
    lines += [f"| `{s.name}` | {s.value} |" for s in steps if any(step is s for _, step in table)]
    lines += ["", "| in state | on | becomes |", "|---|---|---|"]
    for source in states:
        for target, names in _arrows(table, source, steps).items():
            lines.append(f"| `{source.name}` | {', '.join(f'`{n}`' for n in names)} | `{target.name}` |")
    return "\n".join([*lines, "", *_diagram(table, states, steps), ""])


def _arrows(table: dict[tuple[Enum, Enum], Enum], source: Enum, steps: type[Enum]) -> dict[Enum, list[str]]:
    """Steps from ``source``, by the state they lead to, in the order of the steps."""
    arrows: dict[Enum, list[str]] = {}
    for step in steps:
        if (source, step) in table:
            arrows.setdefault(table[source, step], []).append(step.name)
    return arrows


def _diagram(table: dict[tuple[Enum, Enum], Enum], states: type[Enum], steps: type[Enum]) -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2"]
    for source in states:
        for target, names in _arrows(table, source, steps).items():
            lines.append(f"    {source.name} --> {target.name}: {', '.join(names)}")
        if not any(origin is source for origin, _ in table):
            lines.append(f"    {source.name} --> [*]")
    return [*lines, "```"]


def _by_state(name: str, table: dict[Enum, Any]) -> str:
    lines = [f"## {_title(name)}", "", "| in state | message | keys or rule |", "|---|---|---|"]
    for source, row in table.items():
        items = row.items() if isinstance(row, dict) else ((item, ()) for item in _ordered(row))
        for message, keys in sorted(items, key=_number):
            listed = [keys] if isinstance(keys, Enum) else keys
            under = ", ".join(f"`{_word(key)}`" for key in listed) or "-"
            lines.append(f"| `{source.name}` | `{_word(message)}` | {under} |")
    return "\n".join([*lines, ""])


def _ordered(row: Any) -> list[Any]:
    return sorted(row, key=_word) if isinstance(row, set | frozenset) else list(row)


def _number(item: tuple[Any, Any]) -> int:
    """Frame types in order; messages stay as they stand."""
    return item[0] if type(item[0]) is int else 0


def _word(value: Any) -> str:
    if type(value) is int:
        return next((n for n, v in vars(frames).items() if n.isupper() and v == value), f"{value:#04x}")
    return value.name if isinstance(value, Enum) else str(value)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.name}: {', '.join(tables())}")
    sys.exit(0)
