"""The documentation keeps step with the code: drawn pages, cited pages, links, the rows of the parity page."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import house
from tests.house import ROOT

DOCS = ROOT / "docs"


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
                if not (ROOT / cited).exists():
                    gone.append(f"{source}: {cited}")
        self.assertEqual(gone, [])

    def test_links_lead_somewhere(self) -> None:
        broken = []
        for page in pages():
            text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
            for target in re.findall(r"\]\(([^)#\s]+)", text):
                if re.match(r"[a-z]+:", target) or (page.parent / target).exists():
                    continue
                broken.append(f"{page.relative_to(ROOT)}: {target}")
        self.assertEqual(broken, [])


class CitedSectionsTests(SynchronousTestCase):
    """``page.md section 3.1``, ``page.md, sections 2 and 5``, ``page.md (words of a heading)`` lead somewhere."""

    NUMBER = r"\d+(?:\.\d+)?"
    NUMBERED = re.compile(rf"([a-z-]+\.md)\)?(?:,? sections? |,? )({NUMBER}(?:(?:, | and | to ){NUMBER})*)(?![\d\w%])")
    IN_WORDS = re.compile(r"docs/([a-z]+/[a-z-]+\.md) \(([a-z ]+)\)")
    WORKING_PAPERS = frozenset({"surface.md", "protocol.md", "reference.md", "needs.md", "ecosystem.md", "mission.md"})

    def setUp(self) -> None:
        self.headings = {
            page.name: re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
            for folder in ("spec", "guide")
            for page in (DOCS / folder).glob("*.md")
        }
        sources = [*house.package(), *house.guests(), *house.tests()]
        texts = {str(source): source.text for source in sources if "test_docs" not in str(source)}
        texts |= {f"docs/spec/{page.name}": page.read_text(encoding="utf-8") for page in (DOCS / "spec").glob("*.md")}
        self.texts = {name: re.sub(r"\s+#?\s*", " ", text) for name, text in texts.items()}

    def numbers(self, page: str) -> set[str]:
        return {number for heading in self.headings[page] for number in re.findall(rf"^({self.NUMBER}) ", heading)}

    def test_numbers(self) -> None:
        gone, seen = [], 0
        for name, text in self.texts.items():
            for cited, spelled in self.NUMBERED.findall(text):
                if cited not in self.headings or not self.numbers(cited):
                    continue
                wanted = set(re.findall(self.NUMBER, spelled))
                seen += len(wanted)
                gone += [f"{name}: {cited} {number}" for number in sorted(wanted - self.numbers(cited))]
        self.assertEqual(gone, [])
        self.assertGreater(seen, 100, "the pattern finds nothing any more")

    def test_words(self) -> None:
        gone = []
        for name, text in self.texts.items():
            for cited, words in self.IN_WORDS.findall(text):
                headings = " | ".join(self.headings.get(cited.split("/")[1], ())).lower()
                if words not in headings and words not in self._marked(cited):
                    gone.append(f"{name}: {cited} ({words})")
        self.assertEqual(gone, [])

    def _marked(self, cited: str) -> str:
        """What a page marks as code: names of keys and commands."""
        page = DOCS / cited
        return " ".join(re.findall(r"`([^`]+)`", page.read_text(encoding="utf-8"))) if page.exists() else ""

    def test_no_paper_that_is_not_here_is_cited(self) -> None:
        pattern = re.compile(r"(?<![\w/-])(\w+\.md)")
        found = {f"{name}: {cited}" for name, text in self.texts.items() for cited in pattern.findall(text)
                 if cited in self.WORKING_PAPERS}
        self.assertEqual(sorted(found), [])


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

    def test_tests_that_are_named_are_there(self) -> None:
        """Access and admission name theirs in every row."""
        for line in self.lines:
            named = re.findall(r"`((?:\w+\.)*test_\w+(?:\.\w+)*)`", line[3])
            for path in named:
                parts = path.split(".")
                at = next(place for place, part in enumerate(parts) if part.startswith("test_")) + 1
                found: object = import_module(".".join(["tests", *parts[:at]]))
                for part in parts[at:]:
                    found = getattr(found, part)
            if re.fullmatch(r" (A\d+|N[123]) ", line[1]):
                self.assertTrue(named, line[1])

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
