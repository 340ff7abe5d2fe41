"""All ProVerif models of docs/spec/model, each with the results that it must have; about half an hour.

Needs ProVerif 2.05 on the PATH.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.report import Figure
from tests.test_models import models


def figures() -> Iterator[Figure]:
    if not shutil.which("proverif"):
        yield Figure("proverif on the PATH", "yes", "no", False)
        return
    with tempfile.TemporaryDirectory() as scratch:
        for case in models.CASES:
            outcome = models.run(case, Path(scratch), limit_seconds=1800)
            bound = " ".join(case.expected) or "at least one not proved"
            seen = f"{' '.join(outcome.results)} ({outcome.seconds:.0f} s)"
            yield Figure(f"{case.name}: {case.says}", bound, seen, outcome.meets(case))
