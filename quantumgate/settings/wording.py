"""The words of configuration errors: ``FILE: key.path: what was expected, what was found``.

Not for: deciding what is wrong (``loader.py``, ``resolve.py``). No text of a parser's inside reaches the user.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from quantumgate.errors import ConfigurationError
from quantumgate.settings.schema import SECRET_HIDDEN_KEYS

SHOWN_CHARACTERS = 60
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]")
_WHERE = re.compile(r"(?s)(.*?)(?: - at `\$([^`]*)`)?")
_UNKNOWN = re.compile(r"(?s)Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_EXPECTED = re.compile(r"Expected `([^`]*)`(.*?)(?:, got .*)?")
_TYPES = {"str": "a string", "int": "a whole number", "float": "a number", "bool": "true or false",
          "array": "an array", "object": "a table", "null": "nothing"}

Path = tuple[str | int, ...]
T = TypeVar("T")


class Problem(Exception):
    """One thing wrong with a configuration, before its file is known."""

    def __init__(self, path: Path, expected: str, found: str) -> None:
        super().__init__(expected)
        self.path, self.expected, self.found = path, expected, found

    def error(self, file: str) -> ConfigurationError:
        return ConfigurationError(f"{file}: {path_text(self.path)}: expected {self.expected}, found {self.found}")


def path_text(path: Path) -> str:
    """``("node", "listen", 0)`` as ``node.listen[0]``. Keys that TOML would quote are quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            shown = shortened(step)
            text += ("." if text else "") + (shown if _BARE_KEY.fullmatch(step) else json.dumps(shown))
    return text


def shortened(text: str) -> str:
    """As much of it as a message shows."""
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."


def found_text(value: object, path: Path = ()) -> str:
    """A value as TOML would write it, shortened; tables and arrays by kind; never one that may hold a password."""
    if path and path[-1] in SECRET_HIDDEN_KEYS:
        return "a value that is not shown"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        shown = shortened(value)
        return json.dumps(shown, ensure_ascii=not shown.isprintable())  # a terminal obeys what is not
    if isinstance(value, int | float):
        return number_text(value)
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a table"
    return "an array" if isinstance(value, list | tuple) else "a date or time"


def number_text(value: float) -> str:
    """A number as a person writes it: 3, not 3.0."""
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return "a larger number than any here"  # in digits it may be an error of its own
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return repr(int(value) if whole else value)[:SHOWN_CHARACTERS]


def pair_text(low: float, high: float) -> str:
    return f"[{number_text(low)}, {number_text(high)}]"


def unknown_key(path: Path, known: Iterable[str], elsewhere: Iterable[str] = ()) -> Problem:
    """A key that nobody reads. ``elsewhere`` are full paths of keys in other tables, for those in the wrong one."""
    name = str(path[-1])
    names = sorted(known)
    moved = [place for place in elsewhere if place.rpartition(".")[2] == name]
    close = get_close_matches(name, names, n=1) or moved[:1]
    if close:
        expected = f"a known key (did you mean {close[0]}?)"
    else:
        expected = f"one of {', '.join(names)}" if names else "no key here"
    return Problem(path, expected, shortened(name) if _BARE_KEY.fullmatch(name) else json.dumps(shortened(name)))


def checked(data: object, kind: type[T], prefix: Path = (), elsewhere: Iterable[str] = ()) -> T:
    """``data`` (from TOML) as an instance of the Struct ``kind``. Raises Problem.

    msgspec decides; its message is only read for the place, and worded from the schema's own ``expected``.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _worded(str(error), data, kind, prefix, elsewhere) from None


def _worded(message: str, data: object, kind: Any, prefix: Path, elsewhere: Iterable[str]) -> Problem:
    match = _WHERE.fullmatch(message)
    what, place = (match[1], match[2] or "") if match else (message, "")
    place, in_mapping, _ = place.partition("[...]")
    path: Path = tuple(name or int(index) for name, index in _STEP.findall(place))
    if in_mapping:
        return _inside_mapping(_value_at(data, path), _kind_at(kind, path), prefix + path)
    if unknown := _UNKNOWN.fullmatch(what):
        return unknown_key((*prefix, *path, unknown[1]), _fields(_kind_at(kind, path)), elsewhere)
    if missing := _MISSING.fullmatch(what):
        path = (*path, missing[1])
    expected = _expected_at(kind, path) or _choices(_kind_at(kind, path)) or _plain(what)
    return Problem(prefix + path, expected, found_text(_value_at(data, path), prefix + path))


def _inside_mapping(data: Any, kind: Any, prefix: Path) -> Problem:
    """msgspec does not say which key of a mapping it means: try them one by one."""
    value_kind = next(get_args(part)[1] for part in _members(kind) if get_origin(part) is dict)
    for key, value in data.items():
        try:
            checked(value, value_kind, (*prefix, key))
        except Problem as problem:
            return problem
    return Problem(prefix, "a valid table", "a table")


def _choices(kind: Any) -> str:
    """``"a" or "b"`` for a Literal, else nothing."""
    values = [value for part in _members(kind) if get_origin(part) is Literal for value in get_args(part)]
    return " or ".join(found_text(value) for value in values)


def _plain(what: str) -> str:
    """What was expected, for a Struct without words of its own."""
    match = _EXPECTED.fullmatch(what)
    if not match:
        return "a value" if _MISSING.fullmatch(what) else f"a valid value ({what})"
    names = [_TYPES.get(name, name) for name in match[1].split(" | ") if name != "null"]
    return " or ".join(names) + match[2]


def _value_at(data: object, path: Path) -> object:
    for step in path:
        try:
            data = data[step]  # type: ignore[index]
        except (LookupError, TypeError):
            return None
    return data


def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(name for part in _members(kind) for name in getattr(part, "__struct_fields__", ()))


def _members(kind: Any) -> list[Any]:
    """A type without its Annotated and union wrappers."""
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in {Union, UnionType}:
        return [inner for part in get_args(kind) for inner in _members(part)]
    return [kind]


def _kind_at(kind: Any, path: Path) -> Any:
    for step in path:
        kind = next((inner for part in _members(kind) if (inner := _step_into(part, step)) is not None), None)
    return kind


def _step_into(kind: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return get_type_hints(kind, include_extras=True).get(step) if hasattr(kind, "__struct_fields__") else None
    arguments = [argument for argument in get_args(kind) if argument is not Ellipsis]
    return arguments[min(step, len(arguments) - 1)] if arguments and get_origin(kind) in {tuple, list} else None


def _expected_at(kind: Any, path: Path) -> str:
    """The schema's own words for this place: from its ``key(...)``, on the type or on one branch of a union."""
    found = _kind_at(kind, path)
    branches = [found, *get_args(found)] if get_origin(found) in {Union, UnionType} else [found]
    metas = [meta for branch in branches if get_origin(branch) is Annotated for meta in get_args(branch)[1:]]
    extras = [meta.extra for meta in metas if isinstance(meta, msgspec.Meta) and meta.extra]
    return str(extras[0].get("expected", "")) if extras else ""
