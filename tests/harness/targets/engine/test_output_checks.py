"""
What the audio itself shows: the start of a chunk, and the watermark. Lies are planted in a real
pipeline (on the tiny voice), as in test_option_checks.py.
"""

import contextlib
import importlib.util

import numpy as np
import pytest

from voxgate.engine.audio.postprocess import CROSSFADE
from voxgate.engine.pipelines import flow
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.output_checks import OUTPUT_CHECKS, OutputSeen, UnmarkedTap
from voxgate.harness.targets.engine.target import EngineTarget

REQUEST = Request(id="u001", text="Hello there, how are you today?")
LONG = Request(id="p001", text="He cut the bread into thick slices, and the soup was hot. " * 4)
START = {"trim_start_ms": 20.0, "fade_in_ms": 20.0}
needs_perth = pytest.mark.skipif(
    importlib.util.find_spec("perth") is None, reason="resemble-perth is not installed"
)


def _target(voice_folder, **asked):
    asked = {"threads": 1, "nfe_steps": 4, **asked}
    target = EngineTarget()
    target.requested = asked
    target.pipeline = FlowPipeline.load(asked, voice_folder)
    return target


def _checks(target, request=REQUEST):
    return {each.option: each for each in target.observe(request) if each.option in OUTPUT_CHECKS}


def _in_effect(target, request=REQUEST):
    return {name: check.in_effect for name, check in _checks(target, request).items()}


@pytest.mark.parametrize(
    "asked",
    [
        START,
        {"trim_start_ms": 30.5},
        {"fade_in_ms": 40.0},
        {**START, "precision": "bf16"},
        {**START, "batch": 4},
        {**START, "workers": 2, "threads": 2},
    ],
)
@pytest.mark.parametrize("request_", [REQUEST, LONG], ids=lambda request: request.id)
def test_an_honest_start_is_seen(voice_folder, asked, request_):
    assert set(_in_effect(_target(voice_folder, **asked), request_).values()) == {True}


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        (START, {}),
        ({}, START),
        (START, {"trim_start_ms": 20.0}),
        (START, {"trim_start_ms": 20.0, "fade_in_ms": 40.0}),
        ({"fade_in_ms": 40.0}, {"trim_start_ms": 40.0}),
    ],
)
def test_lie_another_start_than_was_asked(voice_folder, asked, made):
    target = _target(voice_folder, **made)
    target.requested |= {"trim_start_ms": 0.0, "fade_in_ms": 0.0, **asked}

    seen = _in_effect(target)
    assert seen["trim_start_ms"] is False and seen["fade_in_ms"] is False
    assert seen["watermark"] is True


def test_lie_a_straight_rise_instead_of_a_cosine(voice_folder, monkeypatch):
    def straight(audio, rate_hz, *, trim_ms, fade_ms):
        begun = audio.copy()
        silent, rising = int(trim_ms * 16), int(fade_ms * 16)
        begun[:silent] = 0.0
        begun[silent : silent + rising] *= np.linspace(0, 1, rising, dtype=np.float32)
        return begun

    monkeypatch.setattr(flow, "fade_in", straight)

    assert _in_effect(_target(voice_folder, trim_start_ms=20.0, fade_in_ms=60.0)) == {
        "trim_start_ms": False,
        "fade_in_ms": False,
        "watermark": True,
    }


def test_a_click_behind_the_start_is_no_lie_about_the_start(voice_folder, monkeypatch):
    honest = flow.normalise_level

    def clicking(audio):
        audio = honest(audio)
        audio[8000::16000] = 0.9
        return audio

    monkeypatch.setattr(flow, "normalise_level", clicking)
    effects = _in_effect(_target(voice_folder, **START), LONG)
    assert effects["trim_start_ms"] is True
    assert effects["fade_in_ms"] is True


def test_what_the_vocoder_left_silent_shows_no_start():
    silent = OutputSeen(
        delivered=np.zeros(9_000, np.float32),
        unmarked=None,
        first_chunk=np.zeros(9_000, np.float32),
        rate_hz=16_000,
    )

    class Record:
        output = silent

    assert OUTPUT_CHECKS["trim_start_ms"]({**START}, Record()).in_effect is None


@needs_perth
@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"workers": 2, "threads": 2}, START])
def test_each_chunk_carries_the_mark_and_quality_gets_the_audio_before_it(voice_folder, options):
    plain = _target(voice_folder, **options)
    target = _target(voice_folder, watermark="perth", **options)
    watched = []

    def watch(stage):
        watched.append(stage)
        return contextlib.nullcontext()

    marked = np.concatenate(list(target.synthesize(LONG, watch)))

    clean = np.concatenate(list(plain.synthesize(LONG, lambda _: contextlib.nullcontext())))
    assert plain.unmarked is None
    assert np.array_equal(target.unmarked, clean)
    assert marked.shape == clean.shape and not np.array_equal(marked, clean)
    assert watched.count("watermark") == watched.count("vocoder") * int(options.get("batch", 1))
    assert np.array_equal(marked, target.pipeline.synthesize(LONG.text))
    (batched,) = target.pipeline.synthesize_batch([LONG.text])
    assert np.abs(batched - marked).max() < 1e-2


@needs_perth
def test_a_stopped_stream_leaves_the_mark_as_it_was(voice_folder):
    target = _target(voice_folder, watermark="perth")
    mark = target.pipeline.mark
    stream = target.synthesize(LONG, lambda _: contextlib.nullcontext())
    next(stream)
    stream.close()

    assert target.pipeline.mark is mark


def test_the_tap_joins_chunks_as_the_pipeline_does():
    class Fades:
        mark = staticmethod(lambda audio: -audio)
        crossfade_samples = CROSSFADE

    class Abuts(Fades):
        crossfade_samples = 0

    for kind, length in ((Fades, 4000 - CROSSFADE), (Abuts, 4000)):
        pipeline = kind()
        with UnmarkedTap(pipeline) as tap:
            assert pipeline.mark(np.ones(2000, np.float32))[0] == -1.0
            pipeline.mark(np.ones(2000, np.float32))
        assert tap.audio() == pytest.approx(np.ones(length))


def test_lie_audio_that_is_marked_by_nobody(voice_folder):
    """It says that it marks, and hands its audio on as it was."""
    target = _target(voice_folder)
    target.pipeline.mark = lambda audio: audio
    target.requested["watermark"] = "perth"

    check = _checks(target)["watermark"]
    if check.in_effect is None:
        pytest.skip(check.reason)
    assert check.in_effect is False
    assert check.observed.startswith("confidence 0.")


def test_lie_marked_although_nobody_asked(voice_folder):
    target = _target(voice_folder)
    target.pipeline.mark = lambda audio: audio * np.float32(0.99)

    assert _in_effect(target)["watermark"] is False
