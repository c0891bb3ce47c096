"""
Options that silently do nothing are found out, each by the check of its own option.

Every lie is planted in a real pipeline (on the tiny voice): the code of one pass or stage is
replaced by code that ignores what it was asked.
"""

from dataclasses import replace

import pytest
import torch

from voxgate.engine.acoustic import batched
from voxgate.engine.config import OPTIONS
from voxgate.engine.passes import Applied, compilation, precision, quantization
from voxgate.engine.pipelines import flow
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.option_checks import CHECKS
from voxgate.harness.targets.engine.target import EngineTarget

REQUEST = Request(id="u001", text="Hello there, how are you today?")
LONG = Request(
    id="p001",
    text="It was late. " * 3 + "He cut the bread into thick slices, and the soup was hot. " * 5,
)
SLOW = pytest.mark.slow


def _target(voice_folder, **asked):
    asked = {"threads": 1, "nfe_steps": 4, **asked}
    target = EngineTarget()
    target.requested = asked
    target.pipeline = FlowPipeline.load(asked, voice_folder)
    return target


def _broken(target, request=REQUEST):
    return {effect.option for effect in target.observe(request) if effect.in_effect is False}


def test_every_option_of_the_engine_has_a_check():
    assert set(CHECKS) == set(OPTIONS)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"nfe_steps": 1},
        {"solver": "midpoint"},
        {"solver": "heun", "sway": 0.0},
        {"grid": "epss", "nfe_steps": 6},
        {"cfg_strength": 0.0},
        {"cfg_strength": 2.5, "nfe_steps": 7},
        {"precision": "bf16"},
        {"precision": "bf16", "quantization": "int8-dynamic"},
        {"quantization": "int8-dynamic"},
        {"quantization": "int8-weight-only"},
        {"speaker": "awb", "speed": 0.6, "seed": 9},
        {"speed": 1.7},
        {"cfg_from": 0.1, "cfg_until": 0.6, "nfe_steps": 8},
        {"cfg_from": 0.1, "nfe_steps": 6, "solver": "heun", "cfg_strength": 2.0},
        {"cfg_from": 1.0, "nfe_steps": 3},
        {"nfe_steps": 12, "nfe_adaptive": "phones", "solver": "midpoint"},
        {"nfe_steps": 12, "early_exit": 0.3},
        {"nfe_steps": 12, "early_exit": 0.3, "cfg_until": 0.4, "precision": "bf16"},
        {"nfe_steps": 12, "early_exit": 0.3, "solver": "heun", "nfe_adaptive": "phones"},
    ],
)
def test_an_honest_engine_keeps_every_promise(voice_folder, asked):
    effects = _target(voice_folder, **asked).observe(REQUEST)

    assert [effect for effect in effects if effect.in_effect is False] == []
    unseen = {effect.option for effect in effects if effect.in_effect is None}
    assert unseen == ({"cfg_strength"} if asked == {"nfe_steps": 1} else set()), (
        "one guided call does not show its strength"
    )
    assert {effect.option for effect in effects} == set(OPTIONS)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"chunk_characters": 150},
        {"chunk_characters": 80, "first_chunk_characters": 20},
        {"batch": 2},
        {"batch": 2, "first_chunk_characters": 30, "cfg_strength": 0.0},
        {"batch": 64, "nfe_steps": 7, "cfg_strength": 2.5},
        {"batch": 0, "precision": "bf16"},
        {"batch": 3, "speed": 0.7, "solver": "midpoint"},
    ],
)
def test_an_honest_engine_keeps_every_promise_over_many_chunks(voice_folder, asked):
    assert [
        effect for effect in _target(voice_folder, **asked).observe(LONG) if not effect.in_effect
    ] == []


@SLOW
def test_an_honest_compiled_engine_keeps_every_promise(voice_folder):
    target = _target(voice_folder, compile="default", compile_vocoder="default")
    target.pipeline.synthesize(REQUEST.text)

    assert [effect for effect in target.observe(REQUEST) if not effect.in_effect] == []


def test_observing_leaves_the_pipeline_as_it_was(voice_folder):
    target = _target(voice_folder)
    before = target.pipeline.synthesize(REQUEST.text)
    target.observe(REQUEST)

    assert (target.pipeline.synthesize(REQUEST.text) == before).all()
    assert target.pipeline.acoustic is target.pipeline.voice.dit


def _ignore_steps(monkeypatch):
    monkeypatch.setattr(flow, "time_grid", lambda steps, sway, grid: flow_grid(32, sway))


flow_grid = flow.time_grid


def test_lie_the_default_number_of_steps_whatever_was_asked(voice_folder, monkeypatch):
    _ignore_steps(monkeypatch)

    assert "nfe_steps" in _broken(_target(voice_folder))


def test_lie_euler_with_twice_the_steps_instead_of_midpoint(voice_folder, monkeypatch):
    """The number of forward calls is right; the times of the calls are not."""
    from voxgate.engine.config import Solver

    integrate = flow.integrate
    monkeypatch.setattr(
        flow,
        "integrate",
        lambda v, x, times, solver: integrate(v, x, flow_grid(8, -1.0), Solver.EULER),
    )

    broken = _broken(_target(voice_folder, solver="midpoint"))
    assert "solver" in broken and "nfe_steps" not in broken


def test_lie_a_uniform_grid_instead_of_sway(voice_folder, monkeypatch):
    monkeypatch.setattr(flow, "time_grid", lambda steps, sway, grid: flow_grid(steps, 0.0))

    assert "sway" in _broken(_target(voice_folder))


def test_lie_even_steps_instead_of_pruned_ones(voice_folder, monkeypatch):
    monkeypatch.setattr(flow, "time_grid", lambda steps, sway, grid: flow_grid(steps, sway))

    assert "grid" in _broken(_target(voice_folder, grid="epss", nfe_steps=6))


def test_lie_guidance_of_another_strength(voice_folder, monkeypatch):
    guide = batched.guide
    monkeypatch.setattr(
        batched, "guide", lambda dit, forward, frames, strength: guide(dit, forward, frames, 0.5)
    )

    assert _broken(_target(voice_folder, cfg_strength=2.0)) == {"cfg_strength"}


def test_lie_guidance_everywhere_whatever_the_interval(voice_folder, monkeypatch):
    monkeypatch.setattr(
        flow,
        "replace",
        lambda value, **changes: replace(value, **changes) if "cfg_start" not in changes else value,
    )

    assert {"cfg_from", "cfg_until"} <= _broken(_target(voice_folder, cfg_until=0.3))


def test_lie_all_steps_for_a_short_text(voice_folder, monkeypatch):
    monkeypatch.setattr(flow, "steps_for", lambda steps, adaptive, phones: steps)

    assert {"nfe_adaptive", "nfe_steps"} <= _broken(_target(voice_folder, nfe_adaptive="phones"))


def test_lie_an_early_exit_that_is_never_taken(voice_folder, monkeypatch):
    monkeypatch.setattr(flow, "EarlyExitVelocity", lambda velocity, threshold: velocity)

    assert _broken(_target(voice_folder, early_exit=0.9, nfe_steps=12)) == {"early_exit"}


def test_lie_an_early_exit_that_is_taken_too_early(voice_folder, monkeypatch):
    settling = flow.EarlyExitVelocity
    monkeypatch.setattr(
        flow, "EarlyExitVelocity", lambda velocity, threshold: settling(velocity, 10.0)
    )

    assert _broken(_target(voice_folder, early_exit=0.01, nfe_steps=12)) == {"early_exit"}


def test_lie_steps_left_out_that_nobody_asked_to_leave_out(voice_folder, monkeypatch):
    def impatient(value, **changes):
        made = replace(value, **changes)
        return flow.EarlyExitVelocity(made, 10.0) if "cfg_start" in changes else made

    monkeypatch.setattr(flow, "replace", impatient)

    assert "nfe_steps" in _broken(_target(voice_folder, nfe_steps=12))


def test_lie_bf16_that_runs_in_fp32(voice_folder, monkeypatch):
    said = Applied(
        option="precision", requested="bf16", effect="weights in bfloat16", reason="asked"
    )
    monkeypatch.setattr(precision, "apply", lambda models, wanted: said)
    monkeypatch.setattr(
        precision, "DTYPES", {**precision.DTYPES, precision.Precision.BF16: torch.float32}
    )

    from voxgate.harness.targets.engine import option_checks

    monkeypatch.setattr(option_checks, "DTYPES", {precision.Precision.BF16: torch.bfloat16})
    assert "precision" in _broken(_target(voice_folder, precision="bf16"))


def test_lie_int8_that_quantises_nothing(voice_folder, monkeypatch):
    said = Applied(
        option="quantization", requested="int8-dynamic", effect="all Linear layers", reason="asked"
    )
    monkeypatch.setattr(quantization, "apply", lambda models, wanted: said)
    target = _target(voice_folder, quantization="int8-dynamic")

    assert _broken(target) == {"quantization"}
    effect = next(effect for effect in target.observe(REQUEST) if effect.option == "quantization")
    assert "0 of" in effect.observed


def test_lie_int8_for_one_of_two_models(voice_folder, monkeypatch):
    apply = quantization.apply
    monkeypatch.setattr(
        quantization, "apply", lambda models, wanted: apply({"vocoder": models["vocoder"]}, wanted)
    )

    assert "quantization" in _broken(_target(voice_folder, quantization="int8-dynamic"))


def test_lie_a_compiled_model_that_is_eager(voice_folder, monkeypatch):
    def nothing(name, option, model, mode, *, on_cpu):
        return model, Applied(option=option, requested=mode, effect="compiled", reason="asked")

    monkeypatch.setattr(compilation, "apply", nothing)

    assert _broken(_target(voice_folder, compile="default", compile_vocoder="default")) == {
        "compile",
        "compile_vocoder",
    }


def test_lie_a_wrapper_that_never_compiles(voice_folder, monkeypatch):
    def wrapped(name, option, model, mode, *, on_cpu):
        return (lambda *args: model(*args)), Applied(
            option=option, requested=mode, effect="compiled", reason="asked"
        )

    monkeypatch.setattr(compilation, "apply", wrapped)

    assert "compile_vocoder" in _broken(_target(voice_folder, compile_vocoder="default"))


def test_lie_a_seed_that_is_not_used(voice_folder, monkeypatch):
    monkeypatch.setattr(
        flow, "initial_noise", lambda seed, chunk, frames, bands: torch.zeros(1, frames, bands)
    )

    assert _broken(_target(voice_folder)) == {"seed"}


def test_lie_always_the_same_speaker(voice_folder, monkeypatch):
    predict = flow.predict_alignment
    monkeypatch.setattr(
        flow,
        "predict_alignment",
        lambda model, ids, **given: predict(model, ids, **{**given, "speaker": 0}),
    )

    assert _broken(_target(voice_folder, speaker="awb")) == {"speaker"}


def test_lie_a_speed_that_changes_nothing(voice_folder, monkeypatch):
    predict = flow.predict_alignment
    monkeypatch.setattr(
        flow,
        "predict_alignment",
        lambda model, ids, **given: predict(model, ids, **{**given, "speed": 1.0}),
    )

    assert _broken(_target(voice_folder, speed=1.5)) == {"speed"}


def test_lie_chunks_of_the_usual_size_whatever_was_asked(voice_folder, monkeypatch):
    phonemise = flow.phonemise
    monkeypatch.setattr(
        flow, "phonemise", lambda text, **sizes: phonemise(text, **{**sizes, "max_characters": 90})
    )

    assert "chunk_characters" in _broken(_target(voice_folder, chunk_characters=160), LONG)


def test_lie_a_first_chunk_like_the_others(voice_folder, monkeypatch):
    phonemise = flow.phonemise
    monkeypatch.setattr(
        flow, "phonemise", lambda text, **sizes: phonemise(text, **{**sizes, "first_characters": 0})
    )

    assert "first_chunk_characters" in _broken(
        _target(voice_folder, first_chunk_characters=20), LONG
    )


def test_lie_a_batch_that_is_spoken_one_by_one(voice_folder, monkeypatch):
    in_turn = flow.in_turn
    monkeypatch.setattr(flow, "in_turn", lambda count, batch, **rest: in_turn(count, 1, **rest))

    assert _broken(_target(voice_folder, batch=4), LONG) == {"batch"}
    effect = next(
        effect
        for effect in _target(voice_folder, batch=4).observe(LONG)
        if effect.option == "batch"
    )
    assert effect.observed.startswith("1 + 1 + 1")


def test_lie_a_batch_of_the_acoustic_model_alone(voice_folder):
    target = _target(voice_folder, batch=4)
    speak = target.pipeline._speak

    def lying(parts, watch):
        stand_in = target.pipeline.vocoder
        target.pipeline.vocoder = lambda mel, *mask: torch.cat(
            [
                stand_in(mel[row : row + 1], *(each[row : row + 1] for each in mask))
                for row in range(mel.shape[0])
            ]
        )
        try:
            return speak(parts, watch)
        finally:
            target.pipeline.vocoder = stand_in

    target.pipeline._speak = lying
    assert _broken(target, LONG) == {"batch"}


def test_lie_more_threads_than_asked(voice_folder):
    target = _target(voice_folder)
    torch.set_num_threads(2)
    try:
        assert _broken(target) == {"threads"}
    finally:
        torch.set_num_threads(1)


def test_what_was_asked_wins_over_what_the_engine_says(voice_folder):
    """
    An engine that quietly resolves 4 steps to 6 runs exactly what it says; that is still not what
    was asked.
    """
    target = _target(voice_folder)
    target.pipeline.config = replace(target.pipeline.config, nfe_steps=6)

    assert "nfe_steps" in _broken(target)


def test_a_request_of_its_own_speaker_is_no_lie(voice_folder):
    """
    The workload may name a speaker per request; it is held against that, not against the cell's.
    """
    target = _target(voice_folder)
    request = Request(id="u002", text="Hello.", options={"speaker": "rms"})

    assert [effect for effect in target.observe(request) if not effect.in_effect] == []
