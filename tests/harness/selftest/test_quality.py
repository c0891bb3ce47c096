"""The selftest of quality on the scripted engine: real processes and files, and a scorer that only knows SNR and clicks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import Suite
from harness.audio_io import read_audio
from harness.errors import HarnessError
from harness.measurement import Value
from harness.metrics.clicks import clicks_per_s
from harness.metrics.parity import snr_db
from harness.progress import Silent
from harness.sample import Run
from harness.scoring import NO_GOLDEN, RunScores, audio_jobs
from harness.selftest import quality, shown_quality
from harness.selftest.quality import EVERY, ONE, Finding, QualityTrust, quality_selftest, two_cells
from harness.selftest.speed import Question

SUITE = """
from harness import Suite
suite = Suite(target="scripted", pipeline="any", workload="two.toml", axes={"steps": [8, 4]}, reference={"steps": 8},
              fixed={"audio_s": 1.0, "noise": 0.01})
"""
WORKLOAD = """
[[request]]
id = "r1"
text = "One wonderful thing."
speaker = "slt"

[[request]]
id = "r2"
text = "Two."
speaker = "rms"
"""


def score(run: Run, golden: Path, **_: object) -> RunScores:
    """SNR against the reference and the golden audio, and clicks, of real files; nothing else is scored."""
    values: dict[tuple[str, str], dict[str, Value]] = {}
    for name, job in audio_jobs(run, golden).items():
        audio, rate_hz = read_audio(job.path)
        against = {"snr": job.reference, "golden_snr": job.golden}
        values[name] = {m: NO_GOLDEN if f is None else snr_db(read_audio(f)[0], audio, rate_hz) for m, f in against.items()}
        values[name]["clicks"] = clicks_per_s(audio, rate_hz)
    return RunScores(values=values, versions={})


@pytest.fixture(scope="module", name="found")
def _found(tmp_path_factory: pytest.TempPathFactory) -> QualityTrust:
    root = tmp_path_factory.mktemp("quality")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(quality, "score_run", score)
        (root / "suites").mkdir()
        (root / "suites" / "two.py").write_text(SUITE)
        (root / "two.toml").write_text(WORKLOAD)
        trust = quality_selftest(Question(suite="two", profile="cpu-gate", minutes=1.0, out=root / "out"), Silent())
    assert trust is not None
    return trust


def by(trust: QualityTrust, fault: str, extent: str = EVERY) -> list[tuple[str, ...]]:
    return [each.by for each in trust.findings if (each.fault, each.extent) == (fault, extent)]


def test_clean_repeats_and_rounding_are_never_flagged(found: QualityTrust) -> None:
    assert by(found, "none") == [(), ()]
    assert by(found, "rounding") == [()]
    assert [each.strength for each in found.findings if each.fault == "none"] == ["judged again", "measured again"]


def test_the_cell_that_is_not_the_reference_is_spoiled(found: QualityTrust) -> None:
    assert (found.cell, found.utterances) == ("steps-4", 2)


@pytest.mark.parametrize("fault", ["wrong word", "other speaker", "dropout", "noise", "cut tail", "muted tail"])
def test_a_fault_in_every_utterance_is_found_by_the_metric_that_hears_it(found: QualityTrust, fault: str) -> None:
    assert "snr" in by(found, fault)[-1]


def test_a_cut_tail_is_shorter_and_a_muted_one_is_not(found: QualityTrust) -> None:
    assert "duration" in by(found, "cut tail")[-1]
    assert "duration" not in by(found, "muted tail")[-1]


def test_every_fault_is_tried_in_one_utterance_too(found: QualityTrust) -> None:
    tried = {each.fault for each in found.findings if each.extent == ONE}
    assert tried == {"click", "dropout", "wrong word", "cut tail", "muted tail", "other speaker", "noise"}


def test_the_document_is_json_and_the_text_ends_with_the_verdict(found: QualityTrust) -> None:
    document = json.loads(json.dumps(shown_quality.to_json(found), allow_nan=False))
    assert document["exit_code"] == shown_quality.exit_code(found)
    assert shown_quality.text(found).splitlines()[-1] == document["line"]
    assert "| dropout | 20 ms | every utterance |" in shown_quality.markdown(found)


def test_a_workload_with_one_speaker_leaves_that_fault_out_and_says_so() -> None:
    trust = made(left_out={"other speaker": "no request of the workload can be said that way"})
    assert "not planted: other speaker: no request of the workload can be said that way" in shown_quality.text(trust)


def made(*findings: Finding, left_out: dict[str, str] | None = None) -> QualityTrust:
    facts: dict[str, Any] = {"suite": "s", "profile": "p", "cell": "c", "utterances": 2, "machine": "m", "head": "h"}
    return QualityTrust(**facts, findings=findings, left_out=left_out or {})


def finding(by: tuple[str, ...], extent: str = EVERY, *, harmless: bool = False) -> Finding:
    return Finding(fault="click", strength="1", extent=extent, harmless=harmless, by=by, advised_by=())


@pytest.mark.parametrize(
    ("findings", "code", "line"),
    [
        ([finding(("snr",)), finding((), ONE)], 0, "TRUSTWORTHY for quality: 1 of 2 faults found; 0 false alarms in 0"),
        ([finding(())], 3, "NOT TRUSTWORTHY for quality: 0 of 1 faults found"),
        ([finding(("snr",)), finding(("snr",), harmless=True)], 3, "NOT TRUSTWORTHY for quality: 1 of 1 faults found; 1 false"),
        ([], 3, "NOT TRUSTWORTHY"),
    ],
)
def test_the_verdict_wants_the_greatest_faults_found_and_nothing_harmless(
    findings: list[Finding], code: int, line: str
) -> None:
    trust = made(*findings)
    assert shown_quality.exit_code(trust) == code
    assert shown_quality.line(trust).startswith(line)


def test_faults_need_a_cell_beside_the_reference(make_suite: Callable[..., Suite]) -> None:
    expansion = make_suite().expand()
    assert [cell.slug for cell in two_cells(expansion, ())] == ["steps-8", "steps-4"]
    with pytest.raises(HarnessError, match="beside the reference cell steps-8; name another with --only"):
        two_cells(expansion, ("steps-8",))


def test_a_cell_that_fails_ends_it_with_the_reason(
    make_suite: Callable[..., Suite], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "load_suite", lambda name: make_suite(fixed={"audio_s": 0.1, "fault": "refuse"}))
    question = Question(suite="test", profile="cpu-gate", minutes=1.0, out=tmp_path / "out")
    with pytest.raises(HarnessError, match="cell steps-8 cannot be measured: refused: fault=refuse asks for a refusal"):
        quality_selftest(question, Silent())


def test_what_is_missing_on_both_sides_is_no_alarm(found: QualityTrust) -> None:
    assert not any("pesq" in name for each in found.findings for name in each.by)
