"""A reason is for people: no code of the harness reads one to decide."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "harness"
PROSE = ("reason", "why")
"""Attributes that hold sentences."""
READING = {
    "startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "split",
    "replace", "find", "index",
}  # fmt: skip
"""Methods of a text that look into it."""
COMPARING = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)


def _is_prose(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in PROSE


def readings(source: str) -> Iterator[str]:
    """Yield the expressions that look into a reason; two reasons may be compared for equality."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(isinstance(each, COMPARING) for each in node.ops):
            sides = [node.left, *node.comparators]
            if any(map(_is_prose, sides)) and not all(map(_is_prose, sides)):
                yield ast.unparse(node)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in READING
            and _is_prose(node.func.value)
        ):
            yield ast.unparse(node)


def test_no_code_reads_a_reason() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {reading}"
        for path in sorted(ROOT.rglob("*.py"))
        for reading in readings(path.read_text(encoding="utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("'is not installed' in value.reason", 1),
        ("value.reason == 'no baseline'", 1),
        ("cell.reason.removeprefix('x: ')", 1),
        ("old.reason == new.reason", 0),
        ("value.kind is MissingKind.NO_BASELINE", 0),
        ("print(value.reason)", 0),
    ],
)
def test_a_reading_is_recognised(source: str, count: int) -> None:
    assert len([*readings(source)]) == count
