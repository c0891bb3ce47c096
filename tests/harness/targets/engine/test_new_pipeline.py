"""
A new pipeline of the engine, with stages, an option and a check of its own, goes through the whole
harness without a change outside of the two registries.
"""

import re
from pathlib import Path

import pytest

from tests.harness.cli.test_main import WORKLOAD, made_up
from tests.harness.in_process import ChildHere
from tests.harness.targets.engine import tiny_pipeline
from tests.harness.targets.engine.tiny_pipeline import NAME, TinyPipeline
from voxgate.engine.config import option_spec
from voxgate.engine.pipelines import registry as pipelines
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.records.run import UNSEEN, StageProfile
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.runner import run_folder, worker_pool
from voxgate.harness.runner.run_plan import RunPlan
from voxgate.harness.scoring import kept_scores
from voxgate.harness.targets.engine import observer_registry
from voxgate.harness.targets.engine.target import EngineTarget
from voxgate.harness.workflow import check_suite, judge_run

ROOT = Path(__file__).parents[4]
SUITE = """\"\"\"Does it work?\"\"\"
from voxgate import Suite

suite = Suite(pipeline="tiny", workload="two.toml", axes={"layers": [2, 1]},
              reference={"layers": 2}, repeats=2, iterations=3)
"""


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, table in (
        (option_spec, "_CONFIGS"),
        (pipelines, "_PLACES"),
        (observer_registry, "_PLACES"),
    ):
        monkeypatch.setattr(module, table, dict(getattr(module, table)))
    tiny_pipeline.install()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one suite and its baseline; workers run in this process."""

    class Child(ChildHere):
        said: list[str] = []  # noqa: RUF012  (made anew for every test)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kept_scores, "score_run", made_up)
    monkeypatch.setattr(worker_pool, "WorkerProcess", Child)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "tiny.py").write_text(SUITE)
    (tmp_path / "two.toml").write_text(WORKLOAD)
    return tmp_path


def _loaded(**options: int) -> EngineTarget:
    workload = Workload(name="w", requests=(Request(id="r1", text="One."),))
    target = EngineTarget()
    cell = Cell(suite="s", target="engine", pipeline=NAME, workload=workload, axes=options)
    target.load(cell, {"device": "cpu", "threads": 1})
    return target


def test_a_suite_of_it_runs_from_measuring_to_a_verdict(project: Path) -> None:
    assert invoke(["run", "tiny"]) == 0
    assert invoke(["accept", "runs/0001", "--only", "quality", "--why", "first"]) == 0

    outcome = check_suite(RunPlan(suite="tiny", budget_s=0.0))
    run = run_folder.load_run(outcome.folder)
    judgement = judge_run(outcome.folder).judgement

    assert {cell.cell for cell in judgement.cells} == {"layers-2", "layers-1"}
    metrics = [metric for cell in judgement.cells for metric in cell.metrics]
    quality = {metric.verdict for metric in metrics if metric.metric in ("pesq", "stoi", "wer")}
    assert quality == {Verdict.PASS}, "the speeds of this machine have no baseline"
    assert Verdict.FAILED not in {cell.verdict for cell in judgement.cells}
    process = run.processes[0]
    assert process.failure is None
    assert set(process.iterations[-1].stages_s) == set(TinyPipeline.stages)
    assert process.iterations[-1].joins_s == (0.5,)
    assert [(each.option, each.in_effect) for each in process.effects] == [
        ("layers", True),
        ("pitch_hz", None),
        ("device", None),
        ("threads", None),
    ]
    profiles = [each.stages for each in run.processes if isinstance(each.stages, StageProfile)]
    assert profiles and set(profiles[0].alone_s) == {"decoder"}


def test_a_lie_about_its_option_fails_the_cell(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TinyPipeline, "forgets_layers", True)

    assert invoke(["run", "tiny"]) != 0
    failures = {
        process.cell: process.failure
        for process in run_folder.load_run(Path("runs/0001")).processes
    }
    assert failures["layers-1"] is None
    assert failures["layers-2"] is not None
    assert "asked for layers=2, in effect 1 calls" in failures["layers-2"].reason


def test_its_options_are_checked_before_anything_is_measured(project: Path) -> None:
    Path("suites/tiny.py").write_text(SUITE.replace('"layers": [2, 1]', '"layers": [2, 9]'))

    assert invoke(["run", "tiny"]) == 2
    with pytest.raises(HarnessError, match="layers must be a whole number from 1 to 8, not 9"):
        EngineTarget.check_options(NAME, {"layers": 9})
    with pytest.raises(HarnessError, match=r"unknown option 'nfe_steps' \(an option of pipeline"):
        EngineTarget.check_options(NAME, {"nfe_steps": 9})


def test_one_request_sets_what_needs_no_loading() -> None:
    pipeline = _loaded(layers=3).pipeline

    assert pipeline.per_request() == ("pitch_hz",)
    assert pipeline.for_request({"pitch_hz": 100.0}).pitch_hz == 100.0


def test_an_option_without_a_check_is_not_believed() -> None:
    request = Request(id="r1", text="One.", options={"pitch_hz": 100.0})
    checks = {each.option: each for each in _loaded().observe(request)}

    assert (checks["pitch_hz"].requested, checks["pitch_hz"].observed) == (100.0, UNSEEN)
    assert checks["pitch_hz"].in_effect is None


def test_a_pipeline_without_an_observer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer_registry, "_PLACES", {})

    with pytest.raises(HarnessError, match="pipeline 'tiny' has no observer"):
        _loaded().observe(Request(id="r1", text="One."))


def test_an_engine_without_a_registry_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import voxgate.engine.pipelines

    monkeypatch.delattr(voxgate.engine.pipelines, "pipeline_class")
    workload = Workload(name="w", requests=(Request(id="r1", text="One."),))
    cell = Cell(suite="s", target="engine", pipeline="flow", workload=workload, axes={})

    with pytest.raises(HarnessError, match="this revision's engine has no registry of pipelines"):
        EngineTarget().imports_for(cell)


def test_the_registries_name_the_same_pipelines() -> None:
    names = set(pipelines.pipeline_names())

    assert names == {"flow", "infill", "token", "chatterbox", "conversion", "rvc", NAME}
    assert set(option_spec.config_names()) == names
    for name in names:
        kind = pipelines.pipeline_class(name)
        assert kind.config_class is option_spec.config_class(name)
        assert kind.converts == kind.config_class.converts
        assert kind.stages and observer_registry.observer_of(name).checks


def test_nothing_asks_which_pipeline_it_is() -> None:
    asking = re.compile(r"pipeline (==|!=|in \() ?|isinstance\([^)]*(Flow|Infill)Pipeline")
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("harness", "engine")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if asking.search(path.read_text(encoding="utf-8"))
    ]

    assert found == ["harness/targets/flite.py", "harness/targets/http/target.py"], (
        "these two have one pipeline each, and refuse any other"
    )
