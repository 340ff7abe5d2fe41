"""A QR code in a terminal: two rows of modules in a line of half blocks, black on white whatever the colours are.

Not for: what it says. The quiet zone of four modules is part of it: without it many cameras see nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

QUIET_MODULES = 4
_BLOCKS = {(0, 0): " ", (1, 0): "\u2580", (0, 1): "\u2584", (1, 1): "\u2588"}
_BLACK_ON_WHITE, _BACK = "\033[38;5;16;48;5;231m", "\033[0m"


def modules_of(text: str) -> list[list[int]]:
    """The matrix, quiet zone and all, 1 = dark. Capitals and digits make the smallest code: the case is not kept."""
    import segno

    made = segno.make(text.upper(), error="l", micro=False)
    return [[int(module) for module in row] for row in made.matrix_iter(border=QUIET_MODULES)]


def lines_of(modules: Sequence[Sequence[int]], *, coloured: bool) -> list[str]:
    """As text, a column for each module. Without colours it is for black ink on white paper."""
    rows = [list(row) for row in modules]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    lines = ("".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True))
             for upper, lower in zip(rows[::2], rows[1::2], strict=True))
    return [f"{_BLACK_ON_WHITE}{line}{_BACK}" if coloured else line for line in lines]


def why_not(modules: Sequence[Sequence[int]], columns: int, encoding: str) -> str:
    """Why it cannot be shown in a terminal of so many columns; "" = it can."""
    if len(modules[0]) > columns:
        return f"the terminal has {columns} columns, and the QR code needs {len(modules[0])}"
    try:
        "".join(_BLOCKS.values()).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return f"this terminal's letters are {encoding}, which has no blocks to draw a QR code"
    return ""
