"""Where a node's control socket is, for the node that makes it and for those who look for it.

A unix socket's path may have 107 bytes; a deeper one moves to ``$XDG_RUNTIME_DIR``. Wherever it is not at its usual
place, the data directory says so in a small file. Not for: permissions (``server.py``). Told in
docs/guide/operating.md.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from quantumgate.errors import LocalError

SOCKET_NAME = "control.sock"
STREAMS_NAME = "streams.sock"
POINTER_NAME = "control.path"
MAX_SOCKET_PATH_BYTES = 107
"""sun_path has 108 bytes on Linux, the last one a zero."""
MAX_POINTER_BYTES = 4096


def control_path(data: Path, configured: str = "") -> Path:
    """Where the node on this data directory listens. Raises LocalError where no path is short enough."""
    wanted = Path(configured) if configured else data / SOCKET_NAME
    if _fits(wanted):
        return wanted
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    name = hashlib.sha256(os.fsencode(wanted.absolute())).hexdigest()[:16]
    short = Path(runtime) / f"quantumgate-{name}.sock"
    if not os.path.isabs(runtime) or not _fits(short):
        raise LocalError(
            f"the control socket's path has more than {MAX_SOCKET_PATH_BYTES} bytes: {wanted}",
            advice="set node.control to a shorter path, or XDG_RUNTIME_DIR to a directory of your own",
        )
    return short


def write_pointer(data: Path, path: Path) -> None:
    """Leave word in the data directory of a socket that is elsewhere; remove old word where it is not."""
    pointer = data / POINTER_NAME
    if path == data / SOCKET_NAME:
        pointer.unlink(missing_ok=True)
        return
    descriptor = os.open(pointer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(os.fsencode(path.absolute()))


def find_control(data: Path) -> Path:
    """Where qgate looks for the node on this data directory, whether or not one runs. LocalError for a foreign one."""
    try:
        with (data / POINTER_NAME).open("rb") as opened:
            return Path(os.fsdecode(opened.read(MAX_POINTER_BYTES)))
    except PermissionError:
        raise LocalError(f"{data}: permission denied", advice="use qgate as the user that runs the node") from None
    except OSError:
        return data / SOCKET_NAME


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES
