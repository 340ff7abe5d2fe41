"""README as a newcomer reads it: its own lines, run one after the other in a fresh clone and a clean environment.

Install, two nodes, a session, an extender of ten lines. Both nodes run on this machine, so that each gets a place and a
port of its own, as README says for that case; every other word is README's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.acceptance.installed import Surroundings, end_group, free_port
from tests.acceptance.processes import until
from tests.acceptance.report import Figure, at_most, exactly, noted


class Readme:
    """The lines to type and the files to write, as they stand in README.md."""

    def __init__(self, text: str) -> None:
        self.text = text

    def commands(self, title: str) -> list[str]:
        """Indented lines of one section, without what stands behind a #."""
        section = self.text.split(f"\n## {title}\n")[1].split("\n## ")[0]
        lines = [line.split("  #")[0].strip() for line in section.splitlines() if line.startswith("    ")]
        return [line for line in lines if line]

    def block(self, kind: str) -> str:
        """The first fenced block of this kind."""
        return re.findall(rf"```{kind}\n(.*?)```", self.text, re.DOTALL)[0]

    def says(self, words: str) -> bool:
        return words in " ".join(self.text.split())


class Machine:
    """What README calls a machine: a configuration, a data directory, a port."""

    def __init__(self, around: Surroundings, name: str) -> None:
        self.around, self.name, self.port = around, name, free_port()
        self.config, self.data = around.place / f"{name}.toml", around.place / name
        self.log = around.place / f"{name}.log"
        self.process: Any = None

    def type(self, line: str) -> str:
        """One line of README, in this machine's place."""
        if line == "qgate init":
            said = self.around.run(f"{line} --data {self.data} --config {self.config}")
            text = self.config.read_text()
            self.config.write_text(text.replace('#listen = ["tcp:9999"]', f'listen = ["tcp:{self.port}"]'))
            return said
        if line == "twistd -n qgnode":
            script = f"{line} --data {self.data} --config {self.config}"
            self.process = self.around.start_node(script, self.log, f"qgate status --data {self.data}")
            return ""
        return self.around.run(f"{line} --data {self.data}")

    def uuid(self) -> str:
        return str(self.around.json(f"qgate id --data {self.data}")["uuid"])

    def restart(self) -> None:
        end_group(self.process)
        self.type("twistd -n qgnode")


def figures() -> Iterator[Figure]:
    with Surroundings() as around:
        readme = Readme((around.clone / "README.md").read_text(encoding="utf-8"))
        venv, pip, path, init, node, allow, connect, ping, peers = readme.commands("Connect two nodes")
        around.run(venv, 120)
        around.run(pip, 400)
        around.first.append(path)
        yield noted("installed", around.run("qgate --version").strip())
        one, two = Machine(around, "one"), Machine(around, "two")
        for machine in (one, two):
            machine.type(init)
            machine.type(node)
        yield from session(one, two, (allow, connect, ping, peers))
        yield from extender(around, readme, one, two)


def session(one: Machine, two: Machine, lines: tuple[str, ...]) -> Iterator[Figure]:
    allow, connect, ping, peers = lines
    one.type(allow.replace("UUID-OF-THE-SECOND", two.uuid()))
    connect = connect.replace("UUID-OF-THE-FIRST", one.uuid()).replace("HOST:9999", f"127.0.0.1:{one.port}")
    yield noted("connect", re.sub(r"[0-9a-f-]{36}", "UUID", two.type(connect).strip()))
    said = two.type(ping.replace("UUID-OF-THE-FIRST", one.uuid()))
    yield exactly("pings", "4 sent, 4 answered", said.strip().splitlines()[-1].split(";")[0])
    yield exactly("qgate peers names the other", "yes, yes",
                  ", ".join("yes" if other.uuid() in mine.type(peers) else "no" for mine, other in
                            ((one, two), (two, one))))


def extender(around: Surroundings, readme: Readme, one: Machine, two: Machine) -> Iterator[Figure]:
    hello = around.clone / "hello"
    hello.mkdir()
    code = readme.block("python")
    (hello / "hello.py").write_text(code)
    (hello / "pyproject.toml").write_text(readme.block("toml"))
    lines = [line for line in code.splitlines() if line.strip()]
    yield at_most("lines of the extender", 10, len(lines))
    for words in ("pip install ./hello", "[extenders.hello]"):
        yield exactly(f"README says {words}", True, readme.says(words))
    around.run("pip install ./hello", 200)
    for machine in (one, two):
        machine.config.write_text(machine.config.read_text() + "\n[extenders.hello]\n")
        machine.restart()
    two.type(f"qgate connect qg://{one.uuid()}@127.0.0.1:{one.port}")
    for machine in (one, two):
        seen = until(f"{machine.name}: the greeting", lambda log=machine.log: greeting(log), 20)  # type: ignore[misc]
        yield exactly(f"greeting in the log of {machine.name}", "says: hello from", seen)
        rows = around.json(f"qgate extenders --data {machine.data}")
        states = {row["name"]: row["state"] for row in rows}
        yield exactly(f"qgate extenders on {machine.name}", "running", states.get("hello"))


def greeting(log: Path) -> str:
    found = re.findall(r"says: hello from", log.read_text(encoding="utf-8"))
    return str(found[0]) if found else ""
