"""One suite in two trees: what both ask for, and what cannot be compared."""

from pathlib import Path

import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.revisions.suite_diff import SuiteDiff, diff_suites

SUITE = '''"""Why?"""
from voxgate import Suite
suite = Suite(target="scripted", pipeline="any", workload="two.toml", axes={"steps": [%s]}, reference={"steps": %s},
              fixed={"audio_s": %s})
'''  # noqa: E501
WORKLOAD = '[[request]]\nid = "r1"\ntext = "%s"\n'


def tree(
    folder: Path, steps: str = "8, 4", reference: int = 8, audio_s: float = 0.1, text: str = "One."
) -> Path:
    (folder / "suites").mkdir(parents=True, exist_ok=True)
    (folder / "suites/two.py").write_text(SUITE % (steps, reference, audio_s))
    (folder / "two.toml").write_text(WORKLOAD % text)
    return folder


def slugs(shared: SuiteDiff) -> list[str]:
    return [cell.slug for cell in shared.cells]


def test_cells_of_both_are_compared_and_the_others_are_told_apart(tmp_path: Path) -> None:
    shared = diff_suites(
        "two", tree(tmp_path / "base", "16, 8, 4"), tree(tmp_path / "head", "8, 4, 2")
    )
    assert (slugs(shared), shared.reference) == (["steps-8", "steps-4"], "steps-8")
    assert [cell.slug for cell in shared.added] == ["steps-2"]
    assert [cell.slug for cell in shared.removed] == ["steps-16"]
    assert shared.changed == {}


def test_a_cell_that_asks_for_something_else_is_not_compared(tmp_path: Path) -> None:
    base = tree(tmp_path / "base")
    options = diff_suites("two", base, tree(tmp_path / "head", audio_s=0.2))
    assert options.changed == dict.fromkeys(("steps-8", "steps-4"), ("audio_s was 0.1, is 0.2",))
    texts = diff_suites("two", base, tree(tmp_path / "head", text="Two."))
    assert texts.cells == ()
    assert all("workload was two" in reasons[0] for reasons in texts.changed.values())


def test_a_reference_that_head_dropped_gives_way_to_the_first_common_cell(tmp_path: Path) -> None:
    shared = diff_suites("two", tree(tmp_path / "base", "16, 8, 4", 16), tree(tmp_path / "head"))
    assert shared.reference == "steps-8"


def test_a_suite_that_base_has_not_is_all_new(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    shared = diff_suites("two", tmp_path / "base", tree(tmp_path / "head"))
    assert (slugs(shared), [cell.slug for cell in shared.added]) == ([], ["steps-8", "steps-4"])
    with pytest.raises(HarnessError, match="unknown suite 'two'"):
        diff_suites("two", tree(tmp_path / "head"), tmp_path / "base")


def test_a_file_that_was_never_committed_is_named_with_its_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in the working tree is in no revision, and "unknown suite" would mislead."""
    base, head = tree(tmp_path / "base"), tree(tmp_path / "head")
    monkeypatch.chdir(tree(tmp_path / "now"))
    (base / "two.toml").unlink()
    with pytest.raises(HarnessError, match=r"^BASE has no two\.toml, .*; commit that file"):
        diff_suites("two", base, head)
    (head / "suites/two.py").unlink()
    with pytest.raises(HarnessError, match=r"^HEAD has no suite 'two'; commit suites/two\.py"):
        diff_suites("two", base, head)


def test_patterns_choose_among_the_cells_of_both_trees(tmp_path: Path) -> None:
    base, head = tree(tmp_path / "base", "16, 8, 4"), tree(tmp_path / "head", "8, 4, 2")
    shared = diff_suites("two", base, head, ("steps-2", "steps-4"))
    assert (slugs(shared), [cell.slug for cell in shared.added], shared.removed) == (
        ["steps-8", "steps-4"],
        ["steps-2"],
        (),
    )
    with pytest.raises(HarnessError, match="matches no cell"):
        diff_suites("two", base, head, ("steps-3",))


def test_a_workload_of_the_harness_is_read_from_each_tree_that_has_a_harness(
    tmp_path: Path,
) -> None:
    base, head = tree(tmp_path / "base"), tree(tmp_path / "head")
    for root, text in ((base, "Before."), (head, "After.")):
        (root / "harness/workloads").mkdir(parents=True)
        (root / "harness/workloads/own.toml").write_text(WORKLOAD % text)
        suite = root / "suites/two.py"
        suite.write_text(suite.read_text().replace("two.toml", "own"))
    assert set(diff_suites("two", base, head).changed) == {"steps-8", "steps-4"}
    suite = base / "suites/two.py"
    # in neither tree: the running harness has it
    suite.write_text(suite.read_text().replace('"own"', '"smoke"'))
    assert len(diff_suites("two", base, base).cells) == 2
