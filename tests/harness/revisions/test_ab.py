"""
`voxgate ab` in real repositories, with real worktrees and real processes; the engine's clock is
virtual.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness.fake_runs import make_run, make_scores, policy, steady
from tests.harness.report.parsing import Page
from tests.harness.repository import SUITE, Repository, stop_after
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.cli.main import invoke
from voxgate.harness.judging.amend import block_on_gaps
from voxgate.harness.judging.baseline import of_run
from voxgate.harness.judging.judge import judge
from voxgate.harness.judging.policy import DEFAULT
from voxgate.harness.records.run import ProcessRecord
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.report import comment_pictures
from voxgate.harness.report.page import OF_PAIR
from voxgate.harness.revisions import ab, ab_plan
from voxgate.harness.runner import run_folder, runner

SLOW = {"slower": 1.1, "stage": "vocoder"}


def run_ab(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Compares, and gives exit code, JSON and what a person saw."""
    code = invoke(["ab", *arguments, "--rounds", "2", "--json"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else {}, captured.err


def cell(document: dict[str, Any], slug: str) -> dict[str, Any]:
    return next(each for each in document["cells"] if each["cell"] == slug)


def test_a_slower_head_is_regressed_confirmed_and_its_stage_named(
    controlled: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    controlled.commit("slow", **SLOW)
    assert invoke(["ab", "HEAD~1", "HEAD", "two", "--rounds", "2"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "REGRESSED: 2 regressed"
    # lines are wrapped to the width of the terminal, and tables to that of their words
    told = " ".join(" ".join(out).split())
    assert f"base {controlled.first[:7]}" in told
    assert "control +0.0 % [+0.0 +0.0]" in told
    assert "+10.0 % [+10.0 +10.0]" in told
    assert "confirmed in fresh processes" in told
    assert "vocoder +33 % is 100 % of it" in told
    assert Path("runs/0001/confirm/head/complete").exists()
    assert "REGRESSED" in Path("runs/0001/index.html").read_text()


def test_a_quicker_head_is_improved_and_the_same_revision_passes_and_says_so(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.commit("slow", **SLOW)
    code, document, _ = run_ab(capsys, "HEAD", "HEAD~1", "two", "--only", "steps-8")
    assert (code, document["verdict"]) == (0, "IMPROVED")
    code, document, seen = run_ab(capsys, "HEAD", ".", "two", "--only", "steps-8")
    assert (code, document["verdict"]) == (0, "PASS")
    assert f"BASE and HEAD are the same, {document['revisions']['head']['label']}" in seen
    assert not Path("runs/0002/confirm").exists()


def test_the_working_tree_can_be_head(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.write({"voice/changes.json": json.dumps(SLOW)})
    code, document, _ = run_ab(capsys, "HEAD", ".", "two", "--only", "steps-8")
    assert code == 1
    assert document["revisions"]["head"]["label"] == f"{repository.first[:7]} + 1 file"


def test_a_worse_voice_is_regressed_by_the_audio_of_base(
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository.commit("noise", options={"noise": 0.05})
    drawn: list[Mapping[str, str] | None] = []
    monkeypatch.setattr(
        comment_pictures, "pair_png", lambda of, takes_of, names: drawn.append(names)
    )
    more = ("--only", "steps-8", "--pictures", "pictures")
    code, document, _ = run_ab(capsys, "HEAD~1", "HEAD", "two", *more)
    assert code == 1
    assert drawn == [OF_PAIR], "the picture shows the voices of the page"
    assert "golden_snr" in cell(document, "steps-8")["reason"]
    assert "noise was 0.0, is 0.05" in cell(document, "steps-8")["notes"]
    assert sorted(path.name for path in Path("runs/0001/baselines/two/golden").iterdir()) == [
        "r1.flac",
        "r2.flac",
    ]
    heard = json.loads(Page(Path("runs/0001/index.html").read_text()).inside("script")[0])
    (moment,) = [each for each in heard["moments"] if each["cell"] == "steps-8"]
    assert (moment["old_name"], moment["same"]) == ("base", False)
    assert heard["first"]["cell"] == "steps-8"


def test_a_control_that_moves_takes_every_speed_back(
    controlled: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    controlled.commit("slow all", **SLOW, control=SLOW)
    code, document, seen = run_ab(capsys, "HEAD~1", "HEAD", "two", "--only", "steps-8")
    assert (code, document["verdict"]) == (3, "UNRESOLVED")
    assert "the control moved by +10.0 %" in cell(document, "steps-8")["reason"]
    assert "control +10.0 %" in seen


def test_cells_that_only_one_side_has_are_named_and_never_passed(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.commit("other cells", {"suites/two.py": SUITE % "[8, 2]"})
    code, document, _ = run_ab(capsys, "HEAD~1", "HEAD", "two")
    verdicts = {each["cell"]: (each["verdict"], each["reason"]) for each in document["cells"]}
    assert code == 1
    assert verdicts["steps-8"][0] == "PASS"
    assert verdicts["steps-2"] == ("NO_BASELINE", "new in HEAD: BASE's suite has no such cell")
    assert verdicts["steps-4"] == ("FAILED", "HEAD's suite lost this cell")


def test_a_changed_workload_compares_nothing_and_says_why(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.commit("other text", {"two.toml": '[[request]]\nid = "r1"\ntext = "Another."\n'})
    code, document, _ = run_ab(capsys, "HEAD~1", "HEAD", "two")
    assert (code, document["verdict"]) == (3, "INCOMPARABLE")
    assert (
        "HEAD's suite asks for something else: workload was two"
        in cell(document, "steps-8")["reason"]
    )


def test_a_head_cannot_loosen_its_own_gate(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    loose = "schema_version = 1\n[metrics]\n" + "".join(
        f'{name} = {{ relative = 9.0, blocking = false, against = "baseline", evidence = '
        f'"processes" }}\n'
        for name in ("latency_p50", "latency_p95", "rtf")
    )
    own = DEFAULT.read_text().replace("relative = 0.05", "relative = 9.0")
    repository.commit("strict", {"harness/policy.toml": DEFAULT.read_text()})
    repository.commit(
        "loose and slow", {"baselines/policy.toml": loose, "harness/policy.toml": own}, **SLOW
    )
    assert run_ab(capsys, "HEAD~1", "HEAD", "two", "--only", "steps-8")[0] == 1
    repository.commit("slower still", slower=1.3)
    assert run_ab(capsys, "HEAD~1", "HEAD", "two", "--only", "steps-8")[0] == 0


def test_a_failure_of_either_side_fails_the_comparison_and_the_side_is_named(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.commit("broken", refuses=True)
    code, document, _ = run_ab(capsys, "HEAD~1", "HEAD", "two", "--only", "steps-8")
    assert (code, document["verdict"]) == (1, "FAILED")
    assert "refused" in cell(document, "steps-8")["reason"]
    code, document, _ = run_ab(capsys, "HEAD", "HEAD~1", "two", "--only", "steps-8")
    assert (code, document["verdict"]) == (1, "FAILED")
    assert "BASE cannot run this cell: refused" in cell(document, "steps-8")["reason"]


def test_what_cannot_be_meant_is_refused_before_any_measurement(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, words in (
        (("nowhere", "HEAD", "two"), "there is no revision 'nowhere'"),
        (("HEAD", "HEAD", "three"), "unknown suite 'three'"),
        (("HEAD", "HEAD", "two", "--only", "steps-3"), "matches no cell"),
        (("HEAD", "HEAD", "two", "--out", "suites"), "suites is in use"),
        (("HEAD", "HEAD", "two", "--profile", "abacus"), "unknown profile"),
    ):
        code, _, seen = run_ab(capsys, *arguments)
        assert (code, words in seen) == (2, True), seen
    assert not Path("runs").exists()


def logs(folder: str) -> dict[str, bytes]:
    """Gives what the processes of both sides left, by side and name."""
    paths = [
        path
        for side in ("base", "head")
        for path in sorted(Path(folder, side, "processes").glob("*.jsonl*"))
    ]
    return {f"{path.parts[-3]}/{path.name}": path.read_bytes() for path in paths}


def test_an_interrupted_comparison_is_continued_by_the_command_that_it_prints(
    controlled: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Ctrl-C in the second round, just after one side's turn: the first round stays, the second is
    measured anew.
    """
    # the order of a round depends on how many workers fit into the memory that is free
    monkeypatch.setattr(runner, "live_limit", lambda _: 8)
    controlled.commit("slow", **SLOW)
    arguments = ["ab", "HEAD~1", "HEAD", "two", "--only", "steps-8", "--rounds", "2"]
    with monkeypatch.context() as patch:
        # of 8 a round: two sides, two cells with the control, one of two requests, two laps
        stop_after(patch, "_measure", 11)
        assert invoke(arguments) == 130
    told = capsys.readouterr().err
    assert len(controlled.git("worktree", "list").splitlines()) == 1
    before = logs("runs/0001")
    command = told.partition("nothing measured is lost, continue with: ")[2].strip()
    head, base = controlled.git("rev-parse", "HEAD", "HEAD~1").split()
    assert command == (
        f"voxgate ab {base} {head} two --profile cpu-gate --rounds 2 --only steps-8 --budget 300 "
        "--resume --out runs/0001"
    )
    controlled.commit("meanwhile", {"notes.txt": "HEAD has moved on"})
    measured = stop_after(monkeypatch, "_measure", 1000)
    assert invoke(shlex.split(command)[1:]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "REGRESSED: 1 regressed"
    after = logs("runs/0001")
    assert {name: data for name, data in after.items() if ".0." in name} == {
        n: d for n, d in before.items() if ".0." in n
    }
    assert len(measured) == 8 + 2 * 8, "the torn round, and two to confirm; nothing of the first"
    torn = sorted(
        path.relative_to("runs/0001").as_posix() for path in Path("runs/0001").glob("*/torn/*")
    )
    assert [name for name in torn if "steps-8" in name] == [
        "base/torn/steps-8.1.jsonl.1",
        "head/torn/steps-8.1.jsonl.1",
    ]
    found = run_folder.load_run(Path("runs/0001/head"))
    assert {
        each.repeat: len(each.iterations) for each in found.processes if each.cell == "steps-8"
    } == {0: 5, 1: 5}


def test_a_comparison_that_is_done_is_only_judged_again(
    repository: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_ab(capsys, "HEAD", "HEAD", "two", "--only", "steps-8")[0] == 0
    before = logs("runs/0001")
    measured = stop_after(monkeypatch, "_measure", 0)
    code, document, _ = run_ab(capsys, "HEAD", "HEAD", "two", "--only", "steps-8", "--resume")
    assert (code, document["folder"], measured) == (0, "runs/0001", [])
    assert logs("runs/0001") == before


def test_another_comparison_is_not_continued(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    run_ab(capsys, "HEAD", "HEAD", "two", "--only", "steps-8")
    first = repository.first
    second = repository.commit("second")
    for arguments, words in (
        (("HEAD~1", "HEAD", "two", "--only", "steps-8"), f"head {first} against {second}"),
        ((first, first, "two"), "only ['steps-8'] against []"),
        (
            (first, first, "two", "--only", "steps-8", "--iterations", "3"),
            "iterations None against 3",
        ),
        (
            (first, first, "two", "--only", "steps-8", "--profile", "cpu"),
            "profile cpu-gate against cpu",
        ),
        (
            (first, first, "two", "--only", "steps-8", "--out", "elsewhere"),
            "elsewhere holds nothing to resume",
        ),
    ):
        code, _, seen = run_ab(capsys, *arguments, "--resume")
        assert (code, words in seen, seen.count("\n")) == (2, True, 1), seen
    assert run_ab(capsys, first, first, "two", "--only", "steps-8", "--resume")[0] == 0


def test_a_working_tree_that_changed_is_not_continued(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.write({"voice/changes.json": json.dumps(SLOW)})
    run_ab(capsys, "HEAD", ".", "two", "--only", "steps-8")
    repository.write({"voice/changes.json": json.dumps({**SLOW, "slower": 1.2})})
    code, _, seen = run_ab(capsys, "HEAD", ".", "two", "--only", "steps-8", "--resume")
    assert (code, "runs/0001/head cannot be resumed, it was begun otherwise (changes " in seen) == (
        2,
        True,
    ), seen


def test_a_target_that_is_no_code_of_the_repository_is_refused(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.commit(
        "fake", {"suites/two.py": (SUITE % "[8]").replace("voice.target:Voice", "scripted")}
    )
    code, _, seen = run_ab(capsys, "HEAD", "HEAD", "two")
    assert (code, "target scripted measures no code of a repository" in seen) == (2, True)


def test_rounds_are_added_until_decided_and_not_without_a_budget(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """One round gives no interval; the second decides."""
    for budget, pairs in (("60", 2), ("0", 1)):
        plan = ab_plan.ABPlan(
            base="HEAD",
            head="HEAD",
            suite="two",
            rounds=1,
            only=("steps-8",),
            budget_s=float(budget),
        )
        result = ab.compare_revisions(plan)
        assert result.contents is not None
        assert len(result.contents.run.processes) == pairs
        assert result.contents.judgement.verdict is (
            Verdict.PASS if pairs == 2 else Verdict.UNRESOLVED
        )


def test_a_machine_too_busy_for_any_time_is_unresolved_and_no_pass() -> None:
    """Every iteration of both sides waited for the CPU: there is nothing to compare."""
    run = make_run({"nfe-32": steady(0.4), "nfe-8": steady(0.1)})
    busy = replace(
        run,
        processes=tuple(
            disturbed(each) if each.cell == "nfe-8" else each for each in run.processes
        ),
    )
    before = of_run(busy, aggregate(busy, make_scores(busy)))
    first = judge(busy, aggregate(busy, make_scores(busy)), before, policy(), paired=True)
    judgement = block_on_gaps(first, policy(), "runs/0001")
    assert [each.verdict for each in judgement.cells] == [Verdict.PASS, Verdict.UNRESOLVED]
    assert "machine not quiet" in judgement.cells[1].reason
    assert judgement.exit_code == 3


def disturbed(record: ProcessRecord) -> ProcessRecord:
    return replace(
        record,
        iterations=tuple(
            replace(each, disturbance={"waited_s": 1.0}) for each in record.iterations
        ),
    )
