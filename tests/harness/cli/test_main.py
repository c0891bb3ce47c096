"""
The command line: its exit codes, its last line, its complaints. The engine is scripted; scores are
made up.
"""

import base64
import hashlib
import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness.fake_runs import EXACT, QUALITY
from tests.harness.report.parsing import Page
from voxgate.harness import workflow
from voxgate.harness.cli import main
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.measurement import NO_GOLDEN, not_installed
from voxgate.harness.records.run import Run
from voxgate.harness.records.verdict import Verdict, judgement_from_dict
from voxgate.harness.report.contents import build_report
from voxgate.harness.runner import run_folder, run_plan
from voxgate.harness.runner.run_plan import RunPlan, command_line
from voxgate.harness.runner.runner import Outcome
from voxgate.harness.scoring import kept_scores
from voxgate.harness.scoring.score_run import RunScores

Script = Callable[[dict[str, Any]], None]

SUITE = '''"""Do fewer steps cost quality?"""
from voxgate import Suite

suite = Suite(target="scripted", pipeline="any", workload="two.toml", axes={"steps": [8, 4]}, reference={"steps": 8},
              fixed={"audio_s": 0.1}, repeats=2, iterations=12)
'''  # noqa: E501
WORKLOAD = '[[request]]\nid = "r1"\ntext = "One."\n\n[[request]]\nid = "r2"\ntext = "Two."\n'


def made_up(run: Run, golden: Path, **_: object) -> RunScores:
    """Scores as if everything had been heard."""
    values = {}
    for cell in run.cells:
        scores: dict[str, Any] = dict(QUALITY)
        if cell.slug == run.reference:
            scores |= EXACT | {f"golden_{name}": value for name, value in EXACT.items()}
        if not golden.exists():
            scores |= {name: NO_GOLDEN for name in scores if name.startswith("golden_")}
        values |= {(cell.slug, request.id): scores for request in cell.workload.requests}
    return RunScores(values=values, versions={})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one suite."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kept_scores, "score_run", made_up)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "two.py").write_text(SUITE)
    (tmp_path / "two.toml").write_text(WORKLOAD)
    return tmp_path


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One measured run folder, to be copied."""
    root = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        (root / "suites").mkdir()
        (root / "suites" / "two.py").write_text(SUITE)
        (root / "two.toml").write_text(WORKLOAD)
        assert invoke(["run", "two"]) == 0
    return root / "runs" / "0001"


@pytest.fixture
def run(project: Path, measured: Path) -> Path:
    """A run that is measured and not scored yet."""
    subprocess.run(["cp", "-r", str(measured.parent), str(project)], check=True)
    return Path("runs/0001")


def output(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    captured = capsys.readouterr()
    return captured.out.splitlines(), captured.err


def test_texts_that_can_be_read_in_different_ways_are_told_before_they_are_measured(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "measure_suite", stopped)
    Path("two.toml").write_text('[[request]]\nid = "r1"\ntext = "Call 7 (now)."\n')
    assert invoke(["run", "two"]) == 2
    _, err = output(capsys)
    assert "voxgate: workload two: digits in r1, which engines read" in err
    assert "voxgate: workload two: brackets in r1, which engines read" in err
    suite = Path("suites/two.py")
    suite.write_text(SUITE.replace('"scripted", pipeline="any"', '"engine", pipeline="flow"'))
    assert invoke(["run", "two"]) == 2
    assert "which engines read" not in output(capsys)[1]


def stopped(*_: object, **__: object) -> Outcome:
    raise HarnessError("not measured here")


def test_run_measures_and_its_last_line_says_how_to_judge(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["run", "two", "--repeats", "1", "--iterations", "1", "--only", "steps-8"]) == 0
    out, _ = output(capsys)
    assert out == ["measured, 0 failed; judge it: voxgate gate runs/0001"]
    header = run_folder.load_header(Path("runs/0001"))
    assert [cell.slug for cell in header.cells] == ["steps-8"]
    assert (header.unmeasured, header.workload) == ({"steps-4": "steps=4"}, "two.toml")
    (project / "suites" / "two.py").write_text("raise SystemExit('judging executes no suite')")
    assert invoke(["gate", "runs/0001", "--json", "verdict.json"]) == 3
    judged = judgement_from_dict(json.loads(Path("verdict.json").read_text()))
    assert {cell.cell: cell.reason for cell in judged.cells}["steps-4"].startswith(
        "the suite has this cell, the run does not"
    )
    assert (
        header.command
        == "voxgate run two --profile cpu-gate --repeats 1 --iterations 1 --only steps-8"
    )


def test_run_ends_with_1_and_names_the_cell_that_failed(
    project: Path, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script({"steps-4": {"fault": "refuse"}})
    assert invoke(["run", "two", "--repeats", "1", "--iterations", "1", "--json"]) == 1
    out, err = output(capsys)
    document = json.loads("\n".join(out))
    assert document["failures"]["steps-4"]["kind"] == "refused"
    assert "steps-4 FAILED refused" in err


def test_first_gate_is_undecided_with_the_command_that_accepts_and_an_accepted_run_then_passes(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["gate", str(run)]) == 3
    out, _ = output(capsys)
    assert out[-1] == "NO_BASELINE: 2 cells measured; neither quality nor speed has a baseline yet"
    loaded = any("these speeds make no baseline" in line for line in out)
    assert loaded or sum("voxgate accept" in line for line in out) == 1
    assert loaded or out[-2] == '   voxgate accept runs/0001 --why "..."'
    assert invoke(["accept", str(run), "--why", "first", "--loaded"]) == 0
    out, _ = output(capsys)
    assert "steps-4 latency_p50: none -> 0.1 s" in out
    assert out[-1].startswith("accepted runs/0001")
    assert invoke(["gate", str(run)]) == 0
    assert output(capsys)[0][-1] == "PASS: 2 passed"


def test_accept_refuses_what_reject_failed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text(
        "schema_version = 1\n[metrics]\nlatency_p50 = { relative = 0.05, blocking = true, "
        'against = "baseline", evidence = "none", reject = 0.01 }\n'
    )
    words = ["accept", str(run), "--why", "first", "--loaded"]
    assert invoke([*words, "--policy", str(limits)]) == 2
    assert "latency_p50: 0.1 lies beyond 0.01" in output(capsys)[1]
    assert not Path("baselines").exists()
    assert invoke(words) == 0


def test_a_run_is_scored_again_only_when_the_golden_audio_changed(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []
    monkeypatch.setattr(
        kept_scores,
        "score_run",
        lambda run, golden, **more: calls.append(golden) or made_up(run, golden),
    )
    for _ in range(2):
        invoke(["gate", str(run)])
    assert len(calls) == 1
    invoke(["accept", str(run), "--why", "first", "--loaded"])
    for _ in range(2):
        invoke(["gate", str(run)])
    assert len(calls) == 2


def test_a_run_is_scored_again_once_a_package_is_installed_that_it_lacked(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []

    def lacking(run: Run, golden: Path, **_: object) -> RunScores:
        calls.append(golden)
        scores = made_up(run, golden)
        lost = not_installed("speechmos", "pip install voxgate[panel]")
        return replace(
            scores,
            values={
                name: {**values, "dnsmos_ovrl": lost} for name, values in scores.values.items()
            },
        )

    monkeypatch.setattr(kept_scores, "score_run", lacking)
    for version, times in (("", 1), ("", 1), ("0.0.1", 2)):
        monkeypatch.setattr(kept_scores, "installed", lambda package, version=version: version)
        invoke(["gate", str(run)])
        assert len(calls) == times


def test_a_run_is_scored_again_when_the_panel_has_changed(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []
    monkeypatch.setattr(
        kept_scores,
        "score_run",
        lambda run, golden, **more: calls.append(golden) or made_up(run, golden),
    )
    for digest in ("one", "one", "other"):
        monkeypatch.setattr(kept_scores, "digest_of", lambda metrics, digest=digest: digest)
        invoke(["gate", str(run)])
    assert len(calls) == 2


def test_a_metric_that_does_not_exist_is_refused_before_anything_is_measured(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = Path("suites/two.py")
    suite.write_text(suite.read_text().replace("Suite(", "Suite(metrics=['snrr'], ", 1))
    assert invoke(["run", "two"]) == 2
    assert "unknown metric 'snrr'; did you mean 'snr'" in output(capsys)[1]
    assert not Path("runs").exists()


def test_a_judge_that_nobody_knows_is_refused_before_anything_is_measured(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = Path("suites/two.py")
    suite.write_text(suite.read_text().replace("Suite(", "Suite(judge='parrot', ", 1))
    assert invoke(["run", "two"]) == 2
    assert "unknown judge 'parrot'; known are openai-whisper, faster-whisper" in output(capsys)[1]
    assert not Path("runs").exists()


def test_a_run_without_its_audio_is_judged_from_its_measurements(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke(["accept", str(run), "--why", "first", "--loaded"])
    invoke(["gate", str(run)])
    quality = Path("baselines/two/quality.json")
    for file in Path("baselines/two/golden").iterdir():
        old, new = (
            hashlib.sha256(content).hexdigest() for content in (file.read_bytes(), b"other audio")
        )
        quality.write_text(quality.read_text().replace(old, new))
        file.write_bytes(b"other audio")
    for file in run.glob("audio/*/*"):
        file.unlink()
    monkeypatch.setattr(kept_scores, "score_run", None)
    assert invoke(["gate", str(run)]) == 0


def test_gate_writes_json_to_a_file_or_standard_output(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["gate", str(run), "--json", "verdict.json"]) == 3
    assert output(capsys)[0][-1].startswith("NO_BASELINE")
    assert (
        judgement_from_dict(json.loads(Path("verdict.json").read_text())).verdict
        is Verdict.NO_BASELINE
    )
    assert invoke(["gate", str(run), "--json"]) == 3
    out, err = output(capsys)
    assert judgement_from_dict(json.loads("\n".join(out))).exit_code == 3
    assert "cell" in err


def test_check_does_it_all_and_a_slower_engine_ends_with_1(
    run: Path, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["accept", str(run), "--why", "first", "--loaded"]) == 0
    script({"*": {"slower": 1.1}})
    assert invoke(["check", "two"]) == 1
    out, _ = output(capsys)
    assert out[-1] == "REGRESSED: 2 regressed"
    assert "report reports/index.html" in out
    assert "10 % slower (limit 5 %): vocoder +33 %" in "\n".join(out)
    page = Path("reports/index.html").read_text()
    assert "REGRESSED" in page
    heard = json.loads(Page(page).inside("script")[0])
    takes = [each["voice"] for each in heard["utterances"][0]["voices"]]
    assert [each["when"] for each in takes] == ["golden", *["previous", "current"] * 2]
    assert heard["words"] == {"previous": "accepted"}, "whose run is still beside this one"
    assert all(each["same"] for each in heard["moments"]), "it is slower, and sounds as before"


def test_report_writes_the_page_of_the_latest_run_or_prints_markdown(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["report", "--out", "site"]) == 0
    assert output(capsys)[0][0] == "report site/index.html"
    data = json.loads(Page(Path("site/index.html").read_text()).inside("script")[0])
    takes = [each["voice"] for each in data["utterances"][0]["voices"]]
    assert [(each["when"], bool(each["missing"])) for each in takes] == [
        ("golden", True),
        ("current", False),
        ("current", False),
    ]
    clip = base64.b64decode(data["embedded"][takes[1]["clip"]])
    assert clip.startswith(b"fLaC")
    assert invoke(["report", str(run), "--markdown"]) == 0
    assert output(capsys)[0][0].startswith("**NO\\_BASELINE")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_exit_code_is_the_judgements(
    run: Path, monkeypatch: pytest.MonkeyPatch, verdict: Verdict
) -> None:
    contents = workflow.judge_run(run)
    judged = replace(contents.judgement, verdict=verdict, exit_code=7)
    monkeypatch.setattr(
        workflow,
        "judge_run",
        lambda *_: build_report(contents.run, contents.measurements, judged),
    )
    assert invoke(["gate", str(run)]) == 7


def test_ctrl_c_ends_with_130_and_the_command_that_goes_on(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome(folder=project / "runs/0001", complete=False, interrupted=True, failures={})
    monkeypatch.setattr(run_plan, "run_suite", lambda *_, **__: outcome)
    assert invoke(["check", "two", "--repeats", "2", "--only", "steps-*"]) == 130
    expected = (
        "voxgate check two --profile cpu-gate --repeats 2 --only 'steps-*' --resume --out runs/0001"
    )
    assert output(capsys)[1].strip().endswith(expected)


def test_the_command_of_an_interrupted_run_is_a_valid_command(project: Path, run: Path) -> None:
    words = command_line(RunPlan(suite="two"), "run", run).split()
    assert invoke(words[1:]) == 0


def test_ctrl_c_while_scoring_ends_with_130(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kept_scores, "score_run", interrupt)
    assert invoke(["gate", str(run)]) == 130


BAD = {
    "unknown suite": (["check", "tow"], "unknown suite 'tow'; known are two"),
    "unknown profile": (
        ["run", "two", "--profile", "toaster"],
        "unknown profile 'toaster'; known are cpu-gate",
    ),
    "no cell": (
        ["run", "two", "--only", "steps-9"],
        "--only 'steps-9' matches no cell; the cells are steps-8, steps-4",
    ),
    "no run folder": (["gate", "suites"], "suites is no run folder"),
    "no run at all": (["gate"], "no run below runs"),
    "folder for JSON": (["gate", "--json", "suites"], "--json suites is a folder"),
    "nothing to resume": (["run", "two", "--resume"], "no run below runs"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_wrong_use_ends_with_2_and_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert invoke(arguments) == 2
    out, err = output(capsys)
    assert out == []
    assert err.startswith("voxgate: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["run"],
        ["run", "two", "--turbo"],
        ["run", "two", "--repeats", "0"],
        ["run", "two", "--repeats", "10001"],
        ["run", "two", "--repeats", "99999999999999999999"],
        ["run", "two", "--iterations", "99999999999999999999"],
        ["run", "two", "--timeout", "nan"],
        ["run", "two", "--timeout", "inf"],
        ["check", "two", "--budget", "nan"],
        ["check", "two", "--budget", "1e300"],
        ["ab", "HEAD", ".", "two", "--rounds", "99999999999999999999"],
        ["history", "list", "--limit", "99999999999999999999"],
        ["accept", "runs/0001"],
    ],
)
def test_what_the_command_line_does_not_know_ends_with_2(
    project: Path, arguments: list[str]
) -> None:
    assert invoke(arguments) == 2


BROKEN = {
    "baseline": ("baselines/two/quality.json", "{", "quality.json"),
    "policy": ("baselines/policy.toml", "schema_version = ", "policy.toml"),
    "suite": ("suites/two.py", "suite = (", "suites/two.py:1"),
    "unknown option": ("suites/two.py", SUITE.replace('"steps"', '"stepz"'), "has no option stepz"),
    "workload": ("two.toml", "[[request", "two.toml is not valid TOML"),
    "run": (
        "runs/0001/run.json",
        '{"schema_version": 99}',
        "schema 99, this voxgate reads up to 10; upgrade voxgate",
    ),
    "measurements": ("runs/0001/measurements.json", "[", "measurements.json is not valid JSON"),
}


@pytest.mark.parametrize(("file", "text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_ends_with_2_and_one_line_that_names_it(
    run: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, message: str
) -> None:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(text)
    verb = ["run", "two"] if file in ("suites/two.py", "two.toml") else ["gate", str(run)]
    assert invoke(verb) == 2
    err = output(capsys)[1]
    assert err.startswith("voxgate: ")
    assert err.count("\n") == 1
    assert message in err


def test_help_ends_with_0_and_lists_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["--help"]) == 0
    text = "\n".join(output(capsys)[0])
    assert all(verb in text for verb in ("run", "gate", "check", "accept", "report"))


@pytest.mark.parametrize("verb", main.VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke([verb, "--help"]) == 0
    text = "\n".join(output(capsys)[0])
    assert f"voxgate {verb} " in text.partition("Example:")[2]


def test_the_overview_imports_no_verb() -> None:
    code = (
        "import sys, voxgate.harness.cli.main as c; c.invoke(['--help']); "
        "sys.exit(sum(name in sys.modules for name in "
        "('numpy', 'voxgate.harness.workflow', 'rich')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_imports_no_torch_to_complain() -> None:
    code = (
        "import sys, voxgate.harness.cli.main as c; r = c.invoke(['run', 'nothing']); "
        "sys.exit(10 * r + ('torch' in sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode
        == 20
    )


def test_importing_the_command_line_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(main.__file__, run_name="imported")
    assert output(capsys) == ([], "")


def test_a_run_names_the_content_of_its_profile_file_and_resumes_no_other(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "mine.toml"
    file.write_text('name = "mine"\nabout = "a box"\nbase = "cpu"\nthreads = 1\n')
    words = ["run", "two", "--profile", "mine.toml", "--repeats", "1", "--iterations", "1"]
    assert invoke(words) == 0
    header = run_folder.load_header(project / "runs" / "0001")
    assert header.profile.startswith("mine.") and len(header.profile) == len("mine.") + 8
    assert "--profile mine.toml" in header.command
    (project / "runs" / "0001" / "complete").unlink()
    file.write_text(file.read_text().replace("threads = 1", "threads = 2"))
    capsys.readouterr()
    assert invoke([*words, "--resume"]) == 2
    assert f"profile {header.profile} against mine." in capsys.readouterr().err
