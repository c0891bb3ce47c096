"""
Whether chunks are really spoken at the same time is seen from outside, and everything else is still
seen while they are.

Every lie is planted in a real pipeline (on the tiny voice), as in test_engine_effects.
"""

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from voxgate.engine.config import OPTIONS
from voxgate.engine.passes import Applied, quantization
from voxgate.engine.pipelines import batching, flow
from voxgate.engine.pipelines import voice_prompt as prompts
from voxgate.engine.pipelines.batching import Workers
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.harness.machine.clock import StageWatch, WallClock
from voxgate.harness.records.cell import Request
from voxgate.harness.runner.stage_profile import profile_stages
from voxgate.harness.targets.engine import thread_checks, thread_probe
from voxgate.harness.targets.engine.flow_observer import observe
from voxgate.harness.targets.engine.target import EngineTarget
from voxgate.harness.targets.engine.thread_probe import CrowdSeen

LONG = Request(
    id="p001",
    text="It was late. " * 3 + "He cut the bread into thick slices, and the soup was hot. " * 3,
)
SHORT = Request(id="u001", text="Hello there, how are you today?")
REFERENCE = {
    "reference": str(Path(__file__).parents[3] / "data" / "slt.flac"),
    "reference_text": "She told me that her brother works in a hospital.",
}
LIAR_S = 0.2
"""How long the observer waits for what a liar does not do."""


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "workers-cache"))


@pytest.fixture(name="impatient")
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_probe, "PATIENCE_S", LIAR_S)


def _target(voice_folder, **asked):
    asked = {"threads": 1, "nfe_steps": 4, "workers": 2, **asked}
    target = EngineTarget()
    target.requested = asked
    target.pipeline = FlowPipeline.load(asked, voice_folder)
    return target


def _broken(target, request=LONG):
    return {effect.option for effect in target.observe(request) if not effect.in_effect}


def _observed(target, request=LONG, option="workers"):
    return next(effect.observed for effect in target.observe(request) if effect.option == option)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"workers": 16},
        {"cfg_strength": 0.0, "seed": 7, "speed": 0.8, "speaker": "awb"},
        {"batch": 2},
        {"batch": 2, "first_chunk_characters": 30, "cfg_strength": 2.0},
        {"first_chunk_characters": 20, "chunk_characters": 80},
        {"precision": "bf16"},
        {"quantization": "int8-dynamic"},
        {"pad_frames": 64},
        {"nfe_steps": 12, "nfe_adaptive": "phones"},
        {"nfe_steps": 12, "early_exit": 0.3, "solver": "heun"},
        {"nfe_steps": 8, "cfg_from": 0.1, "cfg_until": 0.6},
        {"runtime_acoustic": "onnx", "runtime_vocoder": "onnx"},
        {"runtime_vocoder": "onnx", "batch": 2},
    ],
    ids=str,
)
def test_an_honest_engine_keeps_every_promise(voice_folder, asked):
    effects = _target(voice_folder, **asked).observe(LONG)

    assert [effect for effect in effects if not effect.in_effect] == []
    assert {effect.option for effect in effects} == set(OPTIONS)


def test_an_honest_engine_with_a_recording_keeps_every_promise(voice_folder, monkeypatch):
    # the tiny voice has random durations, whose pace says nothing of a recording
    monkeypatch.setattr(prompts, "SLOWEST", 0.0)
    target = _target(voice_folder, **REFERENCE)

    assert _broken(target) == set()
    assert (
        _broken(target, Request(id="p002", text=LONG.text, options={"seed": 5, "speaker": "rms"}))
        == set()
    )


def test_what_is_seen_is_what_one_thread_alone_does(voice_folder):
    """Threads begin in any order; the record is in that of the chunks."""
    seen, alone = (
        observe(_target(voice_folder, workers=count, pad_frames=32).pipeline, LONG)
        for count in (3, 1)
    )

    assert (
        seen.chunks == alone.chunks
        and seen.together == alone.together
        and seen.moments == alone.moments
    )
    assert seen.phone_ids == alone.phone_ids and seen.prompt.texts == alone.prompt.texts
    assert seen.acoustic.computed_frames == alone.acoustic.computed_frames
    assert all(map(torch.equal, seen.first_states, alone.first_states))
    assert all(
        torch.equal(*both)
        for pair in zip(seen.outputs, alone.outputs, strict=True)
        for both in zip(*pair, strict=True)
    )
    assert (seen.acoustic.products, seen.vocoder.products) == (
        alone.acoustic.products,
        alone.vocoder.products,
    )


def test_the_threads_are_said_in_numbers(voice_folder):
    target = _target(voice_folder)
    passes = len(observe(target.pipeline, LONG).together)

    assert _observed(target) == f"threads 2, at one time 2, passes {passes}"
    assert _observed(target, SHORT) == "threads 1, at one time 1, passes 1"
    assert _broken(target, SHORT) == set()
    alone = _target(voice_folder, first_chunk_characters=30)
    assert _observed(alone).endswith(", and the first alone")


def test_each_worker_is_seen_with_its_share(voice_folder):
    before = torch.get_num_threads()
    try:
        target = _target(voice_folder, threads=2)
        assert _broken(target) == set()
        assert _observed(target, option="threads") == "1 and 2"
    finally:
        torch.set_num_threads(before)


def test_observing_leaves_no_mode_behind_and_the_audio_as_it_was(voice_folder):
    from torch.utils import _python_dispatch

    target = _target(voice_folder)
    before = target.pipeline.synthesize(LONG.text)
    target.observe(LONG)

    assert not _python_dispatch._is_in_torch_dispatch_mode
    assert np.array_equal(target.pipeline.synthesize(LONG.text), before)


def test_lie_all_in_one_thread(voice_folder):
    target = _target(voice_folder)
    target.pipeline._workers = None

    assert _broken(target) == {"workers"}
    assert _observed(target).startswith("threads 1, at one time 1, ")
    assert _broken(target, SHORT) == set(), "of one chunk there is nothing to see"


def test_lie_all_in_one_thread_that_is_not_the_callers(voice_folder, monkeypatch, impatient):
    monkeypatch.setattr(
        batching, "Workers", lambda count, share, threads: Workers(1, share, threads)
    )

    assert _broken(_target(voice_folder)) == {"workers"}


def test_lie_threads_that_speak_one_after_another(voice_folder, impatient):
    """Two threads and twice the memory, and never two at work: one lock around a whole chunk."""
    target, lock = _target(voice_folder), threading.Lock()
    speak = target.pipeline._speak

    def locked(parts, watch):
        with lock:
            return speak(parts, watch)

    target.pipeline._speak = locked
    assert _broken(target) == {"workers"}
    assert _observed(target).startswith("threads 2, at one time 1, ")


def test_lie_models_that_let_one_in_at_a_time(voice_folder, impatient):
    """The lock is inside of what is called: calls overlap, and what they compute does not."""
    target, lock = _target(voice_folder), threading.Lock()
    for module in (target.pipeline.voice.dit, target.pipeline.voice.vocoder):

        def locked(*args, forward=module.forward):
            with lock:
                return forward(*args)

        module.forward = locked

    assert _broken(target) == {"workers"}


def test_lie_more_at_a_time_than_asked(voice_folder, monkeypatch):
    monkeypatch.setattr(
        batching, "Workers", lambda count, share, threads: Workers(count + 1, share, threads)
    )

    assert _broken(_target(voice_folder)) == {"workers"}


def test_lie_workers_where_nobody_asked_for_them(voice_folder):
    target = _target(voice_folder)
    target.requested["workers"] = 1

    assert _broken(target) == {"workers"}


@pytest.mark.parametrize(
    ("lanes", "vocoder", "most", "holds"),
    [
        ((1, 2, 1), (1, 2, 1), 2, True),
        ((1, 2, 1), (1, 2, 1), 1, False),
        ((1, 2, 3), (1, 2, 3), 2, False),
        ((1, 2, 1), (1, 2, 1), 3, False),
        ((1, 2, 1), (0, 0, 0), 2, False),
        ((0, 1, 0), (0, 1, 0), 2, True),
        ((1,), (1,), 1, True),
        ((), (), 0, True),
    ],
)
def test_the_verdict_on_what_was_seen(lanes, vocoder, most, holds):
    seen = SimpleNamespace(
        crowd=CrowdSeen(lanes=lanes, vocoder_lanes=vocoder, threads=(1,) * len(lanes), most=most)
    )

    assert thread_checks.workers({"workers": 2}, seen).in_effect is holds


def test_lie_every_worker_with_all_threads(voice_folder, monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(
        batching, "Workers", lambda count, share, threads: Workers(count, threads, threads)
    )
    try:
        assert _broken(_target(voice_folder, threads=2)) == {"threads"}
    finally:
        torch.set_num_threads(before)


def test_lie_workers_that_leave_the_caller_with_less(voice_folder):
    before = torch.get_num_threads()
    try:
        target = _target(voice_folder, threads=2)
        torch.set_num_threads(1)
        assert _broken(target) == {"threads"}
    finally:
        torch.set_num_threads(before)


def test_lie_other_noise_than_the_seeds(voice_folder, monkeypatch):
    monkeypatch.setattr(
        flow, "initial_noise", lambda seed, chunk, frames, bands: torch.zeros(1, frames, bands)
    )

    assert "seed" in _broken(_target(voice_folder))


def test_lie_noise_of_one_chunk_for_all(voice_folder, monkeypatch):
    noise = flow.initial_noise
    monkeypatch.setattr(
        flow, "initial_noise", lambda seed, chunk, frames, bands: noise(seed, 0, frames, bands)
    )

    assert "seed" in _broken(_target(voice_folder))


def test_lie_int8_and_steps_are_found_in_worker_threads_too(voice_folder, monkeypatch):
    said = Applied(
        option="quantization", requested="int8-dynamic", effect="all Linear layers", reason="asked"
    )
    monkeypatch.setattr(quantization, "apply", lambda models, wanted: said)
    grid = flow.time_grid
    monkeypatch.setattr(flow, "time_grid", lambda steps, sway, kind: grid(6, sway))

    broken = _broken(_target(voice_folder, quantization="int8-dynamic"))
    assert {"quantization", "nfe_steps"} <= broken


def test_the_pass_over_the_stages_accounts_for_no_more_than_the_whole(voice_folder):
    told = profile_stages(_target(voice_folder), LONG, WallClock())

    assert set(told.stages_s) == set(flow.STAGES)
    assert sum(told.stages_s.values()) <= told.wall_s
    assert set(told.alone_s) == {"acoustic", "vocoder"}


def test_a_stage_watch_is_asked_from_every_thread(voice_folder):
    watch = StageWatch(WallClock())
    audio = _target(voice_folder).pipeline.synthesize(LONG.text, watch=watch)

    assert audio.size and min(watch.stages_s.values()) > 0.0
