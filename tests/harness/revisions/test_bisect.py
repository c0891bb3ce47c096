"""
The search for a commit: pure on made-up histories, real on a repository of twelve commits with two
culprits.
"""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.harness.repository import SUITE, Repository, stop_after
from voxgate.harness.cli.main import invoke
from voxgate.harness.revisions.bisect import narrow
from voxgate.harness.revisions.bisect_result import CommitState

ONE_CELL = {"suites/two.py": SUITE % "[8]"}


def run_bisect(
    capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, dict[str, Any], str]:
    code = invoke(["bisect", *arguments, "--rounds", "2", "--json"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else {}, captured.err


@pytest.mark.parametrize("first_bad", range(1, 13))
def test_every_culprit_is_found_in_four_steps(first_bad: int) -> None:
    tried: list[int] = []

    def test(position: int) -> CommitState:
        tried.append(position)
        return CommitState.BAD if position >= first_bad else CommitState.GOOD

    assert narrow(12, test) == (first_bad - 1, first_bad)
    assert len(tried) <= 4
    assert len(set(tried)) == len(tried)


def test_what_is_skipped_is_passed_by_or_stays_under_suspicion() -> None:
    def test(position: int) -> CommitState:
        return (
            CommitState.SKIP
            if position in (5, 6, 7)
            else CommitState.BAD
            if position >= 8
            else CommitState.GOOD
        )

    assert narrow(12, test) == (4, 8)
    assert narrow(1, test) == (0, 1)
    assert narrow(3, lambda position: CommitState.SKIP) == (0, 3)


def test_both_culprits_of_twelve_commits_are_named_and_the_stage(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    good = repository.commit("one cell", ONE_CELL)
    changes: dict[str, object] = {}
    commits = {}
    for number in range(1, 12):
        if number == 4:
            changes |= {"slower": 1.2, "stage": "vocoder"}
        if number == 9:
            changes |= {"options": {"noise": 0.05}}
        commits[number] = repository.commit(
            f"change {number}", {"notes.txt": str(number)}, **changes
        )
    code, document, seen = run_bisect(capsys, good, "HEAD", "two")
    assert code == 0
    findings = {each["family"]: each for each in document["findings"]}
    assert findings["speed"]["culprit"]["commit"] == commits[4]
    assert findings["speed"]["stage"] == "vocoder +67 % is 100 % of it"
    assert findings["quality"]["culprit"]["commit"] == commits[9]
    assert findings["quality"]["aim"]["metric"] == "golden_snr"
    assert "speed: " in document["line"]
    assert (
        '"change 4", latency_p50 +20.0 % [+20.0 +20.0] against the commit before'
        in document["line"]
    )
    last = findings["speed"]["steps"][-1]
    assert (last["commit"]["commit"], last["base"], last["verdict"]) == (
        commits[4],
        commits[3],
        "REGRESSED",
    )
    assert seen.count(f"speed {commits[4][:7]} against") == 2
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_an_interrupted_search_goes_on_with_the_step_that_it_was_at(
    repository: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = repository.commit("one cell", ONE_CELL)
    for number in range(1, 7):
        changes: dict[str, object] = {"slower": 1.2, "stage": "vocoder"} if number >= 3 else {}
        repository.commit(f"change {number}", {"notes.txt": str(number)}, **changes)
    arguments = ["bisect", good, "HEAD", "two", "--metric", "latency_p50", "--rounds", "2"]
    with monkeypatch.context() as patch:
        # two of the ends, two to confirm them, two of the first step, one of the second
        stop_after(patch, "_round", 7)
        assert invoke(arguments) == 130
    told = capsys.readouterr().err
    command = shlex.split(told.partition("continue with: ")[2])
    assert command[:5] == ["voxgate", "bisect", good, repository.git("rev-parse", "HEAD"), "two"]
    assert command[-5:] == ["--metric", "latency_p50", "--resume", "--out", "runs/0001"]
    steps = sorted(path.name for path in Path("runs/0001/steps").iterdir())
    decided = {path: path.read_bytes() for path in Path("runs/0001").rglob("*.0.jsonl")}
    measured = stop_after(monkeypatch, "_round", 1000)
    assert invoke([*command[1:], "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (finding,) = document["findings"]
    assert finding["culprit"]["subject"] == "change 3"
    assert {path: path.read_bytes() for path in decided} == decided
    assert sorted(path.name for path in Path("runs/0001/steps").iterdir())[: len(steps)] == steps
    assert len([each for each in measured if each == (1,)]) == len(finding["steps"]) - 1, (
        "but for the first, each to its end"
    )
    assert invoke([*arguments[:-2], "--rounds", "3", "--resume"]) == 2
    assert "rounds 2 against 3" in capsys.readouterr().err
    assert invoke([*arguments[:4], "--rounds", "2", "--resume"]) == 2
    assert "metric latency_p50 against None" in capsys.readouterr().err


def test_commits_that_cannot_run_are_skipped_and_named(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    good = repository.commit("one cell", ONE_CELL)
    slow = {"slower": 1.2, "stage": "acoustic"}
    repository.commit("broken", refuses=True)
    culprit = repository.commit("slow", **slow)
    repository.commit("later", {"notes.txt": "2"})
    code, document, seen = run_bisect(capsys, good, "HEAD", "two", "--metric", "latency_p50")
    assert (code, len(document["findings"])) == (3, 1)
    finding = document["findings"][0]
    assert finding["culprit"] is None
    assert [each["subject"] for each in finding["candidates"]] == ["broken", "slow"]
    assert culprit[:7] in document["line"]
    assert "FAILED refused" in seen


def test_a_bad_that_is_not_worse_leaves_nothing_to_search_for(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    good = repository.commit("one cell", ONE_CELL)
    repository.commit("harmless", {"notes.txt": "1"})
    code, document, _ = run_bisect(capsys, good, "HEAD", "two")
    assert (code, document["findings"]) == (3, [])
    assert (
        document["line"]
        == "BAD is not shown to be worse than GOOD, so there is nothing to search for (PASS: 1 "
        "passed)"
    )


def test_what_cannot_be_told_apart_is_said_and_not_taken_for_good(
    controlled: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    good = controlled.commit("one cell", ONE_CELL)
    controlled.commit("all slower", slower=1.2, control={"slower": 1.2})
    code, document, _ = run_bisect(capsys, good, "HEAD", "two")
    assert code == 3
    assert document["line"].startswith("speed: undecided: GOOD and BAD could not be told apart")
    assert "the control moved by +20.0 %" in document["line"]


def test_what_cannot_be_meant_is_refused(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.commit("second")
    for arguments, words in (
        (("HEAD", "HEAD~1", "two"), "is no ancestor of"),
        (("HEAD", "HEAD", "two"), "are the same commit"),
        (("HEAD~1", ".", "two"), "commit the working tree first"),
        (("HEAD~1", "HEAD", "two", "--metric", "warmth"), "there is no metric 'warmth'"),
        (("HEAD~1", "HEAD", "two", "--cell", "steps-3"), "matches no cell"),
    ):
        code, _, seen = run_bisect(capsys, *arguments)
        assert (code, words in seen) == (2, True), seen
