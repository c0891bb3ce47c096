"""
Chunks of a text: their size, the first one, several in one pass; and several texts in one pass.
"""

import contextlib

import numpy as np
import pytest
import torch

from voxgate.engine.acoustic import batched
from voxgate.engine.acoustic.batched import frame_mask, pad
from voxgate.engine.config import parse_options
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines import flow
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.text.english.normalise import normalise
from voxgate.engine.text.frontend import phonemise
from voxgate.engine.text.segment import characters, segment

TOLERANCE = 1e-4
"""Of full scale, fp32, for the tiny voice."""
PROMISED = 1e-3
"""
Of any voice: strong guidance and many steps blow rounding up (NFE 32 at strength 2 was seen to
reach 4e-4).
"""
LONG = (
    "The last bus leaves in 5 minutes, so hurry up. Have you ever been to the mountains in winter? "
    "He cut the bread into thick slices, put the butter on the table, and called the children in "
    "from the garden to eat.\n\n"
    "Well, that was all."
)
TEXTS = (
    "Hello.",
    LONG,
    "One, two, three, four.",
    "Is it? It is! " * 9,
    "No comma and no full stop " * 12,
)
SIZES = ({}, {"chunk_characters": 80}, {"chunk_characters": 200}, {"first_chunk_characters": 20})
MORE = (
    {"chunk_characters": 120, "first_chunk_characters": 45},
    {"batch": 3},
    {"batch": 2, "first_chunk_characters": 30},
)


def largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float(np.abs(one - other).max())


@pytest.mark.parametrize("sizes", [*SIZES, *MORE], ids=str)
def test_the_stream_concatenated_is_the_whole_to_the_bit(make_pipeline, sizes):
    pipeline = make_pipeline(nfe_steps=2, **sizes)
    for text in TEXTS:
        assert np.array_equal(
            np.concatenate(list(pipeline.stream(text))), pipeline.synthesize(text)
        )


def test_the_defaults_cut_as_ever(make_pipeline):
    pipeline, spoken = make_pipeline(nfe_steps=1), []
    pipeline.voice.durations.register_forward_pre_hook(
        lambda _module, inputs: spoken.append(tuple(inputs[0][0].tolist()))
    )
    pipeline.synthesize(LONG)

    assert spoken == [chunk.phones for chunk in phonemise(LONG, max_characters=90)]


@pytest.mark.parametrize("first", [20, 33, 60, 90, 200])
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_short_first_chunk_loses_nothing_and_leaves_the_rest_to_the_rule(text, first):
    tokens = normalise(text).tokens
    chunks = segment(tokens, max_characters=100, first_characters=first)

    assert [token for chunk in chunks for token in chunk] == list(tokens)
    assert characters(chunks[0]) <= min(first, 100)
    assert chunks[1:] == segment(tokens[len(chunks[0]) :], max_characters=100)


def test_the_first_chunk_ends_where_a_speaker_would_pause_if_it_can():
    assert phonemise(LONG, max_characters=90, first_characters=45)[0].text.endswith("minutes,")
    assert (
        phonemise("Yes. And now the long rest of it.", max_characters=90, first_characters=20)[
            0
        ].text
        == "yes."
    )


def test_words_are_never_cut_for_the_first_chunk():
    long_word = "a" * 35

    assert (
        phonemise(f"{long_word} {long_word} end", max_characters=90, first_characters=20)[0].text
        == long_word
    )
    assert len(phonemise(long_word, max_characters=90, first_characters=20)) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"chunk_characters": 79},
            "chunk_characters must be a whole number from 80 to 200, not 79",
        ),
        ({"chunk_characters": 201}, "not 201"),
        ({"first_chunk_characters": 19}, "first_chunk_characters is 0 or from 20 to 200, not 19"),
        ({"first_chunk_characters": -1}, "not -1"),
        ({"batch": 65}, "batch must be a whole number from 0 to 64, not 65"),
        ({"batch": 1.5}, "not 1.5"),
    ],
)
def test_sizes_out_of_range_are_refused(options, words):
    with pytest.raises(EngineError, match=words):
        parse_options(options)


def test_a_short_first_chunk_is_heard_before_anything_else_is_made(make_pipeline):
    stages = []

    def watch(stage):
        stages.append(stage)
        return contextlib.nullcontext()

    for options, chunks in (({"batch": 4, "first_chunk_characters": 30}, 1), ({"batch": 2}, 2)):
        stages.clear()
        next(make_pipeline(nfe_steps=1, **options).stream(LONG, watch=watch))
        assert stages == ["text", *["content"] * chunks, "acoustic", "vocoder", "post"]


@pytest.mark.parametrize(
    "options", [{}, {"cfg_strength": 0.0}, {"solver": "heun", "nfe_steps": 3}], ids=str
)
def test_chunks_in_one_pass_sound_as_one_by_one(make_pipeline, options):
    alone = make_pipeline(**options).synthesize(LONG)

    assert largest_difference(make_pipeline(batch=3, **options).synthesize(LONG), alone) < TOLERANCE


def test_texts_in_one_pass_sound_as_one_by_one(make_pipeline):
    pipeline = make_pipeline()
    options = [
        {"seed": 3},
        {"speaker": "awb"},
        {"speed": 1.5},
        {},
        {"speaker": "rms", "speed": 0.7},
    ]
    together_audio = pipeline.synthesize_batch(TEXTS, options)

    for text, asked, audio in zip(TEXTS, options, together_audio, strict=True):
        assert audio.dtype == np.float32
        assert largest_difference(audio, pipeline.synthesize(text, asked)) < TOLERANCE


def test_what_is_spoken_beside_a_text_changes_nothing(make_pipeline):
    pipeline = make_pipeline()
    beside = [pipeline.synthesize_batch(["Hello there.", other])[0] for other in ("Hi.", LONG)]

    assert largest_difference(*beside) < TOLERANCE


def test_one_text_is_spoken_to_the_bit_as_ever(make_pipeline):
    pipeline = make_pipeline()

    assert np.array_equal(
        pipeline.synthesize_batch(["Hello there."])[0], pipeline.synthesize("Hello there.")
    )


def test_nothing_is_spoken_for_nothing(make_pipeline):
    assert make_pipeline().synthesize_batch([]) == []


def test_options_must_match_the_texts(make_pipeline):
    with pytest.raises(EngineError, match="2 texts were given and options for 1"):
        make_pipeline().synthesize_batch(["One.", "Two."], [{}])
    with pytest.raises(EngineError, match="nfe_steps cannot be set for one request"):
        make_pipeline().synthesize_batch(["One."], [{"nfe_steps": 2}])
    with pytest.raises(EngineError, match="the text is empty"):
        make_pipeline().synthesize_batch(["One.", " "])


def test_a_text_that_does_not_fit_beside_others_is_spoken_alone(make_pipeline):
    pipeline, rows = make_pipeline(cfg_strength=0.0), []
    inner, pipeline.padded_frames = pipeline.acoustic, 1
    pipeline.acoustic = lambda *args: (rows.append(args[0].shape[0]), inner(*args))[1]
    pipeline.synthesize_batch(["One.", "Two."])

    assert set(rows) == {1}


def test_memory_chooses_the_batch(make_pipeline, monkeypatch):
    monkeypatch.setattr(flow, "free_bytes", lambda device: 1 << 60)
    assert make_pipeline(batch=0).config.batch == 64
    monkeypatch.setattr(flow, "free_bytes", lambda device: 0)
    assert make_pipeline(batch=0).config.batch == 1


def test_padding_and_its_mask():
    short, long = torch.ones(1, 2, 3), torch.ones(1, 4, 3)

    assert pad([short, long]).sum(dim=2).tolist() == [[3, 3, 0, 0], [3, 3, 3, 3]]
    assert frame_mask([2, 4], torch.device("cpu")).tolist() == [
        [True, True, False, False],
        [True] * 4,
    ]
    assert frame_mask([4, 4], torch.device("cpu")) is None


def test_without_the_mask_padding_would_be_heard(make_pipeline, monkeypatch):
    """So that the tolerance above is no empty promise."""
    pipeline = make_pipeline()
    texts = ["Hello there.", LONG]
    alone = pipeline.synthesize(texts[0])
    monkeypatch.setattr(batched, "frame_mask", lambda lengths, device: None)
    assert largest_difference(pipeline.synthesize_batch(texts)[0], alone) > 10 * TOLERANCE
    monkeypatch.undo()
    monkeypatch.setattr(flow, "frame_mask", lambda lengths, device: None)
    assert largest_difference(pipeline.synthesize_batch(texts)[0], alone) > 10 * TOLERANCE


@pytest.mark.slow
def test_the_embedded_voice_keeps_the_promise():
    pipeline = FlowPipeline.load({"threads": 1, "nfe_steps": 8, "cfg_strength": 2.0})
    texts = [
        "Please close the window.",
        "He cut the bread into thick slices, put the butter on the table, and called the children "
        "in.",
    ]

    for text, audio in zip(texts, pipeline.synthesize_batch(texts), strict=True):
        alone = pipeline.synthesize(text)
        assert largest_difference(audio, alone) < PROMISED
        # 60 dB below the speech
        assert np.square(audio - alone).sum() < 1e-6 * np.square(alone).sum()
