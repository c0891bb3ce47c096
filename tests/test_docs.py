"""
The documentation is true: links lead somewhere, names exist in the code, generated pages are
fresh, and each example is what its guide shows.
"""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests import reference
from tests.studies.screenshots import SHOTS
from tests.test_architecture import ENGINE_ORDER, HARNESS_ORDER

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples" / "engine-plugin"
PAGES = sorted(
    [
        ROOT / "README.md",
        *(ROOT / ".github").rglob("*.md"),
        *DOCS.rglob("*.md"),
    ]
)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
SOURCE = re.compile(
    r"(?<![\w./-])(?:harness|engine|tests|suites|docs|\.github)/[\w./-]*\w\.(?:py|toml|md|yml)"
)
DEAD = re.compile(
    r"\b(Effect|(?<!-)Sample|Subject|Judgement|Crew|Ledger|untold|HumTarget\.alone)\b"
)
"""Class names and terms of before the move."""
WRITTEN_BY_SCRIPTS = ("batching.md", "streaming.md", "engine-speed.md", "reliability.md")
"""Pages of docs/evidence that one command writes whole."""
TWO_SENTENCES = re.compile(r"[a-z)`][.?!] (?=[A-Z])")
HOUSEHOLD = re.compile(r"\b(crew|ledger|untold|whosever|dice)\b", re.IGNORECASE)


def prose(path: Path) -> str:
    """Return a page without its code blocks."""
    return FENCE.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page: of its headings, as GitHub makes them, and its own."""
    heads = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", head.lower()) for head in heads)
    own = re.findall(r'<a id="([a-z0-9-]+)"></a>', prose(path))
    return {head.replace(" ", "-") for head in plain} | set(own)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    wrong = []
    for link in LINK.findall(prose(page)):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            wrong.append(link)
    assert wrong == []


def test_every_path_in_the_readme_is_a_link() -> None:
    text = re.sub(r"\[[^\]]*\]\([^)]*\)", "", prose(ROOT / "README.md"))
    words = {word.rstrip("/") for code in CODE.findall(text) for word in code.split()}
    made = {"baselines", "runs", "reports"}  # folders of the reader's repository
    named = {word for word in words if "/" in word or "." in word}
    named = {word for word in named if word.partition("/")[0] not in made}
    assert sorted(word for word in named if (ROOT / word).exists()) == []


def test_every_term_of_the_glossary_can_be_linked_to_and_is_there_once() -> None:
    page = DOCS / "glossary.md"
    rows = re.findall(
        r'^\| (?:<a id="([a-z0-9-]+)"></a>)?([^|]+?) \|', page.read_text(), re.MULTILINE
    )
    terms = [(anchor, term) for anchor, term in rows if term not in ("term", "---")]
    assert [term for anchor, term in terms if not anchor] == []
    assert len({anchor for anchor, _ in terms}) == len(terms)


GUIDES = sorted(
    {path for path in DOCS.glob("*.md") if path.name not in ("README.md", "glossary.md")}
)


@pytest.mark.parametrize("page", GUIDES, ids=lambda path: path.stem)
def test_every_guide_links_a_term_to_the_glossary(page: Path) -> None:
    assert "](glossary.md#" in page.read_text()


PICTURELESS = (
    *("CONTRIBUTING", "architecture", "line-protocol", "options", "workloads", "glossary"),
    *("suites", "speech-tokens", "conversion", "reels", "source-recordings", "voices-of-your-own"),
    *("engines", "sampled-engines", "solver-options", "stages-and-runtimes", "metrics", "texts"),
    "languages",
)
"""Pages of tables, drawings or commands, which a picture of a page would not help."""


@pytest.mark.parametrize("page", GUIDES, ids=lambda path: path.stem)
def test_every_guide_shows_what_it_speaks_of(page: Path) -> None:
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text())
    assert pictures or page.stem in PICTURELESS
    assert [path for words, path in pictures if len(words) < 20] == [], "say what is to be seen"


def test_every_picture_of_a_page_is_made_by_the_script_and_shown_by_a_page() -> None:
    kept = {path.stem for path in (DOCS / "pictures").iterdir()}
    assert kept == {*SHOTS, "caught"}, "python -m tests.studies.screenshots"
    shown = {name for page in PAGES for name in re.findall(r"pictures/([a-z-]+)\.png", prose(page))}
    assert sorted(kept - shown) == []


def test_the_index_lists_every_page() -> None:
    index = DOCS / "README.md"
    linked = {(DOCS / link).resolve() for link in LINK.findall(index.read_text())}
    own = {path for path in DOCS.rglob("*.md") if "examples" not in path.parts}
    folders = {path.resolve() for path in linked if path.is_dir()}
    absent = [
        path.relative_to(DOCS).as_posix()
        for path in sorted(own - linked - {index})
        if path.parent not in folders
    ]
    assert absent == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = {word for code in CODE.findall(prose(page)) for word in SOURCE.findall(code)}
    roots = (ROOT, EXAMPLES)  # guides name the files that they have you copy
    assert [
        name for name in sorted(named) if not any((root / name).is_file() for root in roots)
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_page_speaks_of_classes_by_their_old_names(page: Path) -> None:
    assert DEAD.findall("\n".join(CODE.findall(prose(page)))) == []


@pytest.mark.parametrize("name", reference.PAGES)
def test_generated_pages_are_fresh(name: str) -> None:
    assert (DOCS / name).read_text() == reference.PAGES[name](), "run `make reference`"


@pytest.mark.parametrize(
    ("package", "order"), [("harness", HARNESS_ORDER), ("engine", ENGINE_ORDER)]
)
def test_the_drawing_holds_every_folder_and_every_import(
    package: str, order: tuple[str, ...]
) -> None:
    drawn = re.search(
        rf"<!-- drawing: {package} -->\n```mermaid\n(.*?)```",
        (DOCS / "architecture.md").read_text(),
        re.DOTALL,
    )
    assert drawn is not None
    lines = [line.strip() for line in drawn[1].splitlines()[1:]]
    boxes = [line for line in lines if "-->" not in line]
    pairs = [tuple(line.split(" --> ")) for line in lines if "-->" in line]
    assert boxes == [name for name in order if not name.startswith("_")]
    for high in boxes:
        below, reached = {low for low, other in pairs if other == high}, set[str]()
        while below:
            reached |= below
            below = {low for low, other in pairs if other in below} - reached
        assert reference.imported(package, high) & set(boxes) - {high} <= reached, high


@cache
def names() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the names of both packages: classes, functions, and `Class.attribute`."""
    classes, functions, members = set(), set(), set()
    for package in ("harness", "engine"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    functions.add(node.name)
                elif isinstance(node, ast.ClassDef):
                    classes.add(node.name)
                    members |= {f"{node.name}.{name}" for name in _members(node)}
    return frozenset(classes), frozenset(functions), frozenset(members)


def _members(node: ast.ClassDef) -> set[str]:
    found = set()
    for each in node.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(each.name)
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            found.add(each.target.id)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_class_that_a_page_names_exists_in_the_code(page: Path) -> None:
    classes, _, members = names()
    words = set(CODE.findall(prose(page)))
    camel = {word for word in words if re.fullmatch(r"(?:[A-Z][a-z0-9]+){2,}", word)}
    dotted = {word for word in words if re.fullmatch(r"[A-Z]\w+\.\w+", word)}
    assert sorted(camel - classes) == []
    assert sorted(dotted - members) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_python_program_that_a_page_calls_exists(page: Path) -> None:
    text = page.read_text()
    modules = re.findall(r"python -m ((?:tests|harness|engine)(?:\.\w+)*)", text)
    paths = [ROOT / name.replace(".", "/") for name in modules]
    absent = [path for path in paths if not (path.is_dir() or path.with_suffix(".py").is_file())]
    scripts = re.findall(r"python (tests/[\w/]+\.py)", text)
    assert absent == []
    assert [name for name in scripts if not (ROOT / name).is_file()] == []


def test_every_name_of_the_architecture_page_exists_in_the_code() -> None:
    classes, functions, members = names()
    words = CODE.findall(prose(DOCS / "architecture.md"))
    single = {word for word in words if re.fullmatch(r"[A-Z][a-z]+", word)}
    dotted = {word for word in words if re.fullmatch(r"(?!voxgate\.)\w+(?:\.\w+)+", word)}
    calls = {word for word in words if re.fullmatch(r"[a-z]+(?:_[a-z]+)+", word)}
    fields = {name.partition(".")[2] for name in members}
    assert sorted(single - classes) == []
    assert sorted(dotted - members) == []
    assert sorted(calls - functions - fields) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_one_sentence_a_line_and_no_household_words(page: Path) -> None:
    if page.parent.name == "reference" or page.name in WRITTEN_BY_SCRIPTS:
        return
    lines = [
        line for line in prose(page).splitlines() if not line.startswith(("|", "#", ">", "!", "<"))
    ]
    assert [line for line in lines if TWO_SENTENCES.search(line)] == []
    assert [line for line in lines if HOUSEHOLD.search(line)] == []


@pytest.mark.parametrize(
    ("variables", "printed"),
    [
        ({"_VOXGATE_COMPLETE": "bash_source"}, "complete -o nosort -F _voxgate_completion voxgate"),
        (
            {"_VOXGATE_COMPLETE": "bash_complete", "COMP_WORDS": "voxgate acc", "COMP_CWORD": "1"},
            "plain,accept",
        ),
    ],
)
def test_the_shell_completion_of_the_reference_works(
    variables: dict[str, str], printed: str
) -> None:
    code = "from voxgate.harness.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert printed in done.stdout
