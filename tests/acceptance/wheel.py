"""The wheel, installed where no compiler can be reached: $PATH has none, and $CC fails. Then two nodes and a ping.

What the packages below ours bring is wheels, too, or this fails.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.installed import Surroundings, clean_path, free_port
from tests.acceptance.report import Figure, exactly, noted

TOOLS = ("bash", "sh", "env", "cat", "mkdir", "rm")
"""All that $PATH offers beside the virtual environment."""


def figures() -> Iterator[Figure]:
    with Surroundings(CC="false", CXX="false", LD="false") as around:
        tools, venv = around.place / "tools", around.place / "venv"
        tools.mkdir()
        for name in TOOLS:
            (tools / name).symlink_to(shutil.which(name) or name)
        build(around, venv)
        around.environment["PATH"] = f"{venv}/bin:{tools}"
        reachable = [name for name in ("cc", "gcc", "clang", "c++", "ld", "cmake") if compiler(around, name)]
        yield exactly("compilers reachable", [], reachable)
        around.run(f"python -m pip install {around.place}/wheels/*.whl", 400)
        shutil.rmtree(around.clone / "quantumgate")  # what runs now is what was installed
        yield noted("qgate --version", around.run("qgate --version").strip())
        yield from two_nodes(around)


def build(around: Surroundings, venv: Path) -> None:
    """The wheel with an ordinary $PATH, for it is made by us and not by whom it is installed for; the bare venv."""
    around.environment["PATH"] = clean_path()
    around.run(f"python3 -m venv {venv}", 120)
    around.run(f"{venv}/bin/python -m pip wheel --no-deps --wheel-dir {around.place}/wheels .", 300)


def compiler(around: Surroundings, name: str) -> bool:
    return bool(around.run(f"type -P {name} || true").strip())


def two_nodes(around: Surroundings) -> Iterator[Figure]:
    addresses = []
    for name in ("one", "two"):
        port = free_port()
        config = around.place / f"{name}.toml"
        config.write_text(f'[node]\nlisten = ["tcp:{port}:interface=127.0.0.1"]\ndefault_access = "allow"\n')
        data = around.place / name
        script = f"twistd -n qgnode --config {config} --data {data}"
        around.start_node(script, around.place / f"{name}.log", f"qgate status --data {data}")
        addresses.append(f"qg://{around.json(f'qgate id --data {data}')['uuid']}@127.0.0.1:{port}")
    said = around.run(f"qgate ping {addresses[1]} --count 3 --interval 0 --data {around.place}/one")
    yield exactly("pings between two nodes", "3 sent, 3 answered", said.strip().splitlines()[-1].split(";")[0])
