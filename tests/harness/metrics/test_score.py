"""The scorer: everything once, nothing lost; real metrics, mostly in this process, with the listener faked."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.audio_io import write_wav
from harness.errors import HarnessError
from harness.measurement import SNR_CEILING_DB, Missing, Value
from harness.metrics import audio_task, score
from harness.metrics.audio_task import AudioTask
from harness.metrics.isolation import run_isolated
from harness.metrics.listen import Transcript
from harness.metrics.panel import PANEL
from harness.metrics.score import AudioJob, JudgeOptions, score_quality
from harness.metrics.whisper_weights import WeightsFile
from tests.harness.metrics.speech import RATE_HZ, TEXT, speech, with_noise

WEIGHTS = WeightsFile(path=Path("whisper"), sha256="0" * 64)


def crash_on_pesq(task: AudioTask) -> Value:
    if task.metric == "pesq":
        os.kill(os.getpid(), signal.SIGSEGV)
    return audio_task.compute(task)


class Counted:
    """Stands for the child processes; works here and remembers what it was asked."""

    def __init__(self) -> None:
        self.tasks: list[AudioTask] = []
        self.files: list[Path] = []

    def run(self, function: Callable[[Any], Any], items: Sequence[Any], workers: int) -> Iterator[tuple[int, Any]]:
        for index, item in enumerate(items):
            self.tasks.append(item)
            yield index, function(item)

    def listen(self, files: Sequence[Path], weights: Path, workers: int) -> Iterator[tuple[Path, Transcript]]:
        for path in files:
            self.files.append(path)
            yield path, Transcript(text="She told me her brother works in a hospital", judge="a parrot")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    fake = Counted()
    monkeypatch.setattr(score, "run_isolated", fake.run)
    monkeypatch.setattr(score, "listen", fake.listen)
    monkeypatch.setattr(score, "locate_weights", lambda *_: WEIGHTS)
    return fake


@pytest.fixture
def audio(tmp_path: Path) -> dict[str, Path]:
    """Files: the reference, the same again, a noisy one, a silent one."""
    clean = speech().astype(np.float32)
    kinds = {
        "clean": clean,
        "same": clean,
        "noisy": with_noise(speech(), 20.0).astype(np.float32),
        "silent": np.zeros_like(clean),
    }
    for name, frames in kinds.items():
        write_wav(tmp_path / f"{name}.wav", frames, RATE_HZ)
    return {name: tmp_path / f"{name}.wav" for name in kinds}


def job(path: Path, **changes: Any) -> AudioJob:
    return AudioJob(**{"key": path.stem, "utterance": "u1", "path": path, "text": TEXT} | changes)


def test_every_quality_metric_of_the_panel_gets_a_value_and_a_version(audio: dict[str, Path], counted: Counted, tmp_path: Path):
    scored = score_quality([job(audio["noisy"], reference=audio["clean"], golden=audio["noisy"])], cache_dir=tmp_path)["noisy"]
    speeds = {
        "latency_p50",
        "latency_p95",
        "latency_p99",
        "rtf",
        "rtf_median",
        "rtfx",
        "cold_start",
        "peak_rss",
        "peak_cuda_bytes",
        "energy_per_audio_s",
    }
    assert set(scored.values) == set(scored.versions) == {each.name for each in PANEL} - speeds
    assert scored.values["snr"] == pytest.approx(20.0, abs=1e-4)
    assert scored.values["golden_snr"] == SNR_CEILING_DB
    assert scored.values["wer"] == 0.1
    assert scored.versions["wer"].endswith("; a parrot")


def test_without_reference_or_golden_their_metrics_are_missing_and_the_rest_stands(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    values = score_quality([job(audio["clean"])], cache_dir=tmp_path)["clean"].values
    assert values["snr"] == Missing("the reference cell has no audio for this utterance")
    assert values["golden_pesq"] == Missing("there is no golden audio for this utterance")
    assert values["clicks"] == 0.0


def test_identical_audio_is_scored_once_whatever_its_name(audio: dict[str, Path], counted: Counted, tmp_path: Path):
    jobs = [job(audio[name], reference=audio["clean"], golden=audio["clean"]) for name in ("clean", "same")]
    scored = score_quality(jobs, cache_dir=tmp_path)
    assert sorted(task.metric for task in counted.tasks) == ["clicks", "duration", "pesq", "si_sdr", "snr", "stoi"]
    assert len(counted.files) == 1
    assert scored["clean"].values == scored["same"].values


def test_a_second_run_computes_nothing_and_says_the_same(audio: dict[str, Path], counted: Counted, tmp_path: Path):
    jobs = [job(audio["noisy"], reference=audio["clean"]), job(audio["silent"], reference=audio["clean"])]
    first = score_quality(jobs, cache_dir=tmp_path)
    counted.tasks.clear()
    counted.files.clear()
    assert score_quality(jobs, cache_dir=tmp_path) == first
    assert (counted.tasks, counted.files) == ([], [])


def test_a_new_metric_version_is_computed_anew(
    audio: dict[str, Path], counted: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    score_quality([job(audio["clean"])], cache_dir=tmp_path)
    counted.tasks.clear()
    monkeypatch.setattr(score, "full_version", lambda name: "2" if name == "clicks" else "1")
    score_quality([job(audio["clean"])], cache_dir=tmp_path)
    assert [task.metric for task in counted.tasks] == ["clicks"]


def test_changed_audio_under_the_same_name_is_scored_again(audio: dict[str, Path], counted: Counted, tmp_path: Path):
    before = score_quality([job(audio["noisy"], reference=audio["clean"])], cache_dir=tmp_path)["noisy"]
    audio["noisy"].write_bytes(audio["clean"].read_bytes())
    after = score_quality([job(audio["noisy"], reference=audio["clean"])], cache_dir=tmp_path)["noisy"]
    assert before.values["snr"] != after.values["snr"] == SNR_CEILING_DB


def test_a_file_that_is_absent_or_not_audio_costs_its_own_values_with_the_reason(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    (tmp_path / "text.wav").write_text("not audio")
    jobs = [job(tmp_path / "text.wav"), job(tmp_path / "absent.wav"), job(audio["clean"])]
    scored = score_quality(jobs, cache_dir=tmp_path)
    assert "cannot read audio" in reason(scored["text"].values["duration"])
    assert "No such file" in reason(scored["absent"].values["wer"])
    assert scored["clean"].values["clicks"] == 0.0


def test_sample_rates_that_differ_are_missing(audio: dict[str, Path], counted: Counted, tmp_path: Path):
    write_wav(tmp_path / "fast.wav", speech().astype(np.float32), 24_000)
    values = score_quality([job(tmp_path / "fast.wav", reference=audio["clean"])], cache_dir=tmp_path)["fast"].values
    assert values["snr"] == Missing("sample rates differ: 24000 Hz against 16000 Hz")


def test_without_weights_only_wer_and_cer_are_missing(
    audio: dict[str, Path], counted: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(score, "locate_weights", lambda *_: Missing("no Whisper weights on this machine: install them"))
    scored = score_quality([job(audio["noisy"], reference=audio["clean"])], cache_dir=tmp_path)["noisy"]
    for value in (scored.values["wer"], scored.values["cer"], scored.words, scored.transcript):
        assert value == Missing("no Whisper weights on this machine: install them")
    assert isinstance(scored.values["pesq"], float)


def test_explicit_weights_that_do_not_exist_are_refused_before_any_work(audio: dict[str, Path], tmp_path: Path):
    options = JudgeOptions(weights=tmp_path / "absent.pt")
    with pytest.raises(HarnessError, match=r"ASR weights .*absent.pt do not exist"):
        score_quality([job(audio["clean"])], cache_dir=tmp_path / "cache", judge=options)
    assert not (tmp_path / "cache").exists()


def test_progress_counts_up_to_what_had_to_be_computed(audio: dict[str, Path], counted: Counted, tmp_path: Path):
    steps: list[tuple[int, int]] = []
    score_quality([job(audio["clean"])], cache_dir=tmp_path, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_crash_of_pesq_costs_one_value_and_is_not_remembered(
    audio: dict[str, Path], counted: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(score, "run_isolated", run_isolated)
    monkeypatch.setattr(score, "compute", crash_on_pesq)
    jobs = [job(audio["noisy"], reference=audio["clean"])]
    values = score_quality(jobs, cache_dir=tmp_path)["noisy"].values
    assert values["pesq"] == Missing("pesq crashed the process")
    assert all(isinstance(values[name], float) for name in ("snr", "si_sdr", "stoi", "duration", "clicks"))
    monkeypatch.setattr(score, "compute", audio_task.compute)
    assert isinstance(score_quality(jobs, cache_dir=tmp_path)["noisy"].values["pesq"], float)


def test_values_can_be_written_as_strict_json(audio: dict[str, Path], counted: Counted, tmp_path: Path):
    jobs = [job(audio[name], reference=audio["clean"]) for name in audio]
    for scored in score_quality(jobs, cache_dir=tmp_path).values():
        json.dumps({n: v for n, v in scored.values.items() if isinstance(v, float)}, allow_nan=False)


def reason(value: Value) -> str:
    assert isinstance(value, Missing), value
    return value.reason
