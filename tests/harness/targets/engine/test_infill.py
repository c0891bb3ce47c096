"""The `infill` pipeline as a target: every option is observed in effect, and lies are found out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from voxgate.engine.config.infill import INFILL_OPTIONS
from voxgate.engine.duration.byte_rate import ByteRate
from voxgate.engine.passes import Applied, precision
from voxgate.engine.pipelines import infill
from voxgate.engine.pipelines.infill import InfillPipeline
from voxgate.engine.weights.random_checkpoint import write_random_voice
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import StageWatch, WallClock
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.suite.suite import Suite
from voxgate.harness.targets.engine.infill import INFILL_CHECKS, observe_infill
from voxgate.harness.targets.engine.target import EngineTarget
from voxgate.harness.targets.registry import check_cells

RECORDING = Path(__file__).parents[3] / "data" / "slt.flac"
OTHER = Path(__file__).parents[4] / "harness" / "workloads" / "voices" / "rms.flac"
SAYS = "She told me that her brother works in a hospital."
REFERENCE = {"reference": str(RECORDING), "reference_text": SAYS}
REQUEST = Request(id="u001", text="Hello there, how are you today?")


@pytest.fixture(name="make")
def _make(random_voice):
    def make(**asked):
        target = EngineTarget()
        options = {"weights": str(random_voice), "threads": 1, "nfe_steps": 3, **REFERENCE, **asked}
        workload = Workload(name="w", requests=(REQUEST,))
        cell = Cell(suite="s", target="engine", pipeline="infill", workload=workload, axes=options)
        target.load(cell, {"device": "cpu"})
        return target

    return make


def _broken(target, request=REQUEST):
    return {effect.option for effect in target.observe(request) if effect.in_effect is False}


def test_every_option_of_the_pipeline_has_a_check():
    assert set(INFILL_CHECKS) == set(INFILL_OPTIONS)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"reference": "", "reference_text": ""},
        {"solver": "midpoint", "sway": 0.0},
        {"grid": "epss", "nfe_steps": 5},
        {"cfg_strength": 0.0},
        {"cfg_strength": 3.5, "version": 0},
        {"precision": "bf16"},
        {"speed": 0.6, "seed": 9},
        {"speed": 1.8, "reference": "", "reference_text": ""},
    ],
)
def test_an_honest_engine_keeps_every_promise(make, asked):
    effects = make(**asked).observe(REQUEST)

    assert [effect for effect in effects if not effect.in_effect] == []
    assert {effect.option for effect in effects} == set(INFILL_OPTIONS)


@pytest.mark.parametrize("text", ["Yes.", "It's a state-of-the-art test; isn't it? " * 9])
def test_short_and_long_text_keep_every_promise(make, text):
    assert _broken(make(nfe_steps=1), Request(id="u002", text=text)) == set()


def test_it_measures_like_any_target(make):
    target = make()
    watch = StageWatch(WallClock())
    audio = np.concatenate(list(target.synthesize(REQUEST, watch)))

    assert target.sample_rate_hz == 24_000 and audio.size > 24_000
    assert set(watch.stages_s) == {"text", "content", "acoustic", "vocoder", "post"}
    assert set(target.effective()) == set(INFILL_OPTIONS)
    assert set(map(type, target.effective().values())) <= {str, int, float, bool}
    with pytest.raises(HarnessError, match=r"request u9: .*vocab.txt has no"):
        list(target.synthesize(Request(id="u9", text="你"), watch))


def test_a_suite_names_it_and_wrong_options_are_refused_before_anything_loads():
    suite = Suite(
        pipeline="infill",
        workload="plain",
        axes={"nfe_steps": [32, 16]},
        reference={"nfe_steps": 32},
    )

    check_cells(suite.expand().cells)
    EngineTarget.check_options("infill", {"weights": "somewhere", "nfe_steps": 7})
    with pytest.raises(
        HarnessError,
        match=r"unknown option 'speaker' \(an option of pipelines flow, .*\) of pipeline infill",
    ):
        EngineTarget.check_options("infill", {"speaker": "slt"})


def test_a_second_text_does_not_work_the_recording_out_again(make):
    target = make(reference="", reference_text="")
    requests = [
        Request(id="r", text=text, options=REFERENCE)
        for text in ("Hello again, you.", "Goodbye, my friend.")
    ]

    assert [observe_infill(target.pipeline, request).prompt.encoded for request in requests] == [
        1,
        0,
    ]


def test_lie_the_recording_is_not_used(make, monkeypatch):
    monkeypatch.setattr(
        InfillPipeline,
        "_prompt_of",
        lambda self, config: infill.empty_prompt(self.voice.dit.shape.bands),
    )

    assert {"reference", "reference_text"} <= _broken(make())


def test_lie_another_recording(make, monkeypatch):
    encode = infill.encode_infill
    monkeypatch.setattr(
        infill,
        "encode_infill",
        lambda bands, content, text, who: encode(bands, OTHER.read_bytes(), text, who),
    )

    assert "reference" in _broken(make())


def test_lie_another_text(make, monkeypatch):
    encode = infill.encode_infill
    wrong = "She told us that his sister works in a hospital."
    monkeypatch.setattr(
        infill,
        "encode_infill",
        lambda bands, content, text, who: encode(bands, content, wrong, who),
    )

    assert _broken(make()) == {"reference_text"}


def test_lie_the_recording_is_left_in_the_speech(make, monkeypatch):
    infill_mel = infill.infill_mel
    monkeypatch.setattr(
        infill,
        "infill_mel",
        lambda velocity, noise, times, solver, heard: infill_mel(velocity, noise, times, solver, 0),
    )

    assert {"reference", "speed"} <= _broken(make())


def test_lie_a_speed_that_changes_nothing(make, monkeypatch):
    new_frames = ByteRate.new_frames
    monkeypatch.setattr(
        ByteRate, "new_frames", lambda self, text, speed: new_frames(self, text, 1.0)
    )

    assert _broken(make(speed=1.5)) == {"speed"}


def test_lie_always_the_same_version(make, monkeypatch):
    load = infill.load_infill_voice
    monkeypatch.setattr(
        infill, "load_infill_voice", lambda folder, *, version: load(folder, version=1)
    )

    assert _broken(make(version=0)) == {"version"}


def test_lie_other_weights(make, monkeypatch, tmp_path):
    load = infill.load_infill_voice
    write_random_voice(tmp_path / "other", small=True, seed=1)
    monkeypatch.setattr(
        infill,
        "load_infill_voice",
        lambda folder, *, version: load(tmp_path / "other", version=version),
    )

    assert _broken(make()) == {"weights"}


def test_lie_bf16_that_runs_in_fp32(make, monkeypatch):
    said = Applied(
        option="precision", requested="bf16", effect="weights in bfloat16", reason="asked"
    )
    monkeypatch.setattr(precision, "apply", lambda models, wanted: said)
    monkeypatch.setattr(infill.precision, "DTYPES", {precision.Precision.BF16: torch.float32})

    from voxgate.harness.targets.engine import option_checks

    monkeypatch.setattr(option_checks, "DTYPES", {precision.Precision.BF16: torch.bfloat16})
    assert "precision" in _broken(make(precision="bf16"))


def test_lies_of_the_solver_guidance_seed_and_steps(make, monkeypatch):
    guided, time_grid, noise = infill.infill_velocity, infill.time_grid, infill.initial_noise
    for name, lie, found in (
        (
            "infill_velocity",
            lambda dit, forward, infill_input, strength: guided(dit, forward, infill_input, 1.0),
            "cfg_strength",
        ),
        ("time_grid", lambda steps, sway, grid: time_grid(steps, 0.0, grid), "sway"),
        ("time_grid", lambda steps, sway, grid: time_grid(4, sway, grid), "nfe_steps"),
        (
            "initial_noise",
            lambda seed, index, frames, bands: 0.5 * noise(seed, index, frames, bands),
            "seed",
        ),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(infill, name, lie)
            assert found in _broken(make()), found


def test_what_was_asked_wins_over_what_the_engine_says(make):
    target = make()
    target.pipeline.config = replace(target.pipeline.config, nfe_steps=6)

    assert "nfe_steps" in _broken(target)
