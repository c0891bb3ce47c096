"""A folder of recordings is a run, whose cells hold the same audio."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.harness.fake_runs import CELLS, make_run, steady
from tests.harness.metrics.speech import RATE_HZ, TEXT, speech
from voxgate.harness.audio.files import read_audio, write_flac, write_wav
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.policy import load_policy, shown_metrics
from voxgate.harness.records.run import Run
from voxgate.harness.scoring.score_run import RunScores
from voxgate.harness.selftest.quality import verdicts_of
from voxgate.harness.selftest.quality_result import Compares, MetricColumn
from voxgate.harness.selftest.specimens import EVERY, Kind, Specimen, sounds_of, speeches_of
from voxgate.harness.selftest.speech_sources import FaultlessRun, recordings_run

TEXTS = f"""
[[request]]
id = "slt"
text = "{TEXT}"

[[request]]
id = "half"
text = "She told me"
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recorded"
    folder.mkdir()
    (folder / "texts.toml").write_text(TEXTS)
    write_wav(folder / "slt.wav", speech().astype(np.float32), RATE_HZ)
    write_flac(folder / "half.flac", speech().astype(np.float32)[: RATE_HZ // 2], RATE_HZ)
    return folder


@pytest.fixture(name="like")
def _like() -> Run:
    return make_run({cell.slug: steady(0.1, processes=1) for cell in CELLS})


def test_reference_and_cell_are_the_recordings_themselves(
    folder: Path, like: Run, tmp_path: Path
) -> None:
    run = recordings_run(folder, like, tmp_path / "questions")
    assert run.reference == "take-recorded"
    assert [cell.slug for cell in run.cells] == ["take-recorded", "take-again"]
    assert sounds_of(run, "take-again") == sounds_of(run, "take-recorded")
    sounds = sounds_of(run, "take-again")
    assert (sounds["slt"].file, sounds["half"].file) == (folder / "slt.wav", folder / "half.flac")
    assert sounds["half"].audio_s == pytest.approx(0.5)
    assert (run.environment, run.created) == (like.environment, like.created)


def test_a_statement_is_made_a_question_in_the_same_words(
    folder: Path, like: Run, tmp_path: Path
) -> None:
    pytest.importorskip("pyworld")
    run = recordings_run(folder, like, tmp_path / "questions")
    (asked,) = (request for request in run.cells[0].workload.requests if request.statement)
    assert (asked.id, asked.statement, asked.text) == ("slt-asked", "slt", TEXT[:-1] + "?")
    risen, _ = read_audio(sounds_of(run, run.reference)["slt-asked"].file)
    assert len(risen) == pytest.approx(len(speech()), abs=0.01 * RATE_HZ)


def test_texts_that_hold_pairs_get_no_more_questions(
    folder: Path, like: Run, tmp_path: Path
) -> None:
    (folder / "texts.toml").write_text(f'{TEXTS}statement = "slt"\n')
    run = recordings_run(folder, like, tmp_path / "questions")
    assert [request.id for request in run.cells[0].workload.requests] == ["slt", "half"]


def test_without_pyworld_there_are_no_questions(folder, like, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyworld", None)
    run = recordings_run(folder, like, tmp_path / "questions")
    assert [request.id for request in run.cells[0].workload.requests] == ["slt", "half"]


def test_a_folder_without_texts_or_without_a_recording_is_refused(
    folder: Path, like: Run, tmp_path: Path
) -> None:
    (folder / "half.flac").unlink()
    with pytest.raises(HarnessError, match="holds no recording of half"):
        recordings_run(folder, like, tmp_path / "questions")
    with pytest.raises(HarnessError, match="unknown workload"):
        recordings_run(tmp_path, like, tmp_path / "questions")


def test_every_utterance_knows_another_one_of_its_speaker(
    folder: Path, like: Run, tmp_path: Path
) -> None:
    run = recordings_run(folder, like, tmp_path / "questions")
    slt, half = (speeches_of(run, run.reference)[name] for name in ("slt", "half"))
    assert np.array_equal(slt.other, half.audio), "and not the same words, asked"
    assert half.other is not None and len(half.other) > len(half.audio)


def test_metrics_between_takes_are_held_against_another_take(
    folder: Path, like: Run, tmp_path: Path
) -> None:
    pytest.importorskip("pyworld")
    run = recordings_run(folder, like, tmp_path / "questions")
    ground = FaultlessRun(
        audio="recordings", run=run, cell=run.cells[1], folder=tmp_path / "faults", clean={}
    )
    heard: list[tuple[tuple[str, ...], Path]] = []

    def score(many: Run) -> RunScores:
        heard.append((many.metrics, sounds_of(many, many.reference)["slt"].file))
        return RunScores(values={}, versions={})

    specimen = Specimen(
        fault="no fault",
        strength="judged again",
        kind=Kind.HARMLESS,
        extent=EVERY,
        base=run.cells[1].slug,
        sounds=sounds_of(run, run.cells[1].slug),
    )
    columns = [
        MetricColumn(metric=name, family="f", blocks=True, compares=compares)
        for name, compares in (("snr", Compares.PERFORMANCES), ("mcd", Compares.TAKES))
    ]
    policy = load_policy(Path("none"), shown_metrics())
    (verdicts,) = verdicts_of(ground, [specimen], policy, columns, score)
    assert {"snr", "mcd"} <= {each.metric for each in verdicts}
    (both, same), (takes, other) = heard
    assert (both, takes) == (("snr", "mcd"), ("mcd",))
    assert same == folder / "slt.wav" and other != same
    lengths = [len(read_audio(file)[0]) for file in (same, other)]
    assert 0.005 < abs(lengths[1] / lengths[0] - 1.0) < 0.15
