"""
Engines that sample, on the real path: takes are spoken, checked, judged as two samples, accepted;
and `voxgate calibrate`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness.fake_runs import policy
from tests.harness.in_process import ALONE, ChildHere
from voxgate import Suite
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.grouping import by_name
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging import policy as policy_module
from voxgate.harness.judging.accept import accept
from voxgate.harness.judging.baseline import load_baseline, machine_id, of_run
from voxgate.harness.judging.compare_takes import compare_takes
from voxgate.harness.judging.judge import judge
from voxgate.harness.judging.policy import DEFAULT, limit_text, read_policy, shown_metrics
from voxgate.harness.machine import power_meter
from voxgate.harness.machine.checks.check import SystemRoot
from voxgate.harness.records.measurement import Better, Measurement, UtteranceValue
from voxgate.harness.records.run import Iteration, Phase, Run
from voxgate.harness.records.verdict import CellVerdict, RemarkKind, Verdict
from voxgate.harness.runner import run_folder, worker_pool
from voxgate.harness.runner.make_header import make_header
from voxgate.harness.runner.run_header import RunHeader
from voxgate.harness.runner.runner import run_suite
from voxgate.harness.scoring import score_run as scoring
from voxgate.harness.scoring import scorer
from voxgate.harness.scoring.kept_scores import check_measurements, measurements_of
from voxgate.harness.scoring.process_pool import PoolBatch
from voxgate.harness.targets.registry import takes_of

Make = Callable[..., Suite]
Script = Callable[[dict[str, Any]], None]
TEXTS = 6
METRICS = ["loudness", "clicks", "duration", "snr"]
SAMPLED = {"sampled": True, "takes": 4, "repeats": 2, "metrics": METRICS}
VARYING = {"audio_s": 0.5, "vary": 0.02}


def scored_here(batches: Sequence[PoolBatch[Any]], workers: int) -> Iterator[tuple[Any, Any]]:
    """Score in this process, which takes no seconds."""
    for batch in batches:
        yield from zip(batch.pieces, batch.work(batch.pieces), strict=True)


@pytest.fixture(name="here")
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose workers are no processes, on a machine without a power meter."""

    class Quiet(ChildHere):
        said: list[str] = []  # noqa: RUF012

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker_pool, "WorkerProcess", Quiet)
    monkeypatch.setattr(power_meter, "here", lambda: SystemRoot(root=tmp_path))
    monkeypatch.setattr(scoring, "default_cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(scorer, "run_batches", scored_here)
    lines = [f'[[request]]\nid = "r{n}"\ntext = "Text {n}."\n' for n in range(TEXTS)]
    (tmp_path / "six.toml").write_text("\n".join(lines))
    return tmp_path


@pytest.fixture(name="measured")
def _measured(here: Path, make_suite: Make, script: Script) -> Callable[..., Run]:
    """Measures one cell of the scripted engine as a script changes it."""

    def run(changes: dict[str, Any] | None = None, **suite_of: Any) -> Run:
        script({"*": changes or {}})
        fixed = {**VARYING, **suite_of.pop("fixed", {})}
        asked = {"axes": {"steps": [8]}, "workload": str(here / "six.toml"), **SAMPLED}
        suite = make_suite(**{**asked, "fixed": fixed, **suite_of})
        folder = here / f"run{len(list(here.glob('run*')))}"
        run_suite(suite, suite.expand().cells, ALONE, folder)
        return run_folder.load_run(folder)

    return run


Measured = Callable[..., Run]
Scored = tuple[Run, dict[str, tuple[Measurement, ...]]]


def scored(run: Run) -> Scored:
    scores = scoring.score_run(run, Path(run.folder) / "none", workers=1)
    return run, measurements_of(run, scores)


def judged(base: Scored, head: Scored) -> CellVerdict:
    return judge(*head, of_run(*base), policy()).cells[0]


def verdicts(cell: CellVerdict) -> dict[str, Verdict]:
    return {each.metric: each.verdict for each in cell.metrics if each.metric in METRICS}


def takes(run: Run, phase: Phase = Phase.TAKE) -> list[Iteration]:
    iterations = [each for process in run.processes for each in process.iterations]
    return [each for each in iterations if each.phase is phase]


def test_every_text_is_spoken_in_takes_with_seeds_of_their_own(measured: Measured) -> None:
    run = measured(fixed={"seed": 7})
    assert run.takes == {"steps-8": 4}
    assert {each.seed for each in takes(run, Phase.MEASURED)} == {7}
    assert len(takes(run, Phase.MEASURED)) == 2 * TEXTS, "speed is measured as it always was"
    further = [(each.request, each.take, each.seed) for each in takes(run) if each.take]
    assert sorted(further) == [(f"r{n}", t, 7 + t) for n in range(TEXTS) for t in (1, 2, 3)]
    assert [(each.request, each.seed) for each in takes(run) if not each.take] == [("r0", 7)]
    kept = {each.audio_file for each in takes(run)} - {None}
    assert len(kept) == 3 * TEXTS
    assert all((Path(run.folder) / str(name)).is_file() for name in kept)

    _, measurements = found = scored(run)
    check_measurements(run, measurements)
    named = by_name(measurements["steps-8"])
    assert "snr" not in named and "golden_snr" not in named
    loudness = named["loudness"]
    assert [(v.id, v.repeat) for v in loudness.values[:5]] == [
        *(("r0", take) for take in range(4)),
        ("r1", 0),
    ]
    assert len({value.value for value in named["duration"].values}) > 3 * TEXTS
    (notice,) = judged(found, found).notices
    assert notice == (
        "sampled: each text is spoken 4 times, by seeds 7, 8, 9, 10; metrics that need the same "
        "performance do not apply"
    )


def test_takes_of_one_engine_pass_and_faults_are_seen(measured: Measured) -> None:
    """The durations of takes differ by up to 4 %, and their limit is 2 %."""
    base, other = scored(measured()), scored(measured({"options": {"seed": 100}}))
    assert verdicts(judged(base, base)) == dict.fromkeys(METRICS[:3], Verdict.PASS)
    assert verdicts(judged(base, other)) == dict.fromkeys(METRICS[:3], Verdict.PASS)
    (loudness,) = [each for each in judged(base, other).metrics if each.metric == "loudness"]
    assert loudness.comparison is not None and loudness.comparison.chance is not None
    assert loudness.comparison.detail == f"4 takes of each of {TEXTS} texts, 4 in the baseline"
    for fault, metric in (
        ({"gain_db": -6.0}, "loudness"),
        ({"click": 0.8, "options": {"audio_s": 0.6}}, "clicks"),
        ({"options": {"audio_s": 0.55, "seed": 50}}, "duration"),
    ):
        found = judged(base, scored(measured(fault)))
        assert verdicts(found)[metric] is Verdict.REGRESSED, (fault, found.reason)


def test_a_claim_of_sampling_that_is_not_true_fails(measured: Measured) -> None:
    run, measurements = scored(measured({"deaf": True}))
    cell = judge(run, measurements, of_run(run, measurements), policy()).cells[0]
    assert cell.verdict is Verdict.FAILED
    assert cell.reason.startswith("not in effect: sampled is declared, and all 4 takes of each")
    with pytest.raises(HarnessError, match="sampled is declared, and all 4 takes"):
        accept(run, measurements, "why", Path("baselines"), loaded=True)


def test_a_seed_that_is_not_kept_fails_even_in_a_single_process(measured: Measured) -> None:
    """Nothing but the first request once more tells, where each is measured once."""
    run = measured({"options": {"fault": "nondeterministic", "fault_at": 8}}, repeats=1)
    failure = run.processes[0].failure
    assert (
        failure is not None
        and "the same seed gave different audio for request r0" in failure.reason
    )


def test_an_engine_without_a_seed_gives_takes_and_says_so(measured: Measured) -> None:
    run = measured({"seedless": True})
    assert {each.seed for each in takes(run)} == {None}
    assert len({each.audio_file for each in takes(run)} - {None}) == 3 * TEXTS
    found = scored(run)
    (notice,) = judged(found, found).notices
    assert "spoken 4 times, without a seed, so none was heard twice" in notice
    undeclared = scored(measured({"seedless": True}, sampled=None, takes=None))
    (remark,) = judged(undeclared, undeclared).remarks
    assert remark.kind is RemarkKind.TAKES_DIFFER
    assert remark.facts[0].endswith("add sampled=True to the suite to have takes judged as takes")


def test_all_takes_are_accepted_and_a_baseline_of_single_takes_still_counts(
    measured: Measured,
) -> None:
    run, measurements = scored(measured())
    accept(run, measurements, "first", Path("baselines"), loaded=True)
    stored = load_baseline(Path("baselines"), "test", machine_id(run))
    assert stored.quality is not None
    kept = stored.quality.measurements["steps-8"]["loudness"]
    assert [(v.id, v.repeat) for v in kept.values] == sorted(
        ((f"r{n}", take) for n in range(TEXTS) for take in range(4)), key=lambda v: v[1]
    )
    cell = judge(run, measurements, stored, policy()).cells[0]
    assert verdicts(cell) == dict.fromkeys(METRICS[:3], Verdict.PASS)

    before = scored(measured(sampled=None, takes=None))
    again = judged(before, (run, measurements))
    assert verdicts(again) == {
        **dict.fromkeys(METRICS[:3], Verdict.PASS),
        "snr": Verdict.UNRESOLVED,
    }
    (snr,) = [each for each in again.metrics if each.metric == "snr"]
    assert "the cell is sampled" in snr.reason and "accept a run" in snr.reason


def of_takes(better: Better, *takes: Sequence[float]) -> Measurement:
    values = [
        UtteranceValue(id=f"r{n}", value=value, repeat=take)
        for n, of_one in enumerate(takes)
        for take, value in enumerate(of_one)
    ]
    return Measurement(
        metric="wer" if better == "lower" else "dnsmos_ovrl",
        unit="1",
        better=better,
        version="1",
        values=tuple(values),
        summary=0.1,
    )


@pytest.mark.parametrize(
    ("better", "now", "worse"),
    [
        ("lower", (0.0, 0.9, 0.1), -0.2),  # one bad take among good ones
        ("lower", (0.9, 1.0, 0.8), 0.6),
        ("lower", (0.8,), 0.6),
        ("higher", (0.1, 0.3, 0.2), -0.3),
        ("higher", (-0.9, -1.0, -0.8), 0.8),
        ("neither", (0.9, 1.0, 0.8), 0.6),
        ("neither", (-0.9, -1.0, -0.8), 0.8),
    ],
)
def test_an_utterance_is_broken_if_all_its_takes_are(
    better: Better, now: Sequence[float], worse: float
) -> None:
    before = of_takes(better, (0.0, 0.2, 0.1), (0.1, 0.0, 0.0))
    found = compare_takes("cell", of_takes(better, now, (0.0, 0.1, 0.0)), before, None)
    change = next(each for each in found.changes if each.id == "r0")
    assert change.worse == pytest.approx(worse)
    assert found.changes == tuple(sorted(found.changes, key=lambda each: -each.worse))


def header(suite: Suite) -> RunHeader:
    return make_header(
        suite, suite.expand().cells, ALONE, repeats=None, iterations=None, command=""
    )


@pytest.mark.parametrize(("repeats", "parts"), [(1, 1), (3, 1), (7, 1), (4, 2), (5, 2)])
def test_the_rounds_share_the_takes(make_suite: Make, repeats: int, parts: int) -> None:
    plan = replace(header(make_suite(sampled=True, repeats=repeats)), parts=parts)
    cell = plan.cells[0]
    spoken = [take for repeat in range(repeats) for take in plan.further_takes(cell, repeat)]
    assert sorted(spoken) == sorted(
        [("r1", 0), *((name, take) for name in ("r1", "r2") for take in (1, 2, 3, 4))]
    )
    assert plan.further_takes(cell, repeats) == (), "rounds that are added speak none"


def test_who_declares_and_who_decides(make_suite: Make) -> None:
    def slugs(**changes: Any) -> list[str]:
        return list(header(make_suite(**changes)).takes)

    assert slugs() == [] and slugs(sampled=True) == ["steps-8", "steps-4"]
    assert slugs(pipeline="sampled") == ["steps-8", "steps-4"], "the target says so"
    assert slugs(pipeline="sampled", sampled=False) == []
    cells = make_suite(target="engine", pipeline="token", axes={}, fixed={}, reference=None,
                       cells=[{}, {"temperature": 0.0}]).expand().cells  # fmt: skip
    assert takes_of(cells, None, None) == {"default": 5}, "greedy decoding samples nothing"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampled": True, "takes": 1}, "takes must be a whole number from 2 to 1000, not 1"),
        ({"sampled": True, "takes": 0}, "takes must be a whole number from 2 to 1000, not 0"),
        ({"takes": True}, "takes must be a whole number"),
        ({"takes": 5}, "takes=5, but neither the suite nor its target declares a sampled engine"),
        ({"sampled": False, "takes": 5}, "takes=5 belongs to sampled=True"),
        ({"sampled": "yes"}, "sampled must be True, False or None"),
        ({"sampled": True, "pipeline": "greedy"}, "says that none of the cells samples"),
    ],
)
def test_what_cannot_be_meant_is_one_error(
    make_suite: Make, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        header(make_suite(**changes))


def test_a_limit_is_written_as_it_is_read(tmp_path: Path) -> None:
    limits = read_policy(DEFAULT, shown_metrics())
    lines = [f"{name} = {limit_text(limit)}" for name, limit in limits.items()]
    path = tmp_path / "policy.toml"
    path.write_text("\n".join(["schema_version = 1", "[metrics]", *lines]))
    assert read_policy(path, shown_metrics()) == limits


SUITE = '''"""How far do takes differ?"""

from voxgate import Suite

suite = Suite(
    target="scripted", pipeline="any", workload={workload!r}, cells=[{{}}], repeats={repeats},
    fixed={{"audio_s": 0.5, "vary": 0.02}}, sampled={sampled}, metrics=["duration", "clicks"],
)
'''


def write_suite(here: Path, sampled: bool | None = True, repeats: int = 1) -> None:
    (here / "suites").mkdir(exist_ok=True)
    text = SUITE.format(workload=str(here / "six.toml"), sampled=sampled, repeats=repeats)
    (here / "suites" / "drawn.py").write_text(text)


def test_calibrate_proposes_no_margin_below_what_it_saw(
    here: Path, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    write_suite(here)
    script({})
    own = here / "baselines" / "drawn" / "policy.toml"
    own.parent.mkdir(parents=True)
    own.write_text(
        "schema_version = 1\n[metrics]\n# mine\nduration = { relative = 0.0001, "
        'blocking = true, against = "intrinsic", evidence = "none" }\n'
    )
    assert invoke(["calibrate", "drawn", "--comparisons", "100", "--json", "--write"]) == 0
    document = json.loads(capsys.readouterr().out)
    rows = {row["metric"]: row for row in document["metrics"]}
    duration = rows["duration"]
    assert duration["margin"] == pytest.approx(0.01) and duration["comparisons"] == 100
    assert duration["proposed"] >= 1.25 * duration["spread"] > 0.0
    assert rows["clicks"]["proposed"] is None, "its margin holds"
    assert sum(row["alarms"] for row in rows.values()) == 0
    assert {each.take for each in takes(run_folder.load_run(here / document["run"]))} == set(
        range(10)
    )

    text = own.read_text()
    assert "# mine" in text and "# calibrated 2" in text and "of 5 takes of 6 texts" in text
    limits = policy_module.limits_of(here / "baselines", suite="drawn")
    assert limits["duration"].relative == pytest.approx(duration["proposed"] / 100.0)
    assert policy_module.limits_of(here / "baselines")["duration"].relative == 0.02

    words = ["--run", document["run"], "--comparisons", "100"]
    assert invoke(["calibrate", "drawn", *words]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split()[:4] == ["metric", "margin", "spread", "proposed"]
    assert shown[-1] == "calibrated: all 2 margins hold"
    assert invoke(["calibrate", "drawn", *words, "--takes", "20"]) == 2
    assert "holds 10 takes of a text that can be split" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sampled", "words", "message"),
    [
        (None, ["--takes", "8"], "neither suite 'drawn' nor its target declares a sampled engine"),
        (None, [], "has nothing to split: it needs 4 takes of each text"),
        (True, ["--slack", "0.5"], "would propose margins below what was seen; give 1 or more"),
        (True, ["--run", "nowhere"], "nowhere"),
        (True, ["--takes", "3"], "3"),
    ],
)
def test_calibrate_refuses_what_it_cannot_split(
    here: Path,
    script: Script,
    capsys: pytest.CaptureFixture[str],
    sampled: bool | None,
    words: list[str],
    message: str,
) -> None:
    write_suite(here, sampled)
    script({})
    assert invoke(["calibrate", "drawn", *words]) == 2
    assert message in capsys.readouterr().err


def test_calibrate_refuses_takes_that_are_all_the_same_audio(
    here: Path, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    write_suite(here)
    script({"*": {"deaf": True}})
    assert invoke(["calibrate", "drawn", "--write"]) == 2
    assert "sampled is declared, and all 10 takes of each text are the same" in (
        capsys.readouterr().err
    )


def test_calibrate_splits_the_processes_of_speeds(
    here: Path, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    write_suite(here, None, repeats=4)
    script({})
    assert invoke(["calibrate", "drawn"]) == 0
    out = capsys.readouterr().out
    assert any(line.startswith("latency_p50") and " - " in line for line in out.splitlines())


def test_aggregate_without_scores_knows_no_takes(measured: Measured) -> None:
    run = measured()
    named = by_name(aggregate(run, {})["steps-8"])
    assert len(named["duration"].values) == 4 * TEXTS and "loudness" in named
