"""Each planted lie is caught by its name; an honest engine that is asked the same is not."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness.fake_runs import accepted, good_run, judged, policy
from tests.studies import planted_lies as study
from voxgate.harness.audio.recording import Recording
from voxgate.harness.judging.policy import read_policy
from voxgate.harness.metrics.levels import no_speech
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.verdict import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "planted-lies.md"


@pytest.mark.parametrize("lie", study.LIES, ids=lambda lie: re.sub(r"\W+", "-", lie.name))
def test_it_is_caught_by_name(lie: study.Lie, tmp_path: Path) -> None:
    assert lie.name in lie.found(tmp_path)


@pytest.mark.parametrize(
    ("engine", "asked"),
    [
        (study.Engine, {"cells": [{}]}),
        (study.Engine, study.SEEDS),
        (study.Engine, {"axes": {"cfg_weight": [0.5, 0.0]}}),
        (study.TrueRate, {"cells": [{"sample_rate": 48_000}]}),
        (study.NoAutocast, {"axes": {"precision": ["fp32"]}}),
        (study.SlowFirst, {"cells": [{}], "iterations": 20}),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_an_honest_engine_is_left_alone(
    engine: type[study.Engine], asked: dict[str, Any], tmp_path: Path
) -> None:
    told = study.judged(study.measured(engine, tmp_path, **asked))
    for cell in told.run.cells:
        assert (told.failed(cell.slug), told.named(cell.slug)) == ("", [])


def test_where_one_value_crashes_the_other_cells_are_measured(tmp_path: Path) -> None:
    run = study.measured(
        study.CrashingGuidance, tmp_path, axes={"cfg_weight": [0.5, 0.0]}, repeats=1
    )
    told = study.judged(run)
    verdicts = {cell.cell: cell for cell in told.verdict.cells}
    failed = verdicts["cfg_weight-0.0"]
    assert (failed.verdict, verdicts["cfg_weight-0.5"].verdict) == (
        Verdict.FAILED,
        Verdict.NO_BASELINE,
    )
    assert "Sizes of tensors must match" in failed.reason


def test_single_precision_that_holds_is_a_proof(tmp_path: Path) -> None:
    run = study.measured(study.NoAutocast, tmp_path, axes={"precision": ["fp32"]}, repeats=1)
    (check,) = run.processes[0].effects
    assert (check.option, check.in_effect) == ("precision", True)
    assert check.observed == "of 1 matrix products 1 in float32"


def test_an_option_that_only_costs_time_has_an_effect(tmp_path: Path) -> None:
    told = study.judged(
        study.measured(study.UnreadRegion, tmp_path, axes={"region": ["es-ES", "es-AR"]})
    )
    slower = [
        replace(each, iterations=tuple(replace(i, wall_s=2 * i.wall_s) for i in each.iterations))
        if each.cell == "region-es-ar"
        else each
        for each in told.run.processes
    ]
    assert told.named("region-es-ar") == ["remark unobserved_option"]
    assert study.judged(replace(told.run, processes=tuple(slower))).named("region-es-ar") == []


def test_an_option_is_held_against_a_cell_that_differs_in_it_alone(tmp_path: Path) -> None:
    told = study.judged(
        study.measured(
            study.UnreadRegion,
            tmp_path,
            axes={"cfg_weight": [0.5, 0.0], "region": ["es-ES", "es-AR"]},
        )
    )
    found = next(c for c in told.verdict.cells if c.cell == "cfg_weight-0.0.region-es-ar")
    (remark,) = found.remarks
    assert "region=es-AR, and the audio is cfg_weight=0.0 region=es-es's" in remark.facts[0]


def score(samples: np.ndarray, rate_hz: int = 16_000) -> object:
    return no_speech(MetricInput(audio=Recording(samples, rate_hz)))


def test_silence_and_steady_noise_are_no_speech_and_a_hum_may_be() -> None:
    rng = np.random.default_rng(1)
    noise = 0.1 * rng.standard_normal(32_000)
    assert [score(noise, rate_hz) for rate_hz in (8000, 16_000, 24_000, 48_000)] == [1.0] * 4
    assert score(np.concatenate([np.zeros(8000), noise, np.zeros(8000)])) == 1.0
    assert score(np.zeros(16_000)) == 1.0
    assert score(study.hum(4)) == 0.0
    time_s = np.arange(32_000) / 16_000
    assert score(np.sin(2 * np.pi * 120 * time_s)) == 0.0, "steady, and periodic"
    whisper = noise * np.sin(np.pi * time_s / 0.3) ** 2
    assert score(whisper) == 0.0, "noise that rises and falls like speech"
    assert isinstance(score(noise[:1600]), Missing)


def test_beyond_reject_a_value_fails_whatever_the_baseline(tmp_path: Path) -> None:
    run = good_run(tmp_path / "runs/0001")
    baseline = accepted(tmp_path, run, wer=0.95)
    cell = next(c for c in judged(run, baseline, wer=0.95).cells if c.cell == "nfe-8")
    (wrong,) = [metric for metric in cell.metrics if metric.verdict is Verdict.FAILED]
    assert (wrong.metric, wrong.blocking, cell.verdict) == ("wer", True, Verdict.FAILED)
    assert wrong.reason == "wer: 0.95 lies beyond 0.8, which no baseline excuses"
    assert cell.reason.startswith(wrong.reason)


def test_a_project_may_take_a_rejection_back(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    line = 'relative = 0.05, blocking = true, against = "intrinsic", evidence = "utterances"'
    path.write_text(f"schema_version = 1\n[metrics]\nwer = {{ {line} }}\n")
    assert read_policy(path, ("wer",))["wer"].reject is None
    assert policy()["wer"].reject == 0.8


def test_the_page_shows_the_table_of_the_command() -> None:
    text = PAGE.read_text()
    rows = [f"| {lie.lie} | {lie.met} | {lie.engine} | `{lie.name}` |" for lie in study.LIES]
    assert [row for row in rows if row not in text] == []
