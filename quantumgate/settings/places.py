"""Where a node keeps its things when it is not told: the XDG directories. Not for: making or reading them."""

from __future__ import annotations

import os
from pathlib import Path

CONFIG_NAME = "quantumgate.toml"


def _base(variable: str, fallback: str) -> Path:
    """An XDG base directory; the specification says that a relative value is ignored."""
    value = os.environ.get(variable, "")
    return Path(value) if os.path.isabs(value) else Path.home() / fallback


def default_config_file() -> Path:
    return _base("XDG_CONFIG_HOME", ".config") / "quantumgate" / CONFIG_NAME


def default_data_directory() -> Path:
    return _base("XDG_DATA_HOME", ".local/share") / "quantumgate"
