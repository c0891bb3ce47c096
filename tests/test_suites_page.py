"""docs/suites.md lists every suite with the question that its file asks, and nothing else."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.*) \|$", re.MULTILINE)


def test_every_suite_stands_on_the_page_with_its_question() -> None:
    asked = {
        path.stem: " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split())
        for path in (ROOT / "suites").glob("*.py")
    }
    told = {
        name: question
        for name, question, _ in ROW.findall((ROOT / "docs" / "suites.md").read_text())
    }
    assert told == asked


def test_what_the_page_points_to_exists() -> None:
    pages = re.findall(r"\]\(([^)#]+)\)", (ROOT / "docs" / "suites.md").read_text())
    assert pages and all((ROOT / "docs" / page).exists() for page in pages)


def test_the_page_says_which_suites_have_a_reviewed_baseline() -> None:
    (kept,) = re.findall(
        r"baselines are kept for (.+?)\.\n", (ROOT / "docs" / "suites.md").read_text()
    )
    assert set(re.findall(r"`(\w+)`", kept)) == {
        path.parent.name for path in (ROOT / "baselines").glob("*/quality.json")
    }
