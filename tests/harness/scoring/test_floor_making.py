"""How a floor is made: of recordings or by flite, by the scorer that scores runs."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from voxgate.harness.audio.files import read_audio, write_wav
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.word_errors import char_errors, word_errors
from voxgate.harness.records.measurement import Missing
from voxgate.harness.scoring import score_run
from voxgate.harness.scoring.asr_floor import floor_path, load_floor, make_floor
from voxgate.harness.scoring.scorer import AudioJob, UtteranceScores
from voxgate.harness.scoring.transcription import RecognizerOptions
from voxgate.harness.suite.workload import known_workloads, load_workload

WORKLOAD = """\
[[request]]
id = "a"
text = "The cat sat on the mat."

[[request]]
id = "b"
text = "It did not rain."
speaker = "rms"
"""


class Scorer:
    """Hears "the cat sat" in everything, or nothing at all; remembers the jobs."""

    def __init__(self, heard: str | Missing = "the cat sat") -> None:
        self.heard = heard
        self.jobs: Sequence[AudioJob] = ()

    def __call__(self, jobs: Sequence[AudioJob], **options: object) -> dict[str, UtteranceScores]:
        self.jobs, self.options = jobs, options
        self.samples = {job.key: len(read_audio(job.path)[0]) for job in jobs}
        return {job.key: self._scores(job) for job in jobs}

    def _scores(self, job: AudioJob) -> UtteranceScores:
        heard = self.heard
        lost = isinstance(heard, Missing)
        return UtteranceScores(
            key=job.key,
            utterance=job.utterance,
            values={"wer": 0.0, "cer": 0.0},
            versions={"wer": "1; an ear", "cer": "1; an ear"},
            words=heard if isinstance(heard, Missing) else word_errors(job.text, heard),
            chars=heard if isinstance(heard, Missing) else char_errors(job.text, heard),
            transcript=Missing("deaf") if lost else heard,
        )


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch) -> Scorer:
    scorer = Scorer()
    monkeypatch.setattr(score_run, "score_quality", scorer)
    return scorer


@pytest.fixture
def workload(tmp_path: Path) -> str:
    path = tmp_path / "w.toml"
    path.write_text(WORKLOAD, encoding="utf-8")
    return str(path)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "readers"
    folder.mkdir()
    for number, name in enumerate("ab", start=1):
        write_wav(folder / f"{name}.wav", np.zeros(1000 * number, np.float32), 16_000)
    return folder


def test_the_floor_of_recordings_counts_what_the_scorer_heard(
    scorer: Scorer, workload: str, recordings: Path
):
    path, floor = make_floor(workload, recordings)
    assert path == Path(workload).with_suffix(".floor.json")
    assert load_floor(path) == floor
    assert (floor.speaker, floor.versions["wer"]) == ("readers", "1; an ear")
    assert [
        (each.words.errors, each.words.reference_words) for each in floor.utterances.values()
    ] == [(3, 6), (4, 4)]
    assert {each.heard for each in floor.utterances.values()} == {"the cat sat"}
    assert scorer.samples == {"a": 1000, "b": 2000}


def test_the_speaker_of_recordings_can_be_named(scorer: Scorer, workload: str, recordings: Path):
    assert make_floor(workload, recordings, "three readers")[1].speaker == "three readers"


def test_the_judge_can_be_chosen(scorer: Scorer, workload: str, recordings: Path):
    make_floor(workload, recordings)
    assert scorer.options["judge"] == RecognizerOptions()
    make_floor(workload, recordings, judge="faster-whisper")
    assert scorer.options["judge"] == RecognizerOptions(engine="faster-whisper")


def test_each_request_needs_one_recording(scorer: Scorer, workload: str, recordings: Path):
    (recordings / "a.flac").write_bytes(b"")
    with pytest.raises(
        HarnessError, match=r"holds several recordings of a; it needs one file a\.wav or \.flac"
    ):
        make_floor(workload, recordings)
    (recordings / "a.flac").unlink()
    (recordings / "b.wav").unlink()
    with pytest.raises(HarnessError, match="holds no recording of b"):
        make_floor(workload, recordings)


def test_what_nobody_heard_has_no_floor(scorer: Scorer, workload: str, recordings: Path):
    scorer.heard = Missing("no Whisper weights")
    with pytest.raises(HarnessError, match="there can be no floor: a has no value: deaf"):
        make_floor(workload, recordings)
    assert not floor_path(workload).exists()


def test_flite_is_not_asked_to_speak_spanish(scorer: Scorer, tmp_path: Path):
    path = tmp_path / "w.toml"
    path.write_text('[[request]]\nid = "a"\ntext = "hola"\nlanguage = "es"\n', encoding="utf-8")
    with pytest.raises(
        HarnessError, match="flite speaks English only, and a is not English; give --recordings"
    ):
        make_floor(str(path))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_flite_speaks_each_request_with_its_voice(scorer: Scorer, workload: str):
    _, floor = make_floor(workload)
    assert floor.speaker.startswith("flite 2")
    assert floor.speaker.endswith("(rms, slt)")
    assert min(scorer.samples.values()) > 8000


@pytest.mark.parametrize("name", [name for name in known_workloads() if floor_path(name).is_file()])
def test_a_shipped_floor_holds_the_texts_of_its_workload(name: str):
    floor = load_floor(floor_path(name))
    assert floor is not None
    assert floor.workload == name
    assert {each.id: each.text for each in load_workload(name).requests} == {
        n: e.text for n, e in floor.utterances.items()
    }


def test_the_workloads_of_everyday_sentences_have_floors():
    assert all(floor_path(name).is_file() for name in ("smoke", "everyday-short", "everyday-200"))


def test_a_speaker_without_recordings_is_not_ignored(scorer: Scorer, workload: str):
    with pytest.raises(HarnessError, match="--speaker says who speaks in --recordings"):
        make_floor(workload, None, "the queen")
