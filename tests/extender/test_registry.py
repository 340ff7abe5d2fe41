"""Extenders are listed without importing them, loaded only when enabled, and contained whatever they do."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import ConfigurationError
from quantumgate.extender.api import Extender, maker
from quantumgate.extender.registry import GROUP, Registration, Registry, listed_extenders, registered

GOOD = """
import msgspec
from quantumgate.extender.api import Extender, maker
class Settings(msgspec.Struct, forbid_unknown_fields=True):
    size: int = 3
one = maker(Extender, name="{name}", uuid="{uuid}", version="1.2", summary="a test", settings=Settings)
"""
UUID_ONE = "11111111-1111-4111-8111-111111111111"
UUID_TWO = "22222222-2222-4222-8222-222222222222"


class RegistryTests(SynchronousTestCase):
    """Against real distributions in a directory of the test's own."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        sys.path.insert(0, str(self.directory))
        self.addCleanup(sys.path.remove, str(self.directory))
        self.modules: list[str] = []
        self.addCleanup(lambda: [sys.modules.pop(name, None) for name in self.modules])

    def install(self, distribution: str, source: str, name: str = "one", attribute: str = "one") -> str:
        """A distribution with one extender whose module has this source. The name of the module."""
        module = f"qg_test_{len(self.modules)}_{abs(hash(self.id()))}"
        self.modules.append(module)
        (self.directory / f"{module}.py").write_text(source)
        info = self.directory / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {module}:{attribute}\n")
        return module

    def found(self) -> list[EntryPoint]:
        here = distributions(path=[str(self.directory)])
        return [point for distribution in here for point in distribution.entry_points.select(group=GROUP)]

    def run_registry(self, *enabled: str, **tables: dict[str, object]) -> list[Registration]:
        return list(Registry({**{name: {} for name in enabled}, **tables}, self.found()).run())

    def problem(self, source: str, **settings: object) -> str:
        """What an enabled extender with this source is reported for."""
        self.install("bad-package", source)
        (row,) = self.run_registry(one=settings)
        self.assertIsNone(row.maker)
        return row.problem

    def test_listing_imports_nothing(self) -> None:
        """A package that would end the process on import is listed with name, version and distribution."""
        module = self.install("deadly", "import os\nos._exit(3)")
        (row,) = listed_extenders(self.found())
        self.assertEqual((row.name, row.version, row.distribution, row.problem), ("one", "1.0", "deadly", ""))
        self.assertNotIn(module, sys.modules)

    def test_only_enabled_are_loaded(self) -> None:
        """Without a table an extender is not imported, and has no maker and no problem."""
        module = self.install("idle", "raise RuntimeError")
        (row,) = self.run_registry()
        self.assertEqual((row.enabled, row.maker, row.problem), (False, None, ""))
        self.assertNotIn(module, sys.modules)

    def test_good(self) -> None:
        """An enabled extender comes with its maker, its checked settings and its traits."""
        self.install("good", GOOD.format(name="one", uuid=UUID_ONE))
        (row,) = self.run_registry(one={"size": 5})
        self.assertEqual((row.problem, row.settings.size, row.version), ("", 5, "1.2"))
        self.assertEqual((row.uuid, row.summary, row.anonymous), (UUID(UUID_ONE), "a test", False))

    def test_the_nodes_own_keys(self) -> None:
        """They stand in the extender's table, and are none of the extender's."""
        self.install("good", GOOD.format(name="one", uuid=UUID_ONE))
        for table, findable in (({}, False), ({"size": 5}, False), ({"findable": True, "size": 5}, True)):
            (row,) = self.run_registry(one=dict(table))
            self.assertEqual((row.problem, row.findable, row.settings.size), ("", findable, table.get("size", 3)))
        (row,) = self.run_registry(one={"findable": "yes"})
        self.assertEqual((row.bad_settings, row.problem),
                         (True, 'extenders.one.findable: expected true or false, found "yes"'))

    def test_settings_that_take_a_key_of_the_nodes_own(self) -> None:
        problem = self.problem(GOOD.format(name="one", uuid=UUID_ONE).replace("size", "findable"))
        self.assertIn("its settings have a key of the node's own: findable", problem)

    def test_runs_once(self) -> None:
        """The second run gives the first one's result, although the package has changed."""
        self.install("good", GOOD.format(name="one", uuid=UUID_ONE))
        registry = Registry({"one": {}}, self.found())
        self.assertIs(registry.run(), registry.run())

    def test_unknown_name(self) -> None:
        """An enabled name without a package is a configuration error that names what is installed."""
        self.install("good", GOOD.format(name="one", uuid=UUID_ONE))
        error = self.assertRaises(ConfigurationError, self.run_registry, "two")
        self.assertIn("extenders.two: expected the name of an installed extender (one), found", str(error))
        self.assertIn("install", error.advice)

    def test_raises_at_import(self) -> None:
        self.assertEqual(
            self.problem("import no_such_module_at_all"),
            "ModuleNotFoundError: No module named 'no_such_module_at_all', while it was imported",
        )

    def test_exits_at_import(self) -> None:
        self.assertEqual(self.problem("import sys\nsys.exit(3)"), "SystemExit: 3, while it was imported")

    def test_syntax_error(self) -> None:
        self.assertIn("SyntaxError", self.problem("def"))

    def test_missing_attribute(self) -> None:
        self.assertIn("AttributeError", self.problem("two = 2"))

    def test_exception_that_cannot_be_printed(self) -> None:
        """Even then there is a line to show."""
        source = "class E(BaseException):\n    def __str__(self):\n        raise ValueError\nraise E"
        self.assertEqual(self.problem(source), "E, while it was imported")

    def test_no_maker(self) -> None:
        """Everything that is missing is in one message."""
        problem = self.problem("class M:\n    name = 'one'\none = M()")
        for word in ("uuid", "version", "summary", "settings", "anonymous", "make()"):
            self.assertIn(f"{word} is missing", problem)

    def test_wrong_kinds(self) -> None:
        """Each attribute of a wrong kind is named, all at once."""
        problem = self.problem(
            "from zope.interface import implementer\nfrom quantumgate.interfaces import IExtenderMaker\n"
            "@implementer(IExtenderMaker)\nclass M:\n    name = 'two'\n    uuid = 'x'\n    version = 1\n"
            "    summary = None\n    anonymous = 1\n    settings = dict\n    def make(self, settings): pass\none = M()"
        )
        for word in ("uuid", "version", "summary", "anonymous", "settings"):
            self.assertIn(f"{word} is n", problem)
        self.assertIn("its name is 'two'", problem)

    def test_lax_settings(self) -> None:
        """A Struct that would swallow unknown keys is refused."""
        source = GOOD.format(name="one", uuid=UUID_ONE).replace(", forbid_unknown_fields=True", "")
        self.assertIn("forbid_unknown_fields", self.problem(source))

    def test_wrong_setting(self) -> None:
        """The key, what was expected and what was found."""
        problem = self.problem(GOOD.format(name="one", uuid=UUID_ONE), size="big")
        self.assertEqual(problem, 'extenders.one.size: expected a whole number, found "big"')

    def test_unknown_setting(self) -> None:
        self.assertIn("extenders.one.sise", self.problem(GOOD.format(name="one", uuid=UUID_ONE), sise=3))

    def test_settings_where_there_are_none(self) -> None:
        source = GOOD.format(name="one", uuid=UUID_ONE).replace("settings=Settings", "settings=None")
        self.assertIn("extenders.one.size: expected no key here", self.problem(source, size=3))

    def test_configuration_errors(self) -> None:
        """Wrong settings are the operator's to mend; a broken package is not."""
        self.install("good", GOOD.format(name="one", uuid=UUID_ONE))
        self.install("broken", "raise ValueError('no')", name="two")
        registry = Registry({"one": {"size": None}, "two": {}}, self.found())
        (line,) = registry.configuration_errors()
        self.assertIn("extenders.one.size", line)
        self.assertIn("ValueError: no", registry.run()[1].problem)

    def test_name_taken(self) -> None:
        """Of two packages with one name the first in the order of names keeps it; the message names both."""
        self.install("package-b", GOOD.format(name="one", uuid=UUID_TWO))
        self.install("package-a", GOOD.format(name="one", uuid=UUID_ONE))
        first, second = self.run_registry("one")
        self.assertEqual((first.distribution, first.problem, first.uuid), ("package-a", "", UUID(UUID_ONE)))
        self.assertIsNone(second.maker)
        for word in ("name one", "package-a", "package-b"):
            self.assertIn(word, second.problem)

    def test_uuid_taken(self) -> None:
        self.install("package-a", GOOD.format(name="one", uuid=UUID_ONE))
        self.install("package-b", GOOD.format(name="two", uuid=UUID_ONE), name="two")
        first, second = self.run_registry("one", "two")
        self.assertEqual(first.problem, "")
        self.assertIsNone(second.maker)
        for word in (UUID_ONE, "package-a", "package-b"):
            self.assertIn(word, second.problem)

    def test_name_of_the_nodes_own(self) -> None:
        module = self.install("imitator", GOOD.format(name="services", uuid=UUID_ONE), name="services")
        (row,) = self.run_registry("services")
        self.assertIn("the name services is that of", row.problem)
        self.assertNotIn(module, sys.modules)

    def test_name_that_is_no_directory(self) -> None:
        """A name becomes a directory: one that would leave it is refused, unloaded."""
        module = self.install("sly", GOOD.format(name="one", uuid=UUID_ONE), name="../one")
        (row,) = self.run_registry()
        self.assertIn("a name has 1 to 32", row.problem)
        self.assertNotIn(module, sys.modules)

    def test_registered(self) -> None:
        """A maker without a package, for tests and embedding programs."""
        row = registered(maker(Extender, name="mine", uuid=UUID_ONE), distribution="test")
        self.assertEqual((row.name, row.problem, row.enabled, row.distribution), ("mine", "", True, "test"))
