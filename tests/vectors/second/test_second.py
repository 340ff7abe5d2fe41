"""Each vector file, rebuilt from its injected randomness and read by R, by I and by an observer.

What the files say and this decoder does not say is a fault of one of them, or of a page of docs/spec.
"""
from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from . import replay, vector
from .octets import Refused
from .vector import Node

HANDSHAKES = ["anonymous", "classical", "delegated", "hybrid", "puzzle", "refused", "rekey", "retry", "shared-secret"]
SESSIONS = ["anonymous", "classical", "crossing", "hybrid", "retry", "shared-secret", "token"]
FILES = [f"handshake/{name}" for name in HANDSHAKES] + [f"session/{name}" for name in SESSIONS]
WRONG = (Refused, ValueError, KeyError, StopIteration, TypeError)
# Any list that has no id of the offer gives the same REFUSE, whatever else R allows; and no FIN is made.
REFUSED = "handshake/refused"
UNSEEN = {REFUSED: ("/inputs/allowed_by_responder", "/inputs/role", "/inputs/session")}


# What a record is about, for people.
WORDS = ("/name", "/what")
WHOLE_SESSION = "session/crossing"


def altered(value: Any, path: str) -> Any:
    """Another value in the place of a leaf: one bit of its octets, or the next number.

    In the first half: the second one of an ML-KEM seed, z, does nothing where the ciphertext fits.
    """
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + (60_000 if path.endswith("wall_ms") else 1)
    if isinstance(value, str):
        try:
            octets = bytearray.fromhex(value)
            octets[len(octets) // 4] ^= 1
            return octets.hex()
        except (ValueError, IndexError):
            return value + "00"
    return "00" * 32 if value is None else [0]


def with_altered(whole: Any, path: str) -> Any:
    """A vector with one leaf altered; the rest is shared with the old one."""
    head, _, rest = path[1:].partition("/")
    made: Any = whole.copy()
    key: Any = int(head) if isinstance(whole, list) else head
    made[key] = with_altered(whole[key], f"/{rest}") if rest else altered(whole[key], path)
    return made


class Files(SynchronousTestCase):
    """Every file, every field."""

    def test_the_files_are_these(self) -> None:
        """A new file needs a line here, so none is passed over."""
        self.assertEqual(vector.names(), FILES)

    def test_every_value_is_reproduced_and_none_is_left_unread(self) -> None:
        """Both sides rebuild each flight and know each value; the set of fields nobody looked at is empty."""
        for name in FILES:
            used: set[str] = set()
            whole = vector.load(name)
            node = Node(whole, used)
            played = replay.check(node)
            replay.observe(node)
            self.assertEqual(node["name"].take(), name.partition("/")[2])
            self.assertEqual(played.refusal is not None, name == REFUSED)
            fields = {path for path in vector.leaves(whole) if not path.endswith(WORDS)}
            self.assertEqual(sorted(fields - used), [], name)

    def test_an_observer_with_the_keys_reads_the_same(self) -> None:
        """Boxes, signed hashes, suite and the last transcript hash, without any secret of either side."""
        for name in FILES:
            whole = vector.load(name)
            seen = replay.observe(Node(whole, set()))
            values = whole["values"]
            boxes = {key: box for key, box in values.items() if key.startswith("box ") and " record " not in key}
            self.assertTrue(boxes or "records" in whole)
            self.assertEqual(seen.ledger.values if boxes else {}, boxes, name)
            self.assertEqual(seen.refused is not None, name == REFUSED)
            if seen.refused is None:
                self.assertEqual(seen.transcript.digest().hex(), values["TH session"])
                self.assertEqual(" ".join(seen.transcript.tags), values["transcript tags"])
                self.assertEqual(vars(seen.answer.select), whole["inputs"]["suite"] | {"version": 1})
                self.assertEqual(seen.session.hex(), whole["inputs"]["session"])
                hashes = {who: values[f"TH signed by {who}"] for who in seen.signed}
                self.assertEqual({who: th.hex() for who, th in seen.signed.items()}, hashes)
                self.assertEqual(seen.bundles["I"] is None, whole["inputs"]["anonymous"])


class Damage(SynchronousTestCase):
    """The comparison notices whatever is altered in a file."""

    def test_one_bit_in_any_field_is_noticed(self) -> None:
        """Each leaf of each file in turn; values are compared with what an undamaged file gave."""
        for name in FILES:
            whole = vector.load(name)
            played = replay.check(Node(whole, set()))
            for path in self._paths(name, whole):
                damaged = Node(with_altered(whole, path), set())
                if path.startswith("/values/"):
                    self.assertRaises(Refused, replay.compare_values, played, damaged["values"])
                else:
                    self.assertTrue(self._fails(damaged), f"{name}{path}")

    def _paths(self, name: str, whole: Any) -> list[str]:
        """All but words; of sessions only what handshakes do not have, and the records of one."""
        only: tuple[str, ...] = ("/",) if name.startswith("handshake/") else ("/rekey", "/block", "/delivered")
        only += ("/records", "/values") if name == WHOLE_SESSION else ()
        return [path for path in vector.leaves(whole) if path.startswith(only)
                and not path.startswith(UNSEEN.get(name, "-")) and not path.endswith(WORDS)]

    def _fails(self, damaged: Node) -> bool:
        try:
            replay.check(damaged)
        except WRONG:
            return True
        return False

    def test_a_missing_value_and_one_too_many_are_noticed(self) -> None:
        """The names are compared as well."""
        whole = vector.load("handshake/classical")
        played = replay.check(Node(whole, set()))
        for values in ({k: v for k, v in whole["values"].items() if k != "sid"}, whole["values"] | {"more": "00"}):
            self.assertRaises(Refused, replay.compare_values, played, Node(values, set()))


class Independence(SynchronousTestCase):
    """What makes this decoder a second one."""

    def test_nothing_of_the_package_is_imported(self) -> None:
        """Only the standard library, cryptography, lz4 and modules of this folder; trial in tests."""
        for path in sorted(Path(__file__).parent.glob("*.py")):
            allowed = {"cryptography", "lz4"} | sys.stdlib_module_names
            if path.name.startswith("test_"):
                allowed |= {"twisted"}
            self.assertEqual(foreign(path.read_text("utf-8"), allowed), [], path.name)

    def test_the_walk_over_imports_finds_them(self) -> None:
        """Also from inside a function, by a relative name that leaves the folder, and by a call."""
        for source in ("import quantumgate.wire", "def f():\n    from quantumgate import core", "from .. import derive",
                       "from ..derive import x", "import importlib\nimportlib.import_module('quantumgate')",
                       "__import__('quantumgate')", "import tests.vectors.derive"):
            self.assertNotEqual(foreign(source, set(sys.stdlib_module_names)), [], source)


def foreign(source: str, allowed: set[str]) -> list[str]:
    """The imports in a source that are not allowed, and every way to import by a call."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level != 1:
            found.append("." * node.level + (node.module or ""))
        elif isinstance(node, ast.Name) and node.id in ("__import__", "importlib", "exec", "eval"):
            found.append(f"?{node.id}")
    return [name for name in found if name.partition(".")[0] not in allowed]
