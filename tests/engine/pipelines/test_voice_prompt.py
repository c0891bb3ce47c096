"""The `flow` pipeline with a reference recording, on the tiny random voice."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from voxgate.engine.acoustic.guidance import CFGVelocity, with_prompt
from voxgate.engine.alphabet import PHONES, SAMPLE_RATE_HZ, SPEAKERS
from voxgate.engine.duration.alignment import EDGE_SILENCE_FRAMES
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines import voice_prompt as prompt
from voxgate.engine.pipelines.voice_prompt import encode
from voxgate.engine.text.frontend import phonemise

VOICES = Path(__file__).parents[3] / "harness" / "workloads" / "voices"
RECORDING = Path(__file__).parents[2] / "data" / "slt.flac"
SAYS = "She told me that her brother works in a hospital."
TEXT = "Hello there."
REFERENCE = {"reference": str(RECORDING), "reference_text": SAYS}


@pytest.fixture(autouse=True)
def _any_pace(monkeypatch):
    """
    The tiny voice has random durations, whose pace says little; they are checked for what they are
    for once.
    """
    monkeypatch.setattr(prompt, "SLOWEST", 0.2)


def _prompt(pipeline, text=SAYS, speaker="slt", content=None):
    return encode(pipeline.voice, pipeline.device, content or RECORDING.read_bytes(), text, speaker)


def test_the_recording_changes_what_is_said_and_not_how_long_it_lasts(make_pipeline):
    plain, prompted = make_pipeline().synthesize(TEXT), make_pipeline(**REFERENCE).synthesize(TEXT)

    assert plain.shape == prompted.shape
    assert not np.allclose(plain, prompted, atol=1e-3)
    assert np.isfinite(prompted).all()


def test_the_same_recording_and_seed_give_bit_identical_audio(make_pipeline):
    pipeline = make_pipeline(**REFERENCE)

    assert np.array_equal(pipeline.synthesize(TEXT), pipeline.synthesize(TEXT))
    assert np.array_equal(pipeline.synthesize(TEXT), make_pipeline().synthesize(TEXT, REFERENCE))


def test_the_prompt_says_its_text_over_all_its_frames(make_pipeline):
    prompt = _prompt(make_pipeline(), speaker="rms")
    told = torch.unique_consecutive(prompt.frames.phone[0]).tolist()
    wanted = torch.unique_consecutive(torch.tensor(phonemise(SAYS)[0].phones)).tolist()

    assert told == wanted
    assert prompt.frames.phone.shape == (1, len(prompt.mel))
    assert set(prompt.frames.speaker[0].tolist()) == {SPEAKERS.index("rms") + 1}
    assert set(prompt.frames.question[0].tolist()) == {1}


def test_silence_stands_at_both_ends_of_the_prompt_and_speech_between(make_pipeline):
    pipeline = make_pipeline()
    log = _prompt(pipeline).mel * pipeline.voice.mel_std + pipeline.voice.mel_mean
    inner = EDGE_SILENCE_FRAMES - 2  # the window of the outermost frames hears the speech

    assert log[:inner].max() < -9.0 and log[-inner:].max() < -9.0
    assert log[inner:-inner].max() > 0.0


def test_level_and_rate_of_the_recording_make_no_difference(make_pipeline, tmp_path):
    pipeline = make_pipeline()
    audio, rate_hz = soundfile.read(RECORDING)
    soundfile.write(tmp_path / "quiet.wav", 0.1 * audio, rate_hz, subtype="FLOAT")

    quiet = _prompt(pipeline, content=(tmp_path / "quiet.wav").read_bytes())

    assert torch.allclose(quiet.mel, _prompt(pipeline).mel, atol=1e-3)
    assert torch.equal(quiet.frames.phone, _prompt(pipeline).frames.phone)


def test_a_text_of_two_sentences_and_a_question_is_told_in_one_row(make_pipeline):
    prompt = _prompt(make_pipeline(), text="She told me. Her brother works in a hospital?")

    assert set(prompt.frames.question[0].tolist()) == {1, 2}
    assert prompt.frames.phone[0, -1] == PHONES.index("pau")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "Yes.",
            r"takes about 0\.\d s to say, and the recording holds 2\.\d s of sound; give exactly "
            r"the words",
        ),
        (" ".join([SAYS] * 8), r"takes about \d+\.\d s to say"),
        ("😀", "can be spoken"),
    ],
)
def test_a_text_that_is_not_the_recordings_is_refused(make_pipeline, text, words):
    with pytest.raises(EngineError, match=f"slt.flac: .*{words}"):
        make_pipeline(reference=str(RECORDING), reference_text=text)


def test_a_recording_that_is_not_there_is_refused_when_loading(make_pipeline):
    with pytest.raises(EngineError, match=r"reference none.wav cannot be read"):
        make_pipeline(reference="none.wav", reference_text="Hello.")


def test_the_text_beside_the_recording_is_read_and_a_request_brings_its_own(
    make_pipeline, tmp_path
):
    shutil.copyfile(RECORDING, tmp_path / "own.flac")
    (tmp_path / "own.txt").write_text(SAYS)
    pipeline = make_pipeline(
        reference=str(RECORDING), reference_text="He told me that her brother works in a hospital."
    )

    by_file = pipeline.synthesize(TEXT, {"reference": str(tmp_path / "own.flac")})

    assert np.array_equal(by_file, make_pipeline(**REFERENCE).synthesize(TEXT))
    assert not np.array_equal(by_file, pipeline.synthesize(TEXT))


def test_a_request_can_do_without_the_recording(make_pipeline):
    pipeline = make_pipeline(**REFERENCE)

    assert np.array_equal(
        pipeline.synthesize(TEXT, {"reference": ""}), make_pipeline().synthesize(TEXT)
    )


def test_the_stream_concatenated_is_the_whole_with_a_recording_too(make_pipeline):
    pipeline = make_pipeline(nfe_steps=1, **REFERENCE)
    text = "This is one sentence, and it says nothing new. " * 4

    assert np.array_equal(np.concatenate(list(pipeline.stream(text))), pipeline.synthesize(text))
    assert pipeline.synthesize(text).size > 3 * SAMPLE_RATE_HZ


@pytest.mark.parametrize("seconds", [1, 2, 4, 8])
def test_the_shipped_cuts_are_references_of_their_length_with_their_text(make_pipeline, seconds):
    path = VOICES / f"slt-{seconds}s.flac"

    assert soundfile.info(path).duration == pytest.approx(seconds, rel=0.3)
    assert np.isfinite(make_pipeline(nfe_steps=1, reference=str(path)).synthesize(TEXT)).all()


def test_each_told_row_knows_its_own_recording_and_the_untold_rows_none():
    """Two chunks that are spoken together, the second without a recording; told rows first."""
    guided = CFGVelocity(
        forward=lambda *_: torch.empty(0),
        text=torch.zeros(4, 9, 5),
        prompt_mel=torch.zeros(4, 9, 3),
        strength=1.0,
    )

    prompt_mel = with_prompt(guided, torch.ones(6, 3), None).prompt_mel

    assert (
        prompt_mel[0, :6].eq(1.0).all() and not prompt_mel[0, 6:].any() and not prompt_mel[1:].any()
    )
    assert with_prompt(guided, None, None) is guided
