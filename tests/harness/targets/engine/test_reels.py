"""
Reels of the repository's own engine: spoken with captions, and what decides how segments share the
models is observed on the whole reel. A tiny voice; each lie is planted in a real pipeline.
"""

import contextlib

import numpy as np
import pytest
import torch

from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.pipelines.pipeline import Pipeline
from voxgate.harness.records.cell import Request, RequestSegment
from voxgate.harness.targets.engine import reels
from voxgate.harness.targets.engine.reels import check_reel
from voxgate.harness.targets.engine.target import EngineTarget, joins_of

TEXTS = ("Good evening.", "It is late, and the soup is hot.", "Yes.", "He cut the bread for you.")
REEL = Request(
    id="reel",
    text=" ".join(TEXTS),
    options={"seed": 3},
    segments=tuple(
        RequestSegment(speaker=("slt", "rms")[number % 2], text=text)
        for number, text in enumerate(TEXTS)
    ),
)
SHARED = ("batch", "batch_by", "workers")


def _target(voice_folder, **asked):
    asked = {"threads": 1, "nfe_steps": 2, **asked}
    target = EngineTarget()
    target.requested = asked
    target.pipeline = FlowPipeline.load(asked, voice_folder)
    return target


def _unwatched(_stage):
    return contextlib.nullcontext()


def test_a_reel_is_one_audio_with_captions_and_joins(voice_folder):
    target = _target(voice_folder)

    (audio,) = target.synthesize(REEL, _unwatched)

    captions = target.captions_s
    assert len(captions) == 4 and captions[0][0] == 0.0
    assert captions[-1][1] == pytest.approx(len(audio) / 16_000)
    assert len(target.chunk_boundaries_s) == 6
    list(target.synthesize(Request(id="a", text="Good evening."), _unwatched))
    assert target.captions_s is None


def test_a_crossfade_is_one_join():
    assert list(joins_of([(0.0, 1.0), (1.0, 2.0), (2.5, 3.0)])) == [1.0, 2.0, 2.5]


@pytest.mark.parametrize(
    ("asked", "observed"),
    [
        ({}, "1 + 1 + 1 + 1 segments in 4 passes"),
        ({"batch": 2}, "2 + 2 segments in 2 passes"),
        ({"batch": 3}, "3 + 1 segments in 2 passes"),
        ({"batch": 0}, "4 segments in 1 passes"),
        ({"batch": 4, "workers": 2, "threads": 2}, "2 + 2 segments in 2 passes"),
    ],
)
def test_batch_and_workers_are_seen_in_effect(voice_folder, asked, observed):
    effects = {each.option: each for each in _target(voice_folder, **asked).observe(REEL)}

    assert all(each.in_effect is not False for each in effects.values()), effects
    assert effects["batch"].observed == observed
    assert [effects[name].in_effect for name in SHARED] == [True, True, True]
    assert effects["workers"].observed == (
        "2 threads, at the same time" if "workers" in asked else "1 threads"
    )


def test_neighbours_are_told_from_similar_lengths(voice_folder):
    asked = {"batch": 2, "batch_by": "order"}
    effects = {each.option: each for each in _target(voice_folder, **asked).observe(REEL)}

    assert effects["batch_by"].in_effect is True
    assert effects["batch"].in_effect is True


def _broken(target):
    return {each.option for each in target.observe(REEL) if each.in_effect is False}


def test_an_engine_that_speaks_one_after_the_other_is_found_out(voice_folder, monkeypatch):
    """What `Pipeline` does where a pipeline has nothing of its own."""
    monkeypatch.setattr(FlowPipeline, "synthesize_each", Pipeline.synthesize_each)

    assert "batch" in _broken(_target(voice_folder, batch=2))


def test_an_engine_that_groups_neighbours_is_found_out(voice_folder, monkeypatch):
    def grouped(self, parts, count, watch):
        groups = [parts[start : start + count] for start in range(0, len(parts), count)]
        return [audio for group in groups for audio in self._speak(group, watch)]

    monkeypatch.setattr(FlowPipeline, "_speak_by_length", grouped)

    assert _broken(_target(voice_folder, batch=2)) == {"batch_by"}


def test_an_engine_without_its_workers_is_found_out(voice_folder, monkeypatch):
    monkeypatch.setattr(reels, "MEET_S", 0.2)
    target = _target(voice_folder, workers=2, threads=2)
    checks = target.observe(Request(id="a", text=TEXTS[1], options={"speaker": "rms"}))
    target.pipeline._workers = None
    torch.set_num_threads(1)  # two threads wait for each other where the machine is busy

    broken = {
        each.option
        for each in check_reel(target.pipeline, REEL, checks)
        if each.in_effect is False and each.option in SHARED
    }

    assert broken == {"workers"}


def test_the_models_run_alone_on_the_inputs_of_a_reel(voice_folder):
    isolated = _target(voice_folder, batch=2).isolated_stages(REEL, _unwatched)

    assert isolated["vocoder"].work.rows == 2 and isolated["vocoder"].work.calls == 2
    assert np.isfinite(np.asarray(isolated["vocoder"].run()[0])).all()
