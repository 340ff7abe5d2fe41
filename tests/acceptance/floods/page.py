"""The table of floods in docs/attacks.md, from the newest rows of docs/acceptance.md.

    python -m tests.acceptance.floods.page

Rewrites what stands between the two marks of that page. What must happen is said here, what was seen there.
"""

from __future__ import annotations

import re

from tests.acceptance.report import ROOT, TABLE

PAGE = ROOT / "docs" / "attacks.md"
BEGIN, END = "<!-- floods: written by tests.acceptance.floods.page -->", "<!-- end of floods -->"
HEAD = "| flood | row | what must happen | what was sent | MiB more | core used | echo rate | new peer, s |"
MUST: dict[str, tuple[str, str]] = {
    "connect_close": ("16", "counts per address close at accept; who comes too often pays, and is refused"),
    "slow_openers": ("16", "the oldest handshake gives way; drained, and closed beyond 2048"),
    "garbage": ("1", "drain, 0 bytes sent"),
    "replays": ("2", "drain, 0 bytes sent"),
    "half_handshakes": ("16", "answered; who then says no more gives way"),
    "handshakes": ("13", "answered for a second or two, then given puzzles, which nobody solves"),
    "overload": ("13", "strangers wait, solve or meet silence; told, not judged"),
    "record_abuse": ("14, 15", "dead, or CLOSE(violation); the UUID and the address pay"),
    "channel_floods": ("17", "CLOSE(flood) or CLOSE(violation); below the rates all is legal"),
    "never_reading": ("16", "writers stop; over `memory_bytes` CLOSE(limit), who holds most first"),
    "bombs": ("18", "legal ones are inflated one at a time, lies are violations"),
    "rekey_storms": ("20", "dead; a good request is answered and waits for its switch"),
    "relay_abuse": ("21", "code 5 at once, code 3 after 8 to 12 s, code 7 from quotas, CLOSE(flood)"),
    "exchange_abuse": ("24", "one message is verified at a time, 16 wait; CLOSE(flood), CLOSE(violation)"),
    "reach_abuse": ("-", "one dial back a second for all together, to whoever asked alone; the others are refused"),
}


def seen(rows: dict[tuple[str, str], str], flood: str) -> list[str]:
    """The cells of one flood; a dash for what was not measured."""

    def of(figure: str) -> str:
        return rows.get((f"floods.{flood}", figure), "-")

    core = of("of a core used by the node; descriptors, at most").partition(";")[0]
    peers = of("seconds for a new peer, median to longest, control and flood; most tries")
    found = re.search(r" and ([\d.]+ to [\d.]+)", peers)
    echo = of("echo rate of a connected peer, share of the control run")
    return [of("what is sent"), of("memory: MiB more than before, at most"), core, echo, found[1] if found else "-"]


def table(acceptance: str) -> str:
    """All of it, from the text of docs/acceptance.md."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in acceptance.splitlines() if line[:2] == "| "]
    rows = {(one[0], one[1]): one[3] for one in cells if len(one) > 3}
    lines = [HEAD, "|" + "---|" * (HEAD.count("|") - 1)]
    for flood, (row, must) in MUST.items():
        lines.append("| " + " | ".join((flood, row, must, *seen(rows, flood))) + " |")
    return "\n".join(lines)


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{table(TABLE.read_text(encoding='utf-8'))}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
