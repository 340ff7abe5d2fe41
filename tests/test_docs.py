"""The documentation keeps step with the code: drawn pages, cited pages, links, the rows of the parity page."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import house
from tests.house import ROOT

DOCS = ROOT / "docs"
# Pages that code and pages cite and nobody has written yet; a debt, to be paid and struck out.
UNWRITTEN = frozenset(
    f"docs/spec/{name}.md"
    for name in ("access", "algorithms", "channels", "codes", "dialling", "limits", "liveness", "messages", "records",
                 "rekey", "session")
) | {"docs/adr/0021-timers-on-steady-time.md", "docs/guide/first-extender.md", "docs/guide/extender-host.md"}


def pages() -> list[Path]:
    made = {".venv", "build", "node_modules"}
    found = [*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "extenders").rglob("*.md")]
    return [page for page in found if not made & set(page.parts)]


class StatesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.draw = house.load_script(DOCS / "spec/draw_states.py")

    def test_the_page_is_what_the_tables_say(self) -> None:
        drawn = (DOCS / "spec/states.md").read_text(encoding="utf-8")
        self.assertEqual(drawn, self.draw.page(), "core/state.py changed: run `make states`")

    def test_every_arrow_is_drawn(self) -> None:
        """Counted apart from the drawing: one transition, one word in a row."""
        for name, table in self.draw.tables().items():
            if not all(isinstance(key, tuple) for key in table):
                continue
            section = self.draw.page().split(f"## {name.replace('_', ' ').capitalize()}\n")[1].split("\n## ")[0]
            rows = section.split("| in state | on | becomes |")[1].split("```")[0]
            words = [row.split("|")[2].split(",") for row in rows.splitlines() if row.startswith("| `")]
            self.assertEqual(sum(map(len, words)), len(table), name)


class CitedPagesTests(SynchronousTestCase):
    def test_pages_cited_by_code_exist(self) -> None:
        gone = []
        sources = [*house.package(), *house.guests(), *house.tests()]
        for source in sources:
            for cited in set(re.findall(r"docs/[a-z]+/[A-Za-z0-9_-]+\.md", source.text)):
                if not (ROOT / cited).exists() and cited not in UNWRITTEN:
                    gone.append(f"{source}: {cited}")
        self.assertEqual(gone, [])

    def test_links_lead_somewhere(self) -> None:
        broken = []
        for page in pages():
            text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
            for target in re.findall(r"\]\(([^)#\s]+)", text):
                if re.match(r"[a-z]+:", target) or (page.parent / target).exists():
                    continue
                if str((page.parent / target).resolve().relative_to(ROOT)) not in UNWRITTEN:
                    broken.append(f"{page.relative_to(ROOT)}: {target}")
        self.assertEqual(broken, [])


class ParityTests(SynchronousTestCase):
    """Each row of the original's inventory has its line."""

    ROWS = {"L": 25, "N": 7, "E": 4, "P": 10, "C": 9, "S": 15, "A": 18, "D": 9, "X": 13, "K": 22, "T": 9, "U": 5}
    ROWS |= {"Q": 23, "R": 23, "M": 4, "Z": 8, "SX": 17, "V": 10, "TX": 8}

    def setUp(self) -> None:
        text = (DOCS / "spec/parity.md").read_text(encoding="utf-8")
        self.lines = [line.split("|") for line in text.splitlines() if re.match(r"\| [A-Z0-9]", line)]
        self.text = text

    def rows(self) -> set[str]:
        """Every number in the first column, ranges spelled out."""
        found = set()
        for cell in (line[1] for line in self.lines):
            for letter, first, last in re.findall(r"\b([A-Z]{1,2})(\d+)(?:–[A-Z]{1,2}(\d+))?", cell):
                found |= {f"{letter}{n}" for n in range(int(first), int(last or first) + 1)}
        return found

    def test_no_row_is_missing(self) -> None:
        wanted = {f"{letter}{n}" for letter, count in self.ROWS.items() for n in range(1, count + 1)}
        self.assertEqual(sorted(wanted - self.rows()), [])

    def test_every_line_has_a_verdict(self) -> None:
        verdicts = re.compile(r"built|differs|later|not built|not needed")
        self.assertEqual([line[1] for line in self.lines if not verdicts.search(line[3])], [])

    def test_later_names_its_milestone(self) -> None:
        names = "relays|access|finding|people|privacy|speed|any byte stream"
        later = [(line[1], line[3]) for line in self.lines if "later:" in line[3]]
        self.assertEqual([row for row, text in later if not re.search(f"later: (?:{names})", text)], [])

    def test_every_cited_weakness_is_in_the_list(self) -> None:
        table, listed = self.text.split("## The W-numbers used above")
        known: set[int] = set()
        for first, last in re.findall(r"W(\d+)(?:–W(\d+))?", listed):
            known |= set(range(int(first), int(last or first) + 1))
        self.assertEqual({int(n) for n in re.findall(r"W(\d+)", table)} - known, set())
