"""Makes a module's extender look installed, without pip: a directory with a dist-info that names its entry point.

For benchmarks and acceptance runs, whose guests are no packages of their own. The node finds them the way it finds any
extender, by ``importlib.metadata``. Not for: real extenders (``pip install``).
"""

from __future__ import annotations

import sys
from pathlib import Path


def pretend_installed(place: Path, *guests: str) -> Path:
    """Write ``place/pretend-0.dist-info`` for guests given as ``name = module:object``; put ``place`` on sys.path.

    For another process put the returned directory on its PYTHONPATH, and that of the modules.
    """
    info = place / "pretend-0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pretend\nVersion: 0\n", encoding="utf-8")
    lines = "\n".join(guests)
    (info / "entry_points.txt").write_text(f"[quantumgate.extenders]\n{lines}\n", encoding="utf-8")
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))
    return place
