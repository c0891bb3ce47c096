"""voxgate.engine.pipelines.flow on the tiny random voice."""

import contextlib

import numpy as np
import pytest
import torch

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.flow import STAGES, initial_noise

TEXT = "Hello there, how are you today?"
LONG = " ".join(f"This is sentence number {n}, and it says nothing new." for n in range(40))


def test_the_same_seed_gives_bit_identical_audio(make_pipeline):
    a, b = make_pipeline(seed=3).synthesize(TEXT), make_pipeline(seed=3).synthesize(TEXT)

    assert a.dtype == np.float32 and a.size > SAMPLE_RATE_HZ // 4
    assert np.array_equal(a, b)


def test_another_seed_gives_other_audio_of_the_same_length(make_pipeline):
    pipeline = make_pipeline()
    a, b = pipeline.synthesize(TEXT, {"seed": 1}), pipeline.synthesize(TEXT, {"seed": 2})

    assert a.shape == b.shape and not np.array_equal(a, b)


def test_precision_changes_the_arithmetic_and_not_the_length(make_pipeline):
    full, half = make_pipeline().synthesize(TEXT), make_pipeline(precision="bf16").synthesize(TEXT)

    assert full.shape == half.shape and not np.array_equal(full, half)


def test_the_stream_concatenated_is_the_whole(make_pipeline):
    pipeline = make_pipeline()
    pieces = list(pipeline.stream(LONG))

    assert len(pieces) > 10
    assert np.array_equal(np.concatenate(pieces), pipeline.synthesize(LONG))


def test_two_thousand_characters_work(make_pipeline):
    assert len(LONG) >= 1900

    assert make_pipeline(nfe_steps=1).synthesize(LONG).size > 30 * SAMPLE_RATE_HZ


ODD = [
    "😀 hello 😀",
    "see https://example.com/a?b=1",
    "привет hello 世界",
    "3.14159 and 1,000,000",
    "a",
]


@pytest.mark.parametrize("text", ODD)
def test_odd_text_speaks(make_pipeline, text):
    audio = make_pipeline(nfe_steps=1).synthesize(text)

    assert np.isfinite(audio).all() and audio.size


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "empty"), ("   ", "empty"), ("😀", "can be spoken"), ("x" * 5001, "5001 characters")],
)
def test_text_that_cannot_be_spoken_is_refused(make_pipeline, text, words):
    with pytest.raises(EngineError, match=words):
        make_pipeline().synthesize(text)


def test_a_request_sets_only_what_needs_no_loading(make_pipeline):
    words = (
        "nfe_steps cannot be set for one request; "
        "only speed, seed, reference, reference_text, region, speaker can"
    )
    with pytest.raises(EngineError, match=words):
        make_pipeline().synthesize(TEXT, {"nfe_steps": 2})


def test_speed_shortens_the_audio(make_pipeline):
    pipeline = make_pipeline()
    slow, fast = (
        pipeline.synthesize(TEXT, {"speed": 0.7}),
        pipeline.synthesize(TEXT, {"speed": 1.4}),
    )

    assert fast.size < slow.size


def test_every_stage_is_watched(make_pipeline):
    seen = []

    def watch(stage):
        seen.append(stage)
        return contextlib.nullcontext()

    make_pipeline().synthesize("Hello.", watch=watch)

    assert tuple(seen) == STAGES


def test_noise_depends_on_seed_and_chunk_alone():
    a, b, c = initial_noise(1, 0, 9, 4), initial_noise(1, 0, 9, 4), initial_noise(1, 1, 9, 4)

    assert torch.equal(a, b) and not torch.equal(a, c)
    assert a.dtype is torch.float32 and a.device.type == "cpu"


def test_guidance_of_zero_leaves_the_untold_half_out(make_pipeline):
    batches = []
    pipeline = make_pipeline(cfg_strength=0.0)
    inner = pipeline.acoustic
    pipeline.acoustic = lambda *args: (batches.append(args[0].shape[0]), inner(*args))[1]

    pipeline.synthesize("Hello.")

    assert set(batches) == {1}
