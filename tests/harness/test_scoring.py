"""Which audio is held against which."""

from pathlib import Path

import numpy as np
import pytest

from harness import scoring
from harness.audio_io import write_wav
from harness.baseline import NO_GOLDEN
from harness.measurement import Missing
from harness.metrics.intelligibility import ErrorCounts
from harness.metrics.score import UtteranceScores
from harness.scoring import audio_jobs, default_cache_dir, score_run
from tests.harness.judging import REQUESTS, good_run, with_audio


def run_with_audio(tmp_path: Path):
    run = with_audio(good_run(tmp_path))
    folder = tmp_path / "audio/nfe-8"
    folder.mkdir()
    for request in REQUESTS:
        write_wav(folder / f"{request}.wav", np.full(800, 0.5, dtype=np.float32), 16_000)
    return run


def test_every_cell_is_held_against_the_reference_cell_and_the_golden_audio(tmp_path: Path) -> None:
    golden = tmp_path / "golden"
    golden.mkdir()
    (golden / "u01.flac").write_bytes(b"x")
    jobs = audio_jobs(run_with_audio(tmp_path), golden)
    assert len(jobs) == 2 * len(REQUESTS)
    job = jobs["nfe-8", "u01"]
    assert (job.path, job.reference) == (tmp_path / "audio/nfe-8/u01.wav", tmp_path / "audio/nfe-32/u01.wav")
    assert (job.golden, job.text) == (golden / "u01.flac", "text u01")
    assert jobs["nfe-8", "u02"].golden is None
    assert jobs["nfe-32", "u02"].reference == jobs["nfe-32", "u02"].path


def test_scores_become_values_with_words_and_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(jobs, **_):
        def score(job):
            heard = job.utterance == "u02"
            words = ErrorCounts(errors=1, reference_words=4) if heard else Missing("unreadable")
            return UtteranceScores(
                key=job.key,
                utterance=job.utterance,
                values={"wer": 0.25 if heard else Missing("unreadable"), "golden_snr": Missing("none")},
                versions={"wer": "1; tiny.en" if heard else "1", "golden_snr": "1"},
                words=words,
                chars=words,
                transcript="",
            )

        return {job.key: score(job) for job in jobs}

    monkeypatch.setattr(scoring, "score_quality", fake)
    found = score_run(run_with_audio(tmp_path), tmp_path / "golden", cache_dir=tmp_path)
    assert found.values["nfe-8", "u02"] == {"wer": 0.25, "wer_words": 4.0, "cer_chars": 4.0, "golden_snr": NO_GOLDEN}
    assert found.values["nfe-8", "u01"]["wer_words"] == Missing("unreadable")
    assert found.versions == {"wer": "1; tiny.en", "golden_snr": "1"}


def test_the_cache_stands_where_the_user_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "voxgate"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_dir() == Path.home() / ".cache/voxgate"
