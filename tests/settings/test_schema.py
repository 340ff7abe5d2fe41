"""The schema itself: each key says what it holds and why, and floor 0 stays light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from twisted.trial.unittest import SynchronousTestCase

import quantumgate
from quantumgate.settings.schema import Settings


def keys(kind: Any, prefix: str = "") -> list[tuple[str, list[msgspec.Meta]]]:
    """Every key path below a Struct with its Metas."""
    found = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        branches = [hint, *get_args(hint)]
        metas = [meta for one in branches if get_origin(one) is Annotated for meta in get_args(one)[1:]]
        found.append((f"{prefix}{name}", [meta for meta in metas if isinstance(meta, msgspec.Meta)]))
        inner = type(getattr(kind(), name))
        if hasattr(inner, "__struct_fields__"):
            found += keys(inner, f"{prefix}{name}.")
    return found


class SchemaTests(SynchronousTestCase):
    def test_each_key_has_words_and_a_reason(self) -> None:
        for path, metas in keys(Settings):
            self.assertTrue(metas and metas[0].description and (metas[0].extra or {}).get("expected"), path)

    def test_seconds_and_bytes_name_their_unit(self) -> None:
        for path, metas in keys(Settings):
            if path.endswith(("_seconds", "_bytes")):
                self.assertTrue((metas[0].extra or {}).get("unit"), path)

    def test_frozen(self) -> None:
        self.assertRaises(AttributeError, setattr, Settings(), "node", None)

    def test_floor_zero_loads_nothing_heavy(self) -> None:
        code = ("import sys, quantumgate.settings.schema; "
                "print([m for m in sys.modules if m.split('.')[0] in ('twisted', 'cryptography', 'rich', 'click')])")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                              env={"PYTHONPATH": str(Path(quantumgate.__file__).parent.parent)})
        self.assertEqual(done.stdout.strip(), "[]")
