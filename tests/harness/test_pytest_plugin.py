"""The pytest adaptor, in pytest runs of its own; measuring is scripted and scores are made up."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

# A pytest within a pytest forgets what it was the first to load. Where half of matplotlib was
# loaded before, its classes would then exist twice, and not know each other; soxr ends the process
# when it is loaded twice. So all of both is loaded here.
import matplotlib.backends.backend_svg
import matplotlib.figure  # noqa: F401
import pytest
import soxr  # noqa: F401

from tests.harness.cli.test_main import SUITE, WORKLOAD, made_up
from voxgate.harness import workflow
from voxgate.harness.cli.main import invoke
from voxgate.harness.history.address import DEFAULT_URL
from voxgate.harness.history.database import open_history
from voxgate.harness.pytest_plugin import DEFINES_SUITE, Replay
from voxgate.harness.runner import run_plan
from voxgate.harness.runner.runner import Outcome
from voxgate.harness.scoring import kept_scores
from voxgate.harness.targets.scripted import SCRIPT

pytest_plugins = ("pytester",)

QUICK = ("--voxgate-repeats", "1", "--voxgate-iterations", "1")


class Project:
    """A repository of somebody who measures an engine."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._pytester, self._monkeypatch = pytester.path, pytester, monkeypatch
        (self.folder / "suites").mkdir()
        self.write(SUITE)
        (self.folder / "two.toml").write_text(WORKLOAD)
        monkeypatch.setattr(kept_scores, "score_run", made_up)

    def write(self, suite: str) -> None:
        (self.folder / "suites" / "two.py").write_text(suite)

    def test(self, *arguments: str, script: dict[str, Any] | None = None) -> tuple[int, str]:
        """Give exit code and output of `pytest suites ...`."""
        path = self.folder / "script.json"
        path.write_text(json.dumps(script or {}))
        self._monkeypatch.setenv(SCRIPT, str(path))
        done = self._pytester.runpytest_inprocess(
            "suites", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments
        )
        return int(done.ret), f"{done.stdout.str()}\n{done.stderr.str()}"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(pytester, monkeypatch)


def test_without_baseline_nothing_fails_and_the_session_ends_with_3(project: Project) -> None:
    code, text = project.test(*QUICK)
    assert code == 3, text
    assert "2 undecided" in text
    assert "NO_BASELINE: 2 cells measured; neither quality nor speed has a baseline yet" in text
    assert (project.folder / "reports" / "two.html").is_file()


def test_a_judge_that_nobody_knows_is_refused_at_collection(project: Project) -> None:
    project.write(SUITE.replace("Suite(", "Suite(judge='parrot', ", 1))
    code, text = project.test(*QUICK)
    assert code == 2, text
    assert "voxgate: unknown judge 'parrot'; known are openai-whisper, faster-whisper" in text


def test_the_run_is_in_the_history_and_one_that_cannot_be_written_is_only_said(
    project: Project,
) -> None:
    assert project.test(*QUICK)[0] == 3
    with open_history(DEFAULT_URL) as history:
        assert [(each.suite, each.verdict) for each in history.runs()] == [("two", "NO_BASELINE")]
    file = project.folder / DEFAULT_URL.removeprefix("sqlite:///")
    file.write_text("this is no database")
    code, text = project.test(*QUICK)
    assert code == 3, text
    assert "voxgate: this run is not in the history" in text


def test_strict_makes_undecided_cells_fail(project: Project) -> None:
    code, text = project.test("--voxgate-strict", *QUICK)
    assert code == 1, text
    assert "2 failed" in text


def test_an_unchanged_engine_passes_and_a_slower_cell_fails_with_its_reason(
    project: Project,
) -> None:
    assert invoke(["run", "two"]) == 0
    assert invoke(["accept", "runs/0001", "--why", "first", "--loaded"]) == 0
    assert project.test()[0] == 0
    code, text = project.test(script={"steps-4": {"slower": 1.1}})
    assert code == 1, text
    assert "1 failed, 1 passed" in text
    assert "REGRESSED steps=4: " in text
    assert "latency_p50 +10.0 %" in text


def test_pytest_benchmark_gets_exactly_the_measured_times_and_our_numbers(project: Project) -> None:
    project.test("--benchmark-json=out.json", *QUICK)
    found = {
        each["name"]: each
        for each in json.loads((project.folder / "out.json").read_text())["benchmarks"]
    }
    assert set(found) == {"steps-8", "steps-4"}
    bench = found["steps-8"]
    samples = (project.folder / "runs/0001/processes/steps-8.0.jsonl").read_text().splitlines()
    records = [json.loads(line)["sample"] for line in samples if '"sample"' in line]
    assert bench["stats"]["data"] == [
        record["wall_s"] for record in records if record["phase"] == "measured"
    ]
    assert bench["group"] == "two"
    assert bench["options"]["timer"] == "voxgate"
    assert bench["extra_info"]["rtf"] == pytest.approx(1.0)
    assert bench["extra_info"]["peak_cuda_bytes"] == {"missing": "no CUDA device"}
    assert bench["extra_info"]["verdict"] == "NO_BASELINE"


def test_it_works_without_pytest_benchmark_and_measures_only_what_is_selected(
    project: Project,
) -> None:
    code, text = project.test("-p", "no:benchmark", "-k", "steps-8", *QUICK)
    assert code == 3, text
    assert "1 deselected" in text
    assert {path.name for path in (project.folder / "runs/0001/processes").glob("*.jsonl")} == {
        "steps-8.0.jsonl"
    }


def test_a_process_of_xdist_is_refused_and_measures_nothing(project: Project) -> None:
    code, text = project.test("-n", "1", *QUICK)
    assert code != 0, text
    assert "pytest-xdist would measure them all in each of its processes; add -n 0" in text
    assert not (project.folder / "runs").exists()
    assert project.test("-n", "0", *QUICK)[0] == 3


def test_collecting_measures_nothing(project: Project) -> None:
    code, text = project.test("--collect-only", "-q")
    assert code == 0
    assert "suites/two.py::steps-8" in text
    assert not (project.folder / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "suite", "message"),
    [
        (["--profile", "toaster"], SUITE, "voxgate: unknown profile 'toaster'"),
        ([], SUITE.replace('"steps"', '"stepz"'), "has no option stepz"),
        ([], SUITE.replace("two.toml", "three"), "unknown workload 'three'"),
    ],
)
def test_wrong_configuration_ends_with_2(
    project: Project, arguments: list[str], suite: str, message: str
) -> None:
    project.write(suite)
    code, text = project.test(*arguments)
    assert code == 2, text
    assert message in text


def test_broken_baseline_ends_with_2(project: Project) -> None:
    (project.folder / "baselines" / "two").mkdir(parents=True)
    (project.folder / "baselines" / "two" / "quality.json").write_text("{")
    code, text = project.test(*QUICK)
    assert code == 2, text
    assert "quality.json" in text


def test_a_cell_that_could_not_be_measured_fails_with_the_engines_words(project: Project) -> None:
    code, text = project.test(*QUICK, script={"steps-4": {"fault": "refuse"}})
    assert code == 1, text
    assert "FAILED steps=4: refused: fault=refuse asks for a refusal" in text
    assert "not used at all" not in text


def test_ctrl_c_ends_with_130_and_the_command_that_goes_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = Outcome(
        folder=project.folder / "runs/0001", complete=False, interrupted=True, failures={}
    )
    monkeypatch.setattr(run_plan, "run_suite", lambda *_, **__: outcome)
    code, text = project.test("-k", "steps-8")
    assert code == 130
    assert (
        "voxgate check suites/two.py --profile cpu-gate --only steps-8 --resume --out runs/0001"
        in text
    )


def test_other_peoples_test_runs_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "helpers.py").write_text("raise RuntimeError('never imported')\n")
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n    assert not {'torch', 'numpy', "
        "'voxgate.harness.workflow'} & set(sys.modules)\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
        "-p",
        "no:benchmark",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.parametrize(
    ("text", "is_suite"),
    [
        ("suite = Suite(\n", True),
        ("x = 1\nsuite: Suite = harness.Suite(", True),
        ("suite = make()", False),
        ("    suite = Suite(", False),
        ("my_suite = Suite(", False),
    ],
)
def test_only_files_that_define_a_suite_are_collected(text: str, is_suite: bool) -> None:
    assert bool(DEFINES_SUITE.search(text)) is is_suite


def test_replayed_times_are_told_exactly() -> None:
    clock = Replay()
    clock.load([0.1, 0.3])
    told = []
    for _ in range(2):
        clock.rewind()
        start_s = clock()
        clock.play()
        told.append(clock() - start_s)
    assert told == [0.1, 0.3]


def test_an_accident_of_ours_ends_the_session_with_2_and_one_line(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def accident(*_: object, **__: object) -> None:
        raise KeyError("complete")

    monkeypatch.setenv("TMPDIR", str(project.folder))
    with monkeypatch.context() as patch:
        patch.setattr(workflow, "check_suite", accident)
        code, text = project.test(*QUICK)
    assert code == 2, text
    assert "voxgate: unexpected KeyError: 'complete'; details: see " in text
    monkeypatch.setattr("voxgate.harness.targets.registry.check_cells", accident)
    code, text = project.test(*QUICK)
    assert code == 2, text
    assert (
        "voxgate: unexpected KeyError: 'complete'; details: see " in text
        and "Traceback" not in text
    )
