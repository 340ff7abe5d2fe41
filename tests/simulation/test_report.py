"""What the rows of runs come to together, as tables and plots: each number is somebody's who is asked."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation import plots, report
from tests.simulation.__main__ import missing, plan


def looked(found: int, **more: object) -> dict[str, object]:
    return {"scenario": "steady", "lookups": 10, "found": found, "each_questions": {"9": 8, "12": 2},
            "each_tenths": {"4": 9, "20": 1}, "midnight": False, **more}


ROWS = [
    looked(10), looked(9),
    {"scenario": "slots", "share": 0.05, "each": [0.0, 0.1], "from_the_start": 0.2, "by_hour": [0.3, 0.05]},
    {"scenario": "slots", "share": 0.2, "each": [0.2, 0.2], "from_the_start": 0.3, "by_hour": [0.4, 0.2]},
    {**looked(9), "scenario": "providers", "case": "few", "online": 12, "living": {"median": 11}, "living_least": 9,
     "living_share": 0.9, "theirs_share": 0.05},
    {**looked(10), "scenario": "providers", "case": "few", "online": 15, "living": {"median": 12}, "living_least": 8,
     "living_share": 0.8, "theirs_share": 0.15},
    {**looked(10), "scenario": "eclipsed", "rented": 2}, {**looked(0), "scenario": "eclipsed", "rented": 8},
]


class FigureTests(SynchronousTestCase):
    def test_sums(self) -> None:
        steady = report.of(ROWS, "steady")
        self.assertEqual(report.success(steady), 0.95)
        asked = report.together(steady, "each_questions")
        self.assertEqual([report.quantile(asked, share) for share in (0.5, 0.8, 0.95)], [9, 9, 12])
        self.assertEqual(report.held(report.of(ROWS, "slots")), 0.5)

    def test_tables(self) -> None:
        text = report.figures(ROWS)
        for part in ("| a dozen run it | 2 | 12-15 | 95.0% | 11.5, 8 | 85%, 10% | 9, 12 | 0.5, 2.1 |",
                     "| 2 | 20 | 95.00% | 9, 12, 12 | 0.5, 2.1, 2.1 |", "| 2 | 1 | 100% |", "| 8 | 1 | 0% |",
                     "fewer than 1 in 8 | 50% |"):
            self.assertIn(part, text)

    def test_the_page_keeps_its_sentences(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "README.md").write_text(f"before\n{report.MARKS[0]}\nold\n{report.MARKS[1]}\nafter\n")
        report.write(folder, ROWS)
        page = (folder / "README.md").read_text()
        self.assertTrue(page.startswith("before\n") and page.endswith("after\n"))
        self.assertNotIn("old", page)
        self.assertEqual(len(list(folder.glob("*.svg"))), 4)


class PlotTests(SynchronousTestCase):
    def test_each_is_well_formed(self) -> None:
        for name, picture in plots.all_of(ROWS).items():
            self.assertEqual(ElementTree.fromstring(picture).attrib["viewBox"], "0 0 640 320", name)

    def test_axes_are_marked_with_round_numbers(self) -> None:
        for most, expected in ((0.0, [0, 1]), (0.34, [0, 0.1, 0.2, 0.3, 0.4]), (12, [0, 2, 4, 6, 8, 10, 12]),
                               (27, [0, 5, 10, 15, 20, 25, 30])):
            marks = plots.marks(most)
            self.assertEqual([round(mark, 9) for mark in marks], expected)

    def test_nothing_without_rows(self) -> None:
        self.assertEqual(plots.all_of([]), {})


class PlanTests(SynchronousTestCase):
    def test_what_has_its_row_is_not_made_again(self) -> None:
        jobs = plan(2)
        rows = [{"job": [name, list(arguments)]} for name, arguments in jobs[1:]]
        self.assertEqual(list(missing(jobs, rows)), jobs[:1])
        self.assertEqual(len([job for job in plan() if job[0] == "steady"]), 40)
