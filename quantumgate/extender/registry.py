"""Finds extenders by entry points, checks the enabled ones, and says what is wrong with those that cannot be used.

Listing imports nothing; only enabled names are loaded, once. Whatever a package does while it is imported or looked at
(short of ending the process, hanging it or patching others) stays here as a line of text.
Not for: making, starting or stopping extenders (``lifecycle.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any
from uuid import UUID

import msgspec
from zope.interface import Invalid
from zope.interface.exceptions import BrokenImplementation, BrokenMethodImplementation, DoesNotImplement
from zope.interface.interfaces import IMethod
from zope.interface.verify import verifyObject

from quantumgate.errors import ConfigurationError
from quantumgate.extender.faults import described
from quantumgate.interfaces import IExtenderMaker
from quantumgate.settings.schema import ExtenderTable
from quantumgate.settings.wording import Problem, checked, path_text

GROUP = "quantumgate.extenders"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
"""A name becomes a table of the configuration and a directory."""
OWN_NAMES = frozenset({"services"})
"""Of the node's own guests: no package may provide them."""

Table = Mapping[str, Any]
_OURS = frozenset(ExtenderTable.__struct_fields__)


@dataclass(frozen=True)
class Registration:
    """One entry point: what it is, whether it is enabled, and the maker or the problem that loading it gave."""

    name: str
    distribution: str
    version: str
    summary: str = ""
    entry_point: EntryPoint | None = None
    enabled: bool = False
    uuid: UUID | None = None
    anonymous: bool = False
    compression: bool = True
    findable: bool = False
    """Its operator lets others find this node by it."""
    maker: Any = None
    settings: Any = None
    problem: str = ""
    bad_settings: bool = False
    """The problem is the operator's to mend in the configuration, not the package's."""


class Registry:
    """The extenders of this installation, seen through the ``[extenders.*]`` tables of one configuration.

    ``tables`` maps each enabled name to its table. ``run`` does the work at its first call and repeats the result.
    """

    def __init__(self, tables: Mapping[str, Table], found: Iterable[EntryPoint] | None = None) -> None:
        self._tables = dict(tables)
        self._found = found
        self._result: tuple[Registration, ...] | None = None

    def run(self) -> tuple[Registration, ...]:
        """Every extender that is installed, in order of names. Raises ConfigurationError for an enabled name without
        a package. Other problems are in the rows."""
        if self._result is None:
            listed = listed_extenders(self._found)
            self._check_providers(listed)
            rows = (row if row.problem else self._looked_at(row) for row in listed)
            self._result = tuple(_without_shared_uuids(rows))
        return self._result

    def configuration_errors(self) -> list[str]:
        """One line for each enabled extender whose table its settings refuse, as ``qgate check`` prints them."""
        return [row.problem for row in self.run() if row.bad_settings]

    def _check_providers(self, listed: tuple[Registration, ...]) -> None:
        missing = sorted(self._tables.keys() - {row.name for row in listed})
        if missing:
            installed = ", ".join(sorted({row.name for row in listed})) or "none"
            raise ConfigurationError(
                f"extenders.{missing[0]}: expected the name of an installed extender ({installed}), found no package"
                f" that provides {missing[0]!r}",
                advice="install the extender's package into the environment of the node, or remove the table",
            )

    def _looked_at(self, row: Registration) -> Registration:
        if row.name not in self._tables:
            return row
        return load(replace(row, enabled=True), self._tables[row.name])


def listed_extenders(found: Iterable[EntryPoint] | None = None) -> tuple[Registration, ...]:
    """Names, versions and distributions, nothing imported. The second of two equal names carries a problem."""
    points = entry_points(group=GROUP) if found is None else found
    rows = sorted((_listed(point) for point in points), key=lambda row: (row.name, row.distribution))
    holders: dict[str, Registration] = {}
    checked = []
    for row in rows:
        holder = holders.setdefault(row.name, row)
        checked.append(row if holder is row else replace(row, problem=_taken("name", row.name, row, holder)))
    return tuple(checked)


def registered(maker: Any, settings: Table | None = None, distribution: str = "") -> Registration:
    """A registration without a package, for tests and for programs that bring their own extenders."""
    row = Registration(str(getattr(maker, "name", "?")), distribution, str(getattr(maker, "version", "")), enabled=True)
    return _checked(row, lambda: maker, settings or {})


def load(row: Registration, table: Table) -> Registration:
    """Imports one extender, checks its maker and its table. Never raises for what the package does."""
    assert row.entry_point is not None
    return _checked(row, row.entry_point.load, table)


def _checked(row: Registration, found: Callable[[], Any], table: Table) -> Registration:
    try:
        maker = found()
        problems = _maker_problems(maker, row.name)
        if problems:
            return replace(row, problem="not a maker of extenders: " + "; ".join(problems))
        ours, settings = _settings_from(maker, table)
        compression = bool(getattr(maker, "compression", True))
        traits = {"uuid": maker.uuid, "anonymous": maker.anonymous, "compression": compression}
        return replace(
            row, maker=maker, settings=settings, version=maker.version, summary=maker.summary, findable=ours.findable,
            **traits,
        )
    except ConfigurationError as error:
        return replace(row, problem=str(error), bad_settings=True)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return replace(row, problem=f"{described(error)}, while it was imported")


def _listed(point: EntryPoint) -> Registration:
    distribution = point.dist
    name, version = (distribution.name, distribution.version) if distribution is not None else ("?", "")
    problem = "" if _NAME.fullmatch(point.name) else f"a name has 1 to 32 of a-z 0-9 _ -, found {point.name!r}"
    if point.name in OWN_NAMES:
        problem = f"the name {point.name} is that of an extender of the node's own"
    return Registration(point.name, name, version, entry_point=point, problem=problem)


def interface_problems(interface: Any, candidate: Any) -> list[str]:
    """What ``candidate`` lacks of a zope interface, each in a few words; nothing where it provides it."""
    try:
        verifyObject(interface, candidate)
    except Invalid as error:  # one problem, or a MultipleInvalid with all of them
        return [_in_words(interface, each) for each in getattr(error, "exceptions", (error,))]
    return []


def _in_words(interface: Any, error: Exception) -> str:
    if isinstance(error, DoesNotImplement):
        return f"it does not declare that it implements {interface.__name__}"
    if isinstance(error, BrokenImplementation):
        name = getattr(error.name, "__name__", error.name)
        return f"{name}{'()' if IMethod.providedBy(error.name) else ''} is missing"
    if isinstance(error, BrokenMethodImplementation):
        return f"{getattr(error.method, '__name__', error.method)}() {str(error.mess).removeprefix('implementation ')}"
    return " ".join(str(error).split())


def _maker_problems(maker: Any, name: str) -> list[str]:
    if problems := interface_problems(IExtenderMaker, maker):
        return problems
    checks = (
        (maker.name == name, f"its name is {maker.name!r}, its entry point's {name!r}"),
        (_NAME.fullmatch(name), f"a name has 1 to 32 of a-z 0-9 _ -, found {name!r}"),
        (isinstance(maker.uuid, UUID), f"uuid is not a uuid.UUID: {maker.uuid!r}"),
        (isinstance(maker.version, str), f"version is not a str: {maker.version!r}"),
        (isinstance(maker.summary, str), f"summary is not a str: {maker.summary!r}"),
        (isinstance(maker.anonymous, bool), f"anonymous is not a bool: {maker.anonymous!r}"),
        (_is_strict(maker.settings), "settings is neither None nor a msgspec.Struct with forbid_unknown_fields=True"),
        (not _OURS & _fields(maker.settings), f"its settings have a key of the node's own: {', '.join(sorted(_OURS))}"),
    )
    return [problem for holds, problem in checks if not holds]


def _is_strict(settings: Any) -> bool:
    if settings is None:
        return True
    is_struct = isinstance(settings, type) and issubclass(settings, msgspec.Struct)
    return is_struct and settings.__struct_config__.forbid_unknown_fields


def _fields(settings: Any) -> frozenset[str]:
    """The keys of a table, as they are spelt in it."""
    return frozenset(getattr(settings, "__struct_encode_fields__", ()))


def _settings_from(maker: Any, table: Table) -> tuple[ExtenderTable, Any]:
    """The node's own keys of a table, and the extender's."""
    place = ("extenders", maker.name)
    try:
        ours = checked({name: value for name, value in table.items() if name in _OURS}, ExtenderTable, place)
        theirs = {name: value for name, value in table.items() if name not in _OURS}
        return ours, checked(theirs, maker.settings or _NoSettings, place)
    except Problem as problem:
        where = path_text(problem.path)
        raise ConfigurationError(f"{where}: expected {problem.expected}, found {problem.found}") from None


class _NoSettings(msgspec.Struct, forbid_unknown_fields=True):
    """The table of an extender that has no settings."""


def _without_shared_uuids(rows: Iterable[Registration]) -> Iterable[Registration]:
    holders: dict[UUID, Registration] = {}
    for row in rows:
        holder = holders.setdefault(row.uuid, row) if row.uuid is not None else row
        yield row if holder is row else replace(row, maker=None, problem=_taken("uuid", str(row.uuid), row, holder))


def _taken(what: str, value: str, row: Registration, holder: Registration) -> str:
    return (
        f"the {what} {value} of {row.distribution or row.name} {row.version} is already taken by"
        f" {holder.distribution or holder.name} {holder.version}; uninstall one of them"
    )
