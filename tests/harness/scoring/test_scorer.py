"""
The scorer: everything once, nothing lost; real metrics, mostly in this process, with the listener
faked.
"""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, TEXT, speech, with_noise
from voxgate.harness.audio import telephone
from voxgate.harness.audio.files import write_flac, write_wav
from voxgate.harness.audio.recording import read_recording
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics import signal_parity
from voxgate.harness.metrics.metric import MetricInput, Need
from voxgate.harness.metrics.registry import entry, full_version, known_metrics, select_metrics
from voxgate.harness.models.whisper_weights import WeightsFile
from voxgate.harness.records.measurement import (
    SNR_CEILING_DB,
    Missing,
    Value,
    lacks_package,
    not_installed,
)
from voxgate.harness.scoring import scorer, transcription
from voxgate.harness.scoring import task as audio_task
from voxgate.harness.scoring import tasks as wanted
from voxgate.harness.scoring.process_pool import Crashed, PoolBatch, run_batches
from voxgate.harness.scoring.scorer import UtteranceScores, score_quality
from voxgate.harness.scoring.task import AudioTask, Uncacheable
from voxgate.harness.scoring.tasks import AudioJob
from voxgate.harness.scoring.transcription import RecognizerOptions, Transcript, TranscriptionTask

WEIGHTS = WeightsFile(path=Path("whisper"), sha256="0" * 64)
QUICK = ("snr", "si_sdr", "stoi", "clicks")


def crash_on_stoi(tasks: Sequence[AudioTask]) -> Iterator[Value | Uncacheable]:
    for task, value in zip(tasks, audio_task.compute(tasks), strict=True):
        if task.metric == "stoi":
            os.kill(os.getpid(), signal.SIGSEGV)
        yield value


def hang_on_stoi(tasks: Sequence[AudioTask]) -> Iterator[Value | Uncacheable]:
    for task, value in zip(tasks, audio_task.compute(tasks), strict=True):
        if task.metric == "stoi":
            signal.pause()
        yield value


class Counted:
    """Stands for the child processes; works here and remembers what it was asked."""

    def __init__(self) -> None:
        self.tasks: list[AudioTask] = []
        self.files: list[Path] = []
        self.batches: list[PoolBatch[Any]] = []

    def run(self, batches: Sequence[PoolBatch[Any]], workers: int) -> Iterator[tuple[Any, Any]]:
        self.batches += batches
        for batch in batches:
            if isinstance(batch.pieces[0], TranscriptionTask):
                for task in batch.pieces:
                    self.files += task.files
                    yield (
                        task,
                        [
                            Transcript(
                                text="She told me her brother works in a hospital", judge="a parrot"
                            )
                        ]
                        * len(task.files),
                    )
            elif batch.kind != scorer.QUICK:  # which take seconds to load
                yield from ((task, Missing("asked for a model")) for task in batch.pieces)
            else:
                self.tasks += batch.pieces
                yield from zip(batch.pieces, batch.work(batch.pieces), strict=True)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    fake = Counted()
    monkeypatch.setattr(scorer, "run_batches", fake.run)
    monkeypatch.setattr(transcription, "locate_weights", lambda *_: WEIGHTS)
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


def scored(
    cache: Path, *jobs: AudioJob, names: Sequence[str] = QUICK, **options: Any
) -> dict[str, UtteranceScores]:
    """Scores some quick metrics, read against the golden audio too, and the words."""
    chosen_ones = [
        each.name
        for each in select_metrics((*names, "wer", "cer"), ())
        if entry(each.name).family != "speed"
    ]
    return score_quality(jobs, cache_dir=cache, metrics=chosen_ones, **options)


def test_every_quality_metric_that_applies_gets_a_value_and_a_version(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    found = score_quality(
        [job(audio["noisy"], reference=audio["clean"], golden=audio["noisy"])], cache_dir=tmp_path
    )["noisy"]
    needy = (
        Need.VOICE,
        Need.STATEMENT,
        Need.JOINS,
        Need.EMPHASIS,
        Need.MARKED,
        Need.UNMARKED,
        Need.SEGMENTS,
        Need.SOURCE,
        Need.CONVERSION,
        Need.ACCENT,
        Need.LL,
        Need.THETA,
        Need.CODA_S,
    )
    lines = [entry(each.name) for each in known_metrics()]
    due = {
        each.name
        for each in lines
        if each.family != "speed"
        and each.condition is None
        and (each.source is None or each.source.need not in needy)
    }
    assert set(found.values) == set(found.versions) == due
    assert found.values["snr"] == pytest.approx(20.0, abs=1e-4)
    assert found.values["golden_snr"] == SNR_CEILING_DB
    assert found.values["wer"] == 0.1
    assert found.versions["wer"].endswith("; a parrot")


def test_what_a_run_does_not_offer_is_no_gap(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    """
    A voice, a statement, joins and an emphasis have metrics of their own, which apply only where
    these are.
    """
    found = {
        name: set(
            scored(
                tmp_path,
                job(audio["clean"], **offer),
                names=("voice_similarity", "question_rise", "join_clicks"),
            )["clean"].values
        )
        for name, offer in {
            "nothing": {},
            "voice": {"voice": audio["clean"]},
            "statement": {"statement": audio["same"]},
            "joins": {"joins_s": (0.5,)},
            "no joins": {"joins_s": ()},
        }.items()
    }
    always = {"wer", "cer", "duration"}
    assert found == {
        "nothing": always,
        "voice": always | {"voice_similarity"},
        "statement": always | {"question_rise"},
        "joins": always | {"join_clicks"},
        "no joins": always,
    }


def test_a_statement_without_audio_is_a_gap(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    lost = Missing("there is no audio of it")
    assert (
        scored(tmp_path, job(audio["clean"], statement=lost), names=("question_rise",))[
            "clean"
        ].values["question_rise"]
        == lost
    )


def test_without_reference_or_golden_their_metrics_are_missing_and_the_rest_stands(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    values = scored(tmp_path, job(audio["clean"]))["clean"].values
    assert values["snr"] == Missing("the reference cell has no audio for this utterance")
    assert values["golden_stoi"] == Missing("there is no golden audio for this utterance")
    assert values["clicks"] == 0.0


def test_identical_audio_is_scored_once_whatever_its_name(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    jobs = [
        job(audio[name], reference=audio["clean"], golden=audio["clean"])
        for name in ("clean", "same")
    ]
    found = scored(tmp_path, *jobs)
    assert sorted(task.metric for task in counted.tasks) == [
        "clicks",
        "duration",
        "si_sdr",
        "snr",
        "stoi",
    ]
    assert len(counted.files) == 1
    assert found["clean"].values == found["same"].values


def test_metrics_of_one_audio_are_one_piece_of_work_and_those_with_models_another(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    score_quality([job(audio["noisy"], reference=audio["clean"])], cache_dir=tmp_path)
    kinds = {batch.kind: batch for batch in counted.batches}
    assert list(kinds) == ["listening", "speechmos", "Resemblyzer", ""]
    for kind in ("speechmos", "Resemblyzer", ""):
        heavy = {
            bool((source := entry(task.metric).source) and source.heavy)
            for task in kinds[kind].pieces
        }
        assert heavy == {kind != ""}


def test_a_second_run_computes_nothing_and_says_the_same(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    jobs = [
        job(audio["noisy"], reference=audio["clean"]),
        job(audio["silent"], reference=audio["clean"]),
    ]
    first = scored(tmp_path, *jobs)
    counted.tasks.clear()
    counted.files.clear()
    assert scored(tmp_path, *jobs) == first
    assert (counted.tasks, counted.files) == ([], [])


def test_a_new_metric_version_is_computed_anew(
    audio: dict[str, Path], counted: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    scored(tmp_path, job(audio["clean"]))
    counted.tasks.clear()
    monkeypatch.setattr(
        wanted, "full_version", lambda name: "next" if name == "clicks" else full_version(name)
    )
    scored(tmp_path, job(audio["clean"]))
    assert [task.metric for task in counted.tasks] == ["clicks"]


def test_a_new_text_is_scored_anew_by_the_metrics_that_read_it(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    names = ("clicks", "chars_per_s")
    scored(tmp_path, job(audio["clean"]), names=names)
    counted.tasks.clear()
    scored(tmp_path, job(audio["clean"], text="Another sentence."), names=names)
    assert [task.metric for task in counted.tasks] == ["chars_per_s"]


def test_another_reference_is_another_score(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    scored(tmp_path, job(audio["noisy"], reference=audio["clean"]))
    counted.tasks.clear()
    scored(tmp_path, job(audio["noisy"], reference=audio["noisy"]))
    assert sorted(task.metric for task in counted.tasks) == ["si_sdr", "snr", "stoi"]


def test_changed_audio_under_the_same_name_is_scored_again(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    before = scored(tmp_path, job(audio["noisy"], reference=audio["clean"]))["noisy"]
    audio["noisy"].write_bytes(audio["clean"].read_bytes())
    after = scored(tmp_path, job(audio["noisy"], reference=audio["clean"]))["noisy"]
    assert before.values["snr"] != after.values["snr"] == SNR_CEILING_DB


def test_a_file_that_is_absent_or_not_audio_costs_its_own_values_with_the_reason(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    (tmp_path / "text.wav").write_text("not audio")
    found = scored(
        tmp_path, job(tmp_path / "text.wav"), job(tmp_path / "absent.wav"), job(audio["clean"])
    )
    assert "cannot read audio" in reason(found["text"].values["duration"])
    assert "No such file" in reason(found["absent"].values["wer"])
    assert found["clean"].values["clicks"] == 0.0


def test_sample_rates_that_differ_are_missing(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    write_wav(tmp_path / "fast.wav", speech().astype(np.float32), 24_000)
    values = scored(tmp_path, job(tmp_path / "fast.wav", reference=audio["clean"]))["fast"].values
    assert values["snr"] == Missing("sample rates differ: 24000 Hz against 16000 Hz")


def test_without_weights_only_words_are_missing(
    audio: dict[str, Path], counted: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        transcription,
        "locate_weights",
        lambda *_: Missing("no Whisper weights on this machine: install them"),
    )
    found = scored(tmp_path, job(audio["noisy"], reference=audio["clean"]))["noisy"]
    for value in (found.values["wer"], found.values["cer"], found.words, found.transcript):
        assert value == Missing("no Whisper weights on this machine: install them")
    assert isinstance(found.values["stoi"], float)


def test_nobody_listens_where_no_metric_needs_it(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    found = score_quality([job(audio["clean"])], cache_dir=tmp_path, metrics=["clicks"])["clean"]
    assert (counted.files, set(found.values)) == ([], {"clicks"})
    assert found.transcript == Missing("nobody was asked to listen")


def test_explicit_weights_that_do_not_exist_are_refused_before_any_work(
    audio: dict[str, Path], tmp_path: Path
):
    options = RecognizerOptions(weights=tmp_path / "absent.pt")
    with pytest.raises(HarnessError, match=r"ASR weights .*absent.pt do not exist"):
        scored(tmp_path / "cache", job(audio["clean"]), judge=options)
    assert not (tmp_path / "cache").exists()


def test_under_a_condition_everything_is_read_as_it_is_heard_there(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    names = ["snr", "phone_snr", "loudness", "phone_loudness", "wer", "phone_wer"]
    found = score_quality(
        [job(audio["noisy"], reference=audio["clean"])], cache_dir=tmp_path, metrics=names
    )["noisy"]
    assert list(found.values) == [
        "snr",
        "phone_snr",
        "loudness",
        "phone_loudness",
        "wer",
        "phone_wer",
    ]
    heard = [telephone.line(read_recording(audio[name])) for name in ("noisy", "clean")]
    assert (
        found.values["phone_snr"]
        == signal_parity.snr(MetricInput(audio=heard[0], reference=heard[1]))
        != found.values["snr"]
    )
    assert found.versions["phone_loudness"] == f"{full_version('loudness')}; telephone 2"
    assert [
        task.condition
        for batch in counted.batches
        for task in batch.pieces
        if isinstance(task, TranscriptionTask)
    ] == [
        "",
        "telephone",
    ]


def test_progress_counts_up_to_what_had_to_be_computed(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    steps: list[tuple[int, int]] = []
    scored(
        tmp_path,
        job(audio["clean"]),
        names=("clicks",),
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_crash_of_one_metric_costs_one_value_and_is_not_remembered(
    audio: dict[str, Path], counted: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scorer, "run_batches", run_batches)
    monkeypatch.setattr(scorer, "compute", crash_on_stoi)
    values = without_words(tmp_path, audio)
    assert values["stoi"] == Missing("stoi crashed the process")
    assert all(isinstance(values[name], float) for name in ("snr", "si_sdr", "clicks"))
    monkeypatch.setattr(scorer, "run_batches", counted.run)
    monkeypatch.setattr(scorer, "compute", audio_task.compute)
    assert isinstance(without_words(tmp_path, audio)["stoi"], float)
    assert [task.metric for task in counted.tasks] == ["stoi"]


def test_a_hung_metric_costs_one_value(
    audio: dict[str, Path], counted: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scorer, "run_batches", run_batches)
    monkeypatch.setattr(scorer, "compute", hang_on_stoi)
    monkeypatch.setattr(scorer, "_limit_s", lambda _: 5.0)
    values = without_words(tmp_path, audio)
    assert values["stoi"] == Missing("stoi took longer than 5 s")
    assert all(isinstance(values[name], float) for name in ("snr", "si_sdr", "clicks"))


def without_words(cache: Path, audio: dict[str, Path]) -> dict[str, Value]:
    jobs = [job(audio["noisy"], reference=audio["clean"])]
    return dict(score_quality(jobs, cache_dir=cache, metrics=QUICK)["noisy"].values)


def test_a_recogniser_that_dies_costs_its_words(
    audio: dict[str, Path], counted: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def dying(batches: Sequence[PoolBatch[Any]], workers: int) -> Iterator[tuple[Any, Any]]:
        for piece, result in counted.run(batches, workers):
            yield piece, Crashed() if isinstance(piece, TranscriptionTask) else result

    monkeypatch.setattr(scorer, "run_batches", dying)
    values = scored(tmp_path, job(audio["clean"]))["clean"].values
    assert values["wer"] == Missing(
        "the speech recogniser crashed the process; is there memory for it?"
    )
    assert values["clicks"] == 0.0


def test_a_package_that_is_not_installed_is_said_and_not_remembered(
    audio: dict[str, Path], counted: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(wanted, "installed", lambda package: "")
    values = scored(tmp_path, job(audio["noisy"], reference=audio["clean"]))["noisy"].values
    assert values["stoi"] == not_installed("pystoi", "pip install voxgate[models]")
    monkeypatch.undo()
    monkeypatch.setattr(scorer, "run_batches", counted.run)
    monkeypatch.setattr(transcription, "locate_weights", lambda *_: WEIGHTS)
    assert isinstance(
        scored(tmp_path, job(audio["noisy"], reference=audio["clean"]))["noisy"].values["stoi"],
        float,
    )


def test_values_can_be_written_as_strict_json(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    for found in scored(
        tmp_path, *(job(audio[name], reference=audio["clean"]) for name in audio)
    ).values():
        json.dumps({n: v for n, v in found.values.items() if isinstance(v, float)}, allow_nan=False)


def reason(value: Value) -> str:
    assert isinstance(value, Missing), value
    return value.reason


def test_accepted_audio_that_is_the_references_own_is_not_compared_twice(
    audio: dict[str, Path], counted: Counted, tmp_path: Path
):
    """As flac, which rounds it, it has other bytes."""
    write_flac(tmp_path / "golden.flac", speech().astype(np.float32), RATE_HZ)
    found = scored(
        tmp_path, job(audio["noisy"], reference=audio["clean"], golden=tmp_path / "golden.flac")
    )["noisy"]
    assert sorted(task.metric for task in counted.tasks) == [
        "clicks",
        "duration",
        "si_sdr",
        "snr",
        "stoi",
    ]
    assert found.values["golden_stoi"] == found.values["stoi"]
    counted.tasks.clear()
    scored(tmp_path, job(audio["noisy"], reference=audio["clean"], golden=audio["silent"]))
    assert sorted(task.metric for task in counted.tasks) == ["si_sdr", "snr", "stoi"]


@pytest.mark.parametrize("name", ["mcd_dtw", "golden_mcd_dtw"])
def test_what_is_no_reference_is_another_take_all_the_same(name: str, tmp_path: Path) -> None:
    """An engine that samples: parity has no value, and a metric between takes is computed."""
    first, differs = tmp_path / "first.wav", Missing("takes differ")
    job = AudioJob(
        key="a",
        utterance="a",
        path=tmp_path / "other.wav",
        text=TEXT,
        reference=differs,
        golden=differs,
        take=first,
        golden_take=first,
    )
    tasks = wanted.tasks_of(job, [name, "snr"])

    assert tasks["snr"] == differs
    task = tasks[name]
    assert isinstance(task, AudioTask) or lacks_package(task)
    assert not isinstance(task, AudioTask) or task.reference == first


def test_a_reference_is_another_take_too(tmp_path: Path) -> None:
    first = tmp_path / "first.wav"
    job = AudioJob(key="a", utterance="a", path=tmp_path / "other.wav", text=TEXT, reference=first)
    task = wanted.tasks_of(job, ["wow"])["wow"]

    assert lacks_package(task) or task.reference == first
