"""
Post-processing as the delivered audio shows it. Lies are planted in a real pipeline (on the tiny
voice), as in test_option_checks.py.
"""

import numpy as np
import pytest

from voxgate.engine.audio.postprocess import crossfade, normalise_level
from voxgate.engine.pipelines import flow
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine import output_checks, postprocess_checks
from voxgate.harness.targets.engine.output_checks import OutputSeen
from voxgate.harness.targets.engine.postprocess_checks import POSTPROCESS_CHECKS
from voxgate.harness.targets.engine.target import EngineTarget

LONG = Request(id="p001", text="He cut the bread into thick slices, and the soup was hot. " * 2)
ALL = {"denoise": "light", "deess": "on", "silence_removal": "adaptive", "crossfade_ms": 80.0}
OFF = {"denoise": "off", "deess": "off", "silence_removal": "off", "crossfade_ms": 50.0}
START = {"trim_start_ms": 0.0, "fade_in_ms": 0.0}
RATE = 16_000


def _observed(voice_folder, asked):
    target = EngineTarget()
    target.requested = {"threads": 1, "nfe_steps": 1, **asked}
    target.pipeline = FlowPipeline.load(target.requested, voice_folder)
    return target.observe(LONG)


def test_an_honest_engine_keeps_all_four_at_once(voice_folder):
    effects = _observed(voice_folder, {**ALL, "fade_in_ms": 20.0})
    assert [each for each in effects if each.in_effect is False] == []
    assert {each.option for each in effects if each.option in POSTPROCESS_CHECKS} == set(ALL)


def _paused(audio):
    """Return a chunk at its level, with a pause in it, which the tiny voice never makes."""
    level = normalise_level(audio).copy()
    level[2000:8000] = 0.0
    return level


def test_lie_a_pipeline_that_calls_none_of_them(voice_folder, monkeypatch):
    for module in (flow, output_checks, postprocess_checks):
        monkeypatch.setattr(module, "normalise_level", _paused)
    asked = {"deess": "on", "silence_removal": "fixed", "crossfade_ms": 80.0}
    assert not [each for each in _observed(voice_folder, asked) if each.in_effect is False]

    for name in ("denoised", "deessed", "shortened"):
        monkeypatch.setattr(flow, name, lambda audio, *_args, **_named: audio)
    monkeypatch.setattr(flow, "crossfade", lambda chunks, _samples: crossfade(chunks, 800))
    broken = {each.option for each in _observed(voice_folder, asked) if each.in_effect is False}
    assert set(asked) <= broken


def _chunk():
    """Return speech, a silence of 0.4 s, an s, and a floor of noise."""
    generator = np.random.default_rng(0)
    hiss = np.diff(generator.standard_normal(4801), prepend=0.0)[1:] * 0.05
    vowel = 0.12 * np.sin(2 * np.pi * 150 * np.arange(8000) / RATE)
    audio = np.concatenate((vowel, np.zeros(6400), hiss, vowel))
    return (audio + 1e-3 * generator.standard_normal(audio.size)).astype(np.float32)


CHUNKS = (_chunk(), _chunk())


class _Record:
    def __init__(self, made, done, chunks=CHUNKS):
        seen = OutputSeen(delivered=np.zeros(1), unmarked=None, chunks=chunks, rate_hz=RATE)
        delivered = output_checks.joined(seen, {**OFF, **START, **made})
        self.output = OutputSeen(
            delivered=done(delivered), unmarked=None, chunks=chunks, rate_hz=RATE
        )


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("asked", ["off", "on"])
@pytest.mark.parametrize("made", ["off", "on"])
@pytest.mark.parametrize("others", ["off", "on"])
def test_each_is_found_in_the_audio_or_missed_whatever_the_others_are(name, asked, made, others):
    base = {**START, **(ALL if others == "on" else OFF)}
    value = {"on": ALL[name], "off": OFF[name]}
    record = _Record({**base, name: value[made]}, lambda audio: audio)
    check = POSTPROCESS_CHECKS[name]({**base, name: value[asked]}, record)
    assert check.in_effect is (asked == made), check


def test_an_option_that_found_nothing_to_do_is_told_from_one_that_nobody_calls():
    speech = (np.sin(np.arange(8000) * 0.06) * 0.113).astype(np.float32)
    options = {**OFF, **START, "silence_removal": "fixed"}
    idle = _Record({}, lambda audio: audio, (speech,))
    seen = POSTPROCESS_CHECKS["silence_removal"](options, idle)
    assert (seen.in_effect, seen.observed) == (None, "no change")
    deaf = _Record({}, lambda audio: audio)
    assert POSTPROCESS_CHECKS["silence_removal"](options, deaf).in_effect is False


def test_a_removal_that_itself_removes_nothing_is_found_by_the_silence_that_is_left(monkeypatch):
    monkeypatch.setattr(output_checks, "shortened", lambda audio, *_args, **_named: audio)
    options = {**OFF, **START, "silence_removal": "fixed"}
    seen = POSTPROCESS_CHECKS["silence_removal"](options, _Record({}, lambda audio: audio))
    assert seen.in_effect is False and seen.observed.startswith("a silence of 0.4")


def test_a_join_that_no_text_has_shows_nothing_of_another_crossfade():
    record = _Record({}, lambda audio: audio, (_chunk(),))
    check = POSTPROCESS_CHECKS["crossfade_ms"]
    asked = [{**OFF, **START, "crossfade_ms": ms} for ms in (50.0, 80.0)]
    assert [check(each, record).in_effect for each in asked] == [True, None]


def test_no_audio_shows_nothing():
    record = _Record({}, lambda audio: audio[:0], (_chunk(),))
    options = {**OFF, **START}
    assert POSTPROCESS_CHECKS["deess"](options, record).in_effect is None
    assert OFF["crossfade_ms"] == postprocess_checks.DEFAULT_MS
