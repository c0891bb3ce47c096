"""
A sentence is for people: no code of the harness reads one to decide.

Two kinds of reading are found: of an attribute that holds sentences, and by words of a sentence,
whatever holds it. The modules that may are listed with what they read.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "harness"
PROSE = ("reason", "why", "notes", "notices", "note", "notice", "detail", "advice", "question")
"""Attributes that hold sentences."""
READING = {
    "startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "split",
    "rsplit", "replace", "find", "index", "count",
}  # fmt: skip
"""Methods of a text that look into it."""
MATCHING = {"search", "match", "fullmatch", "findall", "finditer"}
"""Functions of `re`, and methods of a pattern."""
COMPARING = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
OTHERS = {
    "ci/accept.py": "a line of a baseline file, by its key",
    "ci/notify.py": "the marker in front of an issue",
    "ci/pull_request.py": "a commit status of GitHub, which has no field but its description",
    "records/measurement.py": "files of schema 1, which hold no kind",
    "revisions/checkout.py": "git worktree list",
}
"""Modules that read words of another program, of a form, or of an older version."""


def _is_prose(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in PROSE


def _constants(tree: ast.AST) -> dict[str, ast.expr]:
    """Return the names of a module that are set to one expression, which may be words."""
    return {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }


def _is_words(node: ast.expr, constants: Mapping[str, ast.expr]) -> bool:
    """Whether a text holds a word and a space, as sentences do and separators do not."""
    if isinstance(node, ast.Name) and node.id in constants:
        return _is_words(constants[node.id], {})
    if isinstance(node, ast.JoinedStr):
        fixed = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        return " " in fixed
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    text = str(node.value) if isinstance(node, ast.Constant) and is_text else ""
    is_marker = text.startswith("<!--")
    return " " in text and any(character.isalpha() for character in text) and not is_marker


def _looks_into(node: ast.Call) -> bool:
    """Whether a call looks into prose: `value.reason.find(...)`, `re.search(..., value.reason)`."""
    if not isinstance(node.func, ast.Attribute):
        return False
    texts = [node.func.value] if node.func.attr in READING else []
    texts += node.args if node.func.attr in MATCHING else []
    return any(map(_is_prose, texts))


def readings(source: str) -> Iterator[str]:
    """Yield the expressions that look into a sentence; two reasons may be compared for equality."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(isinstance(each, COMPARING) for each in node.ops):
            sides = [node.left, *node.comparators]
            if any(map(_is_prose, sides)) and not all(map(_is_prose, sides)):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and _looks_into(node):
            yield ast.unparse(node)


def readings_by_words(source: str) -> Iterator[str]:
    """Yield the expressions that look for words of a sentence, whatever they look into."""
    tree = ast.parse(source)
    constants = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            is_search = isinstance(node.ops[0], ast.In | ast.NotIn)
            if is_search and _is_words(node.left, constants):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method = node.func.attr
            reads = method in READING - {"replace", "index", "count"}
            if reads and node.args and _is_words(node.args[0], constants):
                yield ast.unparse(node)


def test_no_code_reads_a_reason() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {reading}"
        for path in sorted(ROOT.rglob("*.py"))
        for reading in readings(path.read_text(encoding="utf-8"))
        if path.relative_to(ROOT).as_posix() not in OTHERS
    }
    assert found == set()


def test_no_code_looks_for_words_of_a_sentence() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {reading}"
        for path in sorted(ROOT.rglob("*.py"))
        for reading in readings_by_words(path.read_text(encoding="utf-8"))
        if path.relative_to(ROOT).as_posix() not in OTHERS
    }
    assert found == set()


def test_the_listed_modules_read_words() -> None:
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in OTHERS}
    silent = [n for n, text in texts.items() if not [*readings(text), *readings_by_words(text)]]
    assert silent == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("'is not installed' in value.reason", 1),
        ("value.reason == 'no baseline'", 1),
        ("cell.reason.removeprefix('x: ')", 1),
        ("cell.notes.partition(SETTINGS)[2]", 1),
        ("re.search('slower', cell.notes)", 1),
        ("old.reason == new.reason", 0),
        ("value.kind is MissingKind.NO_BASELINE", 0),
        ("print(value.reason)", 0),
    ],
)
def test_a_reading_is_recognised(source: str, count: int) -> None:
    assert len([*readings(source)]) == count


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("SETTINGS = 'in effect: '\ntext.partition(SETTINGS)", 1),
        ("'was killed' in str(error)", 1),
        ("reason.removeprefix(f'{path}: ')", 1),
        ("label.split(' + 2 files')", 1),
        ("text.split('; ')", 0),
        ("name.startswith('golden_')", 0),
    ],
)
def test_a_reading_by_words_is_recognised(source: str, count: int) -> None:
    assert len([*readings_by_words(source)]) == count
