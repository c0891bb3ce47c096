"""
A recording that silently does nothing is found out, and so is another recording, another text, or
one that spills.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from voxgate.engine.acoustic import batched
from voxgate.engine.pipelines import flow
from voxgate.engine.pipelines import voice_prompt as prompts
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.flow_observer import observe
from voxgate.harness.targets.engine.prompt_probe import FARTHEST, distance
from voxgate.harness.targets.engine.target import EngineTarget

DATA = Path(__file__).parents[3] / "data"
VOICES = Path(__file__).parents[4] / "harness" / "workloads" / "voices"
SAYS = "She told me that her brother works in a hospital."
REFERENCE = {"reference": str(DATA / "slt.flac"), "reference_text": SAYS}
REQUEST = Request(id="u001", text="Hello there, how are you today?")


@pytest.fixture(autouse=True)
def _any_pace(monkeypatch):
    """The tiny voice has random durations, whose pace says nothing of a recording."""
    monkeypatch.setattr(prompts, "SLOWEST", 0.0)


def _target(voice_folder, **asked):
    target = EngineTarget()
    target.requested = {"threads": 1, "nfe_steps": 4, **REFERENCE, **asked}
    target.pipeline = FlowPipeline.load(target.requested, voice_folder)
    return target


def _broken(target, request=REQUEST):
    return {effect.option for effect in target.observe(request) if not effect.in_effect}


@pytest.mark.parametrize(
    "asked",
    [{}, {"cfg_strength": 0.0}, {"precision": "bf16"}, {"speaker": "rms", "speed": 1.6, "seed": 4}],
)
def test_an_honest_engine_keeps_its_promises_with_a_recording(voice_folder, asked):
    assert _broken(_target(voice_folder, **asked)) == set()


def test_a_recording_that_a_request_brings_is_held_against_it(voice_folder):
    request = Request(id="u002", text="Hello. " * 20, options=REFERENCE)

    assert _broken(_target(voice_folder, reference="", reference_text=""), request) == set()


def test_a_second_text_does_not_work_the_recording_out_again(voice_folder):
    """
    Counted from outside, over several chunks: once for the request that brings it, never again.
    """
    pipeline = FlowPipeline.load({"threads": 1, "nfe_steps": 1}, voice_folder)
    counts = [
        observe(pipeline, Request(id="r", text=text, options=REFERENCE)).prompt.encoded
        for text in ("Hello. " * 30, "Goodbye, then.", "Hello again. " * 20)
    ]

    assert counts == [1, 0, 0]


def test_lie_a_recording_that_is_read_and_not_used(voice_folder, monkeypatch):
    monkeypatch.setattr(batched, "with_prompt", lambda guided, reference: guided)

    assert {"reference"} <= _broken(_target(voice_folder)) <= {"reference", "reference_text"}


def test_lie_a_recording_that_is_not_even_read(voice_folder, monkeypatch):
    monkeypatch.setattr(FlowPipeline, "_prompt_of", lambda self, config: None)

    assert _broken(_target(voice_folder)) == {"reference", "reference_text"}


def test_lie_another_recording(voice_folder, monkeypatch):
    other = (VOICES / "rms.flac").read_bytes()
    encode = prompts.encode
    monkeypatch.setattr(
        prompts,
        "encode",
        lambda voice, device, content, text, speaker: encode(voice, device, other, text, "slt"),
    )

    assert _broken(_target(voice_folder)) == {"reference"}


def test_lie_a_memory_that_gives_the_first_recording_for_every_other(voice_folder):
    target = _target(voice_folder)
    first = target.pipeline.prompts.get(*REFERENCE.values(), "slt")
    target.pipeline.prompts.get = lambda reference, text, speaker: first
    request = Request(
        id="u002",
        text="Hello.",
        options={"reference": str(VOICES / "rms.flac"), "reference_text": SAYS},
    )

    assert _broken(target, request) == {"reference"}


def test_lie_another_text(voice_folder, monkeypatch):
    encode = prompts.encode
    wrong = "She told us that his sister works in a hospital."
    monkeypatch.setattr(
        prompts,
        "encode",
        lambda voice, device, content, text, who: encode(voice, device, content, wrong, who),
    )

    assert _broken(_target(voice_folder)) == {"reference_text"}


def test_lie_the_recording_is_left_in_the_speech(voice_folder, monkeypatch):
    monkeypatch.setattr(flow.Alignment, "prompt_frames", 0)

    assert {"reference", "speed"} <= _broken(_target(voice_folder))


def test_lie_the_recording_is_told_to_both_halves_of_guidance(voice_folder, monkeypatch):
    def both(guided, reference):
        known = guided.prompt_mel.clone()
        known[:, : len(reference)] = reference.to(known)
        return replace(guided, prompt_mel=known)

    monkeypatch.setattr(batched, "with_prompt", both)

    assert _broken(_target(voice_folder)) == {"reference"}


def test_lie_a_recording_where_none_was_asked_for(voice_folder, monkeypatch):
    target = _target(voice_folder)
    target.requested = {"threads": 1, "nfe_steps": 4, "reference": "", "reference_text": ""}

    assert _broken(target) == {"reference", "reference_text"}


def test_the_same_recording_is_near_and_another_one_far(voice_folder):
    """The limit lies between the two, far from both."""
    pipeline = FlowPipeline.load({"threads": 1}, voice_folder)
    mel = (
        pipeline.prompts.get(*REFERENCE.values(), "slt").mel * pipeline.voice.mel_std
        + pipeline.voice.mel_mean
    )

    assert distance(mel, DATA / "slt.flac", 16_000, 1e-4) < FARTHEST / 5
    for speaker in ("slt", "rms", "awb"):
        assert distance(mel, VOICES / f"{speaker}.flac", 16_000, 1e-4) > 5 * FARTHEST
    assert distance(torch.zeros(15, 80), DATA / "slt.flac", 16_000, 1e-4) == float("inf"), (
        "too little to compare"
    )
