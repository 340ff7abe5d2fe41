"""From a TOML file to checked Settings, or one line that says what is wrong.

Not for: what the values come to (``resolve.py``, which ``load`` calls, so that a file that loads is a file that runs).
Spec: docs/guide/configuration.md.
"""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from quantumgate.errors import ConfigurationError
from quantumgate.settings.resolve import Offerable, resolve
from quantumgate.settings.schema import ENDPOINT, Listen, Settings
from quantumgate.settings.wording import Problem, checked, found_text, shortened, unknown_key

MAX_FILE_BYTES = 1024 * 1024
MIN_SECRET_BYTES = 32
MAX_SECRET_BYTES = 1024 * 1024
_AT = re.compile(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)")
_KEY_TUPLE = re.compile(r"\((?:'[^']*',? ?)+\)")
_RELATIVE = ("shared_secret_file", "shared_passphrase_file", "identity_passphrase_file", "control", "store_key_file")


def load(path: Path, *, extenders: Collection[str] | None = None, offerable: Offerable | None = None) -> Settings:
    """The checked settings of a file. Relative paths in it become absolute, from the file's own directory.

    ``extenders`` are the names that installed packages provide; None leaves that check to the caller.
    Raises ConfigurationError, whose text is the one line for the user.
    """
    return loads(_text_of(path), str(path), path.parent, extenders=extenders, offerable=offerable)


def loads(
    text: str,
    file: str,
    directory: Path | None = None,
    *,
    extenders: Collection[str] | None = None,
    offerable: Offerable | None = None,
) -> Settings:
    """The same for text that came from ``file``. Without ``directory`` relative paths stay as they are."""
    data = _parsed(text, file)
    try:
        settings = checked(data, Settings, elsewhere=_all_keys())
        for number, listen in enumerate(settings.node.listen):
            _check_listen(number, listen)
    except Problem as problem:
        raise problem.error(file) from None
    if extenders is not None:
        check_extender_names(settings, extenders, file)
    if directory is not None:
        settings = _absolute(settings, directory)
    resolve(settings, file, offerable)
    return settings


def check_extender_names(settings: Settings, provided: Collection[str], file: str = "settings") -> None:
    """An enabled extender that no installed package provides is a ConfigurationError."""
    for name in settings.extenders:
        if name not in provided:
            problem = unknown_key(("extenders", name), provided)
            hint = problem.expected.removeprefix("a known key ") if "did you mean" in problem.expected else (
                f"({', '.join(sorted(provided))})" if provided else "(none is installed)")
            raise Problem(("extenders", name), f"the name of an installed extender {hint}", problem.found).error(file)


def read_shared_secret(settings: Settings, file: str = "settings") -> bytes | str | None:
    """What both ends must know: exact bytes, or a passphrase (str) to be stretched, or None where there is none.

    Raises ConfigurationError for a file that others can read, that is too short, or that cannot be read.
    """
    for name in ("shared_secret_file", "shared_passphrase_file"):
        path = getattr(settings.node, name)
        if not path:
            continue
        try:
            secret = _secret_bytes(("node", name), Path(path))
            return secret if name == "shared_secret_file" else _passphrase(("node", name), secret)
        except Problem as problem:
            raise problem.error(file) from None
    return None


def read_identity_passphrase(settings: Settings, file: str = "settings") -> str | None:
    """The passphrase of this node's key file, None where the configuration names none. Raises ConfigurationError."""
    name = "identity_passphrase_file"
    if not settings.node.identity_passphrase_file:
        return None
    try:
        return _passphrase(("node", name), _secret_bytes(("node", name), Path(settings.node.identity_passphrase_file)))
    except Problem as problem:
        raise problem.error(file) from None


def read_store_key(settings: Settings, file: str = "settings") -> bytes | None:
    """The key file of the store, None where the configuration names none. Raises ConfigurationError."""
    if not settings.node.store_key_file:
        return None
    try:
        return _secret_bytes(("node", "store_key_file"), Path(settings.node.store_key_file))
    except Problem as problem:
        raise problem.error(file) from None


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: expected a readable file, found {_why(error)}") from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigurationError(f"{path}: expected at most {MAX_FILE_BYTES} bytes, found more")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line, column = _position(data[: error.start].decode())
        raise ConfigurationError(f"{path}:{line}:{column}: expected UTF-8 text, found byte 0x{data[error.start]:02x}"
                                 ) from None


def _parsed(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _AT.fullmatch(str(error))
        what = match[1] if match else str(error)
        line, column = (int(match[2]), int(match[3])) if match and match[2] else _position(text)
        raise ConfigurationError(f"{file}:{line}:{column}: expected TOML, found: {_parser_words(what)}") from None
    except ValueError:  # of int(): tomllib lets it through
        raise ConfigurationError(f"{file}: expected TOML, found: a number of thousands of digits") from None
    except RecursionError:
        raise ConfigurationError(f"{file}: expected tables and arrays a few levels deep, found hundreds") from None


def _position(before: str) -> tuple[int, int]:
    """Line and column, counted from 1, of the place after this text."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _parser_words(text: str) -> str:
    """tomllib names a key as a Python tuple, ('node', 'listen'); people write node.listen."""
    named = _KEY_TUPLE.sub(lambda match: ".".join(re.findall(r"'([^']*)'", match[0])), text)
    return shortened(_one_line(named)).lower()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _why(error: OSError) -> str:
    return _one_line(error.strerror or "an unreadable one").lower()


def _all_keys() -> tuple[str, ...]:
    """``table.key`` of every key, so that one in the wrong table can be sent home."""
    places: list[str] = []
    for table in Settings.__struct_fields__:
        kind = type(getattr(Settings(), table))
        places += (f"{table}.{name}" for name in getattr(kind, "__struct_fields__", ()))
    return tuple(places)


def _check_listen(number: int, listen: str | Listen) -> None:
    text = listen if isinstance(listen, str) else listen.endpoint
    place: tuple[str | int, ...] = ("node", "listen", number)
    if not isinstance(listen, str):
        place = (*place, "endpoint")
    kind, colon, rest = text.partition(":")
    if not (colon and rest and kind.isascii() and kind.isidentifier()):
        raise Problem(place, ENDPOINT, found_text(text))
    if kind in {"tcp", "tcp6", "ssl"} and "=" not in rest.split(":")[0] and not _is_port(rest.split(":")[0]):
        raise Problem(place, f"{ENDPOINT} with a port from 0 to 65535", found_text(text))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text[:6]) <= 65_535


def _absolute(settings: Settings, directory: Path) -> Settings:
    changes = {name: str(directory.absolute() / getattr(settings.node, name)) for name in _RELATIVE
               if getattr(settings.node, name)}
    return msgspec.structs.replace(settings, node=msgspec.structs.replace(settings.node, **changes))


def _secret_bytes(place: tuple[str | int, ...], path: Path) -> bytes:
    try:
        with path.open("rb") as opened:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                raise Problem(place, "a file that only its owner can read (chmod 600)", f"{path} with mode {mode:04o}")
            secret = opened.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise Problem(place, "a readable file", f"{path}: {_why(error)}") from None
    if len(secret) > MAX_SECRET_BYTES:
        raise Problem(place, f"at most {MAX_SECRET_BYTES} bytes", f"more in {path}")
    if place[-1] in ("shared_secret_file", "store_key_file") and len(secret) < MIN_SECRET_BYTES:
        raise Problem(place, f"at least {MIN_SECRET_BYTES} bytes", f"{len(secret)} in {path}")
    return secret


def _passphrase(place: tuple[str | int, ...], data: bytes) -> str:
    try:
        text = data.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise Problem(place, "UTF-8 text", "other bytes") from None
    if not text:
        raise Problem(place, "a passphrase", "an empty file")
    return text
