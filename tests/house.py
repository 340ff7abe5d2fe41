"""Reads the tree for test_house.py: modules, what they import, who may import whom. Pure functions over source text.

Not for: deciding what is a good rule (docs/adr), or style that ruff sees by itself.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
VAGUE = frozenset({"manager", "handler", "engine", "helper", "helpers", "util", "utils"})

# -- rooms and floors --------------------------------------------------------------------------------------------

FLOOR_OF_ROOM = {
    "words": 0,
    "wire": 1,
    "crypto": 1,
    "core": 2,
    "net": 3,
    "store": 3,
    "settings": 3,
    "logs": 3,
    "extender.api": 4,
    "extender": 4,
    "node": 5,
    "control": 5,
    "cli": 5,
    "tap": 5,
    "testing": 9,
}
_WORDS = ("errors", "ids", "interfaces", "settings.schema", "__version__")
# A room beside another on the same floor is closed to it, except under the roof.
_MUTUAL = frozenset({"node", "control", "cli", "tap"})
_CORE_WINGS = ("core.relay", "core.access", "core.discovery")

# What a room may import from outside; None = anything that the rows below do not forbid.
_PURE = frozenset(
    {"__future__", "abc", "base64", "binascii", "bisect", "collections", "contextlib", "copy", "dataclasses", "enum"}
    | {"functools", "hashlib", "heapq", "hmac", "ipaddress", "itertools", "math", "operator", "re", "string", "struct"}
    | {"types", "typing", "unicodedata", "uuid", "weakref"}
)
OUTSIDE: dict[str, frozenset[str] | None] = {
    "words": _PURE | {"attr", "attrs", "zope.interface"},
    "wire": _PURE | {"lz4.block"},
}
FORBIDDEN: dict[str, dict[str, str]] = {
    "crypto": {
        "twisted": "crypto knows no reactor",
        "logging": "crypto logs nothing",
        "random": "luck is crypto/random.py",
        "secrets": "luck is crypto/random.py",
        "time": "crypto takes no time",
        "socket": "crypto touches no world",
        "lz4": "compression is spelled by quantumgate.wire",
    }
}
# Single imports that a rule above would refuse, each with its reason.
EXEMPT = {("crypto.liboqs", "logging"): "quietens the library's own log, which goes to stdout; says nothing itself"}


def room_of(module: str) -> str:
    """The room of a dotted name below ``quantumgate`` (``core.handshake.initiator`` -> ``core``)."""
    if not module or _covered(module, _WORDS):
        return "words"
    if _covered(module, ["extender.api"]):
        return "extender.api"
    return module.partition(".")[0]


def may_import(module: str, target: str) -> bool:
    """Whether ``module`` may import ``target``, both dotted names below ``quantumgate``."""
    here, there = room_of(module), room_of(target)
    if here == "testing":
        return True
    if there == "testing":
        return False
    if here == there:
        wings = [wing for wing in _CORE_WINGS if module.startswith(wing)]
        return not wings or not any(target.startswith(wing) for wing in _CORE_WINGS if wing not in wings)
    if here == "extender.api":
        return there == "words"
    if {here, there} <= _MUTUAL or (here, there) == ("extender", "extender.api"):
        return True
    return FLOOR_OF_ROOM[there] < FLOOR_OF_ROOM[here]


# -- reading -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """One Python file; ``name`` is dotted, without ``__init__``."""

    path: Path
    name: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return self.text.count("\n") + (not self.text.endswith("\n"))

    @property
    def introduced(self) -> bool:
        """Whether it begins with a docstring that says something; ``r`` may stand before it, comments above it."""
        return _INTRODUCTION.match(self.text) is not None

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT)) if self.path.is_relative_to(ROOT) else str(self.path)


_INTRODUCTION = re.compile(r'(?:\s|#[^\n]*\n)*r?"""\s*[^\s"]')


@dataclass(frozen=True)
class Facts:
    """What the rules ask of one file, each with its line: read in one walk, for the walk is what costs."""

    imports: tuple[tuple[int, str], ...]
    calls: tuple[tuple[int, str], ...]
    functions: tuple[tuple[int, str, int], ...]
    definitions: tuple[tuple[int, str], ...]
    asserts: tuple[int, ...]


@cache
def facts(source: Source) -> Facts:
    """Small, as the tree is not, so it is kept for the next rule."""
    nodes = list(ast.walk(source.tree))
    return Facts(
        tuple(_imports(source, nodes)),
        tuple(_calls(nodes)),
        tuple(_functions(nodes)),
        tuple(_definitions(nodes)),
        tuple(node.lineno for node in nodes if isinstance(node, ast.Assert)),
    )


def read(paths: Iterable[Path]) -> list[Source]:
    sources = []
    for path in sorted(paths):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        sources.append(Source(path, name, path.read_text(encoding="utf-8")))
    return sources


def package() -> list[Source]:
    """Every module of quantumgate."""
    return read((ROOT / "quantumgate").rglob("*.py"))


def guests() -> list[Source]:
    """The extenders' packages, without their tests."""
    return [s for s in read((ROOT / "extenders").rglob("*.py")) if not {"tests", "build"} & set(s.path.parts)]


def tests() -> list[Source]:
    """All of tests/ and the extenders' tests."""
    return read([*(ROOT / "tests").rglob("*.py"), *(ROOT / "extenders").glob("*/tests/**/*.py")])


def inside(source: Source) -> str:
    """The dotted name below quantumgate ('' for the package itself)."""
    return source.name.removeprefix("quantumgate").removeprefix(".")


def imports(source: Source) -> Iterable[tuple[int, str]]:
    """(line, dotted name) of everything imported, anywhere in the file; ``from a import b`` gives ``a.b``."""
    return facts(source).imports


def _imports(source: Source, nodes: list[ast.AST]) -> Iterator[tuple[int, str]]:
    package_name = source.name if source.path.name == "__init__.py" else source.name.rpartition(".")[0]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package_name.split(".")
            base = parts[: len(parts) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)


def calls(source: Source) -> Iterable[tuple[int, str]]:
    """(line, name) of everything called by a plain or dotted name; a name that was imported is given in full."""
    return facts(source).calls


def _calls(nodes: list[ast.AST]) -> Iterator[tuple[int, str]]:
    modules = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            modules.update({alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names})
    for node in nodes:
        if isinstance(node, ast.Call) and (name := _dotted(node.func)):
            head, dot, rest = name.partition(".")
            if not dot:
                yield node.lineno, name
            elif head in modules:
                yield node.lineno, f"{modules[head]}.{rest}"


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        stem = _dotted(node.value)
        return f"{stem}.{node.attr}" if stem else ""
    return ""


def last_name(node: ast.expr) -> str:
    """``c`` of the expression ``a.b.c``."""
    return _dotted(node).rpartition(".")[2]


def functions(source: Source) -> Iterable[tuple[int, str, int]]:
    """(line, name, length in lines) of every function, from its ``def`` to its last line."""
    return facts(source).functions


def _functions(nodes: list[ast.AST]) -> Iterator[tuple[int, str, int]]:
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def definitions(source: Source) -> Iterable[tuple[int, str]]:
    """(line, name) of every class, function and module-level or class-level name."""
    return facts(source).definitions


def _definitions(nodes: list[ast.AST]) -> Iterator[tuple[int, str]]:
    for node in nodes:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Assign):
            yield from ((node.lineno, t.id) for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.lineno, node.target.id


def words(name: str) -> list[str]:
    """``KeyStockManager`` and ``key_stock_manager`` -> key, stock, manager."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def load_script(path: Path) -> ModuleType:
    """A script outside every package (docs/, .ci/) as a module."""
    spec = importlib.util.spec_from_file_location(f"qg_script_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


# -- findings ----------------------------------------------------------------------------------------------------


def wrong_arrows(sources: Iterable[Source]) -> list[str]:
    """Every import in ``sources`` (of quantumgate) that does not go down."""
    found = []
    for source in sources:
        here = inside(source)
        for line, name in imports(source):
            if name != "quantumgate" and not name.startswith("quantumgate."):
                continue
            target = name.removeprefix("quantumgate").removeprefix(".")
            if room_of(target) in FLOOR_OF_ROOM and not may_import(here, target):
                found.append(f"{source}:{line}: {room_of(here)} may not import {room_of(target)} ({name})")
    return found


def wrong_outside(sources: Iterable[Source]) -> list[str]:
    """Imports from outside the package that a room may not have."""
    found = []
    for source in sources:
        room = room_of(inside(source))
        allowed = OUTSIDE.get(room)
        for line, name in imports(source):
            if name.startswith("quantumgate"):
                continue
            if allowed is not None and not _covered(name, allowed) and not _settings_words(inside(source), name):
                found.append(f"{source}:{line}: {room} may not import {name}")
            reason = _covered(name, FORBIDDEN.get(room, {}))
            if reason and (inside(source), reason) not in EXEMPT:
                found.append(f"{source}:{line}: {room} may not import {name}: {FORBIDDEN[room][reason]}")
    return found


def _settings_words(module: str, name: str) -> bool:
    """msgspec is for settings/schema.py alone, among the words."""
    return module == "settings.schema" and name.partition(".")[0] == "msgspec"


def _covered(name: str, stems: Iterable[str]) -> str:
    return next((stem for stem in stems if name == stem or name.startswith(f"{stem}.")), "")


def banned_in_core() -> dict[str, str]:
    """The table of quantumgate/core/ruff.toml: what core may not touch, and what to use instead."""
    table = tomllib.loads((ROOT / "quantumgate/core/ruff.toml").read_text(encoding="utf-8"))
    banned = table["lint"]["flake8-tidy-imports"]["banned-api"]
    return {name: row["msg"] for name, row in banned.items()}


BUILTINS_BANNED_IN_CORE = {
    "open": "core reads no files: node does, and hands in bytes",
    "print": "core says things with events (core/events.py)",
    "input": "core asks with requests (core/requests.py)",
    "exec": "core runs no text",
    "eval": "core runs no text",
    "__import__": "core imports by name, downwards",
}


def forbidden_in_core(sources: Iterable[Source]) -> list[str]:
    """Imports and calls that core may not make, each with its replacement."""
    banned = banned_in_core()
    found = []
    for source in sources:
        for line, name in [*imports(source), *calls(source)]:
            stem = _covered(name, banned)
            if stem:
                found.append(f"{source}:{line}: {name}: {banned[stem]}")
        for line, name in calls(source):
            if name in BUILTINS_BANNED_IN_CORE:
                found.append(f"{source}:{line}: {name}(): {BUILTINS_BANNED_IN_CORE[name]}")
    return sorted(set(found))


_LUCK = ("random", "secrets", "os.urandom", "os.getrandom", "uuid.uuid1", "uuid.uuid4")


def other_luck(sources: Iterable[Source]) -> list[str]:
    """Randomness from anywhere but crypto/random.py (and the seeded kind of quantumgate.testing)."""
    found = []
    for source in sources:
        if inside(source) == "crypto.random" or room_of(inside(source)) == "testing":
            continue
        for line, name in [*imports(source), *calls(source)]:
            if _covered(name, _LUCK):
                found.append(f"{source}:{line}: {name}: take a RandomSource (crypto/random.py)")
    return sorted(set(found))
