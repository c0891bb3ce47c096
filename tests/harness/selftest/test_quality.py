"""
The selftest of quality on the scripted engine: real processes and files, and a scorer that only
knows SNR and duration.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, TEXT, speech
from voxgate import Suite
from voxgate.harness.audio.files import read_audio, write_wav
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Request
from voxgate.harness.records.measurement import Missing, Value
from voxgate.harness.records.run import Run
from voxgate.harness.runner.progress import Silent
from voxgate.harness.scoring.score_run import RunScores, audio_jobs
from voxgate.harness.selftest import quality, speech_sources
from voxgate.harness.selftest.command import report_speed
from voxgate.harness.selftest.faults import FAULTS
from voxgate.harness.selftest.quality import columns_of, quality_selftest
from voxgate.harness.selftest.quality_result import FaultResult, QualityTrust, Sight
from voxgate.harness.selftest.specimens import (
    EVERY,
    ONE,
    Engine,
    Kind,
    SpecimenAudio,
    respoken_sounds,
)
from voxgate.harness.selftest.speech_sources import cells_of
from voxgate.harness.selftest.speed_plan import SelftestPlan

SUITE = """
from voxgate import Suite
suite = Suite(target="scripted", pipeline="any", workload="two.toml", axes={"noise": [0.0, 0.002, 0.1]},
              reference={"noise": 0.0}, fixed={"audio_s": 2.0}, metrics=["snr"])
"""  # noqa: E501
WORKLOAD = """
[[request]]
id = "r1"
text = "One wonderful thing?"
speaker = "slt"

[[request]]
id = "r2"
text = "Two."
speaker = "rms"
"""
RECORDED = f"""
[[request]]
id = "slt"
text = "{TEXT[:-1]}"
"""


ASKED: dict[str, Mapping[str, Request]] = {}
"""What the engine was asked for in the selftest `found`, by fault and strength."""


def respoken(
    engine: Engine, asked: Mapping[str, Mapping[str, Request]]
) -> dict[str, dict[str, SpecimenAudio]]:
    ASKED.update(asked)
    return respoken_sounds(engine, asked)


def snr(reference: Path, candidate: Path) -> Value:
    clean, heard = (read_audio(path)[0].astype(float) for path in (reference, candidate))
    if abs(len(clean) - len(heard)) > 0.02 * len(clean):
        return Missing("durations differ")
    length = min(len(clean), len(heard))
    error = float(np.sum((clean[:length] - heard[:length]) ** 2))
    if not np.isfinite(error):
        return Missing("not finite")
    return 10 * float(np.log10(np.sum(clean**2) / error)) if error else 120.0


def score(run: Run, golden: Path, **_: object) -> RunScores:
    """SNR against the reference; nothing else is scored."""
    assert run.metrics == ("snr", "duration")
    jobs = audio_jobs(run, golden)
    assert all(job.golden is None and job.reference is not None for job in jobs.values())
    return RunScores(
        values={name: {"snr": snr(job.reference, job.path)} for name, job in jobs.items()},
        versions={},
    )


@pytest.fixture(scope="module", name="found")
def _found(tmp_path_factory: pytest.TempPathFactory) -> QualityTrust:
    root = tmp_path_factory.mktemp("quality")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(quality, "score_run", score)
        patch.setattr(speech_sources, "respoken_sounds", respoken)
        for folder, name, text in (
            ("suites", "two.py", SUITE),
            (".", "two.toml", WORKLOAD),
            ("real", "texts.toml", RECORDED),
        ):
            (root / folder).mkdir(exist_ok=True)
            (root / folder / name).write_text(text)
        write_wav(root / "real" / "slt.wav", speech().astype(np.float32), RATE_HZ)
        question = SelftestPlan(
            suite="two", profile="cpu-gate", minutes=1.0, out=root / "out", recordings=Path("real")
        )
        trust = quality_selftest(question, Silent())
    assert trust is not None
    return trust


def rows(trust: QualityTrust, fault: str, extent: str = EVERY, audio: int = 0) -> list[FaultResult]:
    return [
        each
        for each in trust.matrices[audio].findings
        if (each.fault, each.extent) == (fault, extent)
    ]


def test_faults_are_planted_into_the_cell_beside_the_reference_and_into_recordings(
    found: QualityTrust,
) -> None:
    assert [each.audio for each in found.matrices] == ["scripted noise=0.002", "recordings"]
    assert [each.utterances for each in found.matrices] == [2, 1]
    assert [(each.metric, each.family) for each in found.columns] == [
        ("snr", "parity"),
        ("duration", "faults"),
    ]


def test_clean_repeats_and_what_nobody_hears_are_never_flagged(found: QualityTrust) -> None:
    assert [each.strength for each in rows(found, "no fault")] == ["judged again", "measured again"]
    assert [each.strength for each in rows(found, "no fault", audio=1)] == ["judged again"]
    for matrix in found.matrices:
        harmless = [each for each in matrix.findings if each.kind is Kind.HARMLESS]
        known = {fault.name for fault in FAULTS if fault.harmless}
        assert {each.fault for each in harmless} == {"no fault", *known}
        still = {"no fault", "rounding", "dither"}  # SNR alone sees the others
        assert not any(each.by for each in harmless if each.fault in still)


@pytest.mark.parametrize(
    "fault",
    [
        "wrong word",
        "other speaker",
        "flat question",
        "dropout",
        "noise",
        "muted tail",
        "polarity",
        "quieter",
    ],
)
def test_a_fault_in_every_utterance_is_found_by_the_metric_that_hears_it(
    found: QualityTrust, fault: str
) -> None:
    assert "snr" in rows(found, fault)[-1].by


def test_a_cut_tail_is_shorter_and_a_muted_one_is_not(found: QualityTrust) -> None:
    assert "duration" in rows(found, "cut tail")[-1].by
    assert "duration" not in rows(found, "muted tail")[-1].by


def test_a_setting_stands_in_place_of_the_reference(found: QualityTrust) -> None:
    (setting,) = rows(found, "noise=0.1")
    assert (setting.kind, setting.strength, setting.by) == (
        Kind.SETTING,
        "asked for noise=0.0",
        ("snr",),
    )
    assert not rows(found, "noise=0.002")


def test_every_fault_is_tried_in_one_utterance_where_there_are_two(found: QualityTrust) -> None:
    assert rows(found, "dropout", ONE) and rows(found, "wrong word", ONE)
    assert not rows(found, "flat question", ONE)  # only one asks
    assert not rows(found, "dropout", ONE, audio=1)


def test_each_strength_is_respoken_for_itself(found: QualityTrust) -> None:
    assert ASKED["said twice a word"]["r1"].text == "One wonderful wonderful thing?"
    assert "said twice three words" not in ASKED, "no text is so long, so audio is changed"
    assert [each.strength for each in rows(found, "said twice")] == ["a word", "three words"]


def test_what_cannot_be_planted_is_named(found: QualityTrust) -> None:
    spoken, recorded = (matrix.left_out for matrix in found.matrices)
    cannot = {spoken["step at joins"], spoken["spill-over"], recorded["step at joins"]}
    assert cannot == {"no utterance can hold it"}


def test_a_fault_that_the_engine_has_no_option_for_is_made_of_its_audio(
    found: QualityTrust,
) -> None:
    pytest.importorskip("pyworld")
    (faster,) = rows(found, "faster")
    assert faster.by == ("snr", "duration")


def test_metrics_against_golden_audio_have_no_column(make_suite: Callable[..., Suite]) -> None:
    from voxgate.harness.judging.policy import load_policy, shown_metrics

    columns = columns_of(load_policy(Path("none"), shown_metrics()), make_suite())
    names = [each.metric for each in columns]
    policy = load_policy(Path("none"), shown_metrics())
    blocking = columns_of(policy, make_suite(), blocking=True)
    assert blocking == tuple(each for each in columns if each.blocks)
    assert "snr" in names and "wer" in names and "latency_p50" not in names
    assert not any(name.startswith(("golden_", "phone_")) for name in names)


def test_faults_need_a_cell_beside_the_reference(make_suite: Callable[..., Suite]) -> None:
    expansion = make_suite(axes={"steps": [8, 4, 2]}).expand()
    assert [cell.slug for cell in cells_of(expansion, ())] == ["steps-8", "steps-4", "steps-2"]
    assert [cell.slug for cell in cells_of(expansion, ("steps-2",))] == ["steps-8", "steps-2"]
    with pytest.raises(
        HarnessError, match="beside the reference cell steps-8; name another with --only"
    ):
        cells_of(expansion, ("steps-8",))


def test_a_cell_that_fails_ends_it_with_the_reason(
    make_suite: Callable[..., Suite], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        quality, "load_suite", lambda name: make_suite(fixed={"audio_s": 0.1, "fault": "refuse"})
    )
    question = SelftestPlan(suite="test", profile="cpu-gate", minutes=1.0, out=tmp_path / "out")
    with pytest.raises(
        HarnessError,
        match="cell steps-8 cannot be measured: refused: fault=refuse asks for a refusal",
    ):
        quality_selftest(question, Silent())


def test_recordings_are_looked_for_before_anything_is_measured(
    make_suite, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(quality, "load_suite", lambda name: make_suite())
    question = SelftestPlan(
        suite="test",
        profile="cpu-gate",
        minutes=1.0,
        out=tmp_path / "out",
        recordings=tmp_path / "none",
    )
    with pytest.raises(HarnessError, match="unknown workload"):
        quality_selftest(question, Silent())
    assert not (tmp_path / "out").exists()


def test_recordings_and_a_picture_are_for_faults_only(tmp_path: Path) -> None:
    question = SelftestPlan(suite="smoke", profile="cpu-gate", minutes=1.0)
    for asked in (
        replace(question, recordings=tmp_path),
        replace(question, picture=tmp_path / "a.png"),
        replace(question, greatest=True),
        replace(question, blocking=True),
    ):
        with pytest.raises(HarnessError, match="add --quality"):
            report_speed(asked, Silent())


def test_each_selftest_has_a_suite_of_its_own_unless_one_is_named(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    for words, suite in (
        (["--quality"], "sensitivity"),
        ([], "smoke"),
        (["other", "--quality"], "other"),
    ):
        assert invoke(["selftest", *words, "--out", "out"]) == 2
        assert f"unknown suite '{suite}'" in capsys.readouterr().err


def test_every_sight_of_a_row_is_of_a_column(found: QualityTrust) -> None:
    shown = {each.metric for each in found.columns}
    for matrix in found.matrices:
        assert all(
            set(each.sights) <= shown and set(each.sights.values()) <= set(Sight)
            for each in matrix.findings
        )
