"""
Accents of Spanish: whether the sound fits the region that was asked for, and by which of its marks.

What is heard in each place where accents differ is for `audio/accent.py`, which tells approximant,
"sh" and "zh", th and s, and s and a breath apart by the hiss and the voice of the sound. None is
better than another; a change is. Only the fit has a better direction, and an error rate: see
docs/evidence/spanish.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from voxgate.harness.audio.accent import SlotSound, Sound, region_fit, share_of, slot_sounds
from voxgate.harness.audio.recording import Recording
from voxgate.harness.audio.spanish_phones import Slot
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.records.measurement import Better, Metric, Missing, Value

BY_SLOT: Mapping[Need, Slot] = {
    Need.LL: Slot.LL,
    Need.THETA: Slot.THETA,
    Need.CODA_S: Slot.CODA_S,
}
"""Need -> the slot that a text must have."""


@dataclass(frozen=True, slots=True)
class _SoundsOf:
    """The feature "sounds of this text", under which a recording caches it."""

    text: str

    def __call__(self, recording: Recording) -> tuple[SlotSound, ...] | Missing:
        return slot_sounds(recording, self.text)


def accent_fit(inputs: MetricInput) -> Value:
    """Return the share of the places where accents differ that sound as the region has them."""
    assert inputs.region is not None, "the scorer gives the region"
    sounds = _sounds(inputs)
    if isinstance(sounds, Missing):
        return sounds
    fitting, count = region_fit(sounds, inputs.region)
    return fitting / count if count else Missing("the text has no place where accents differ")


def seseo(inputs: MetricInput) -> Value:
    """Return the share of each c before e or i and each z that is heard as s and not as th."""
    return _share(inputs, Slot.THETA)


def coda_s(inputs: MetricInput) -> Value:
    """Return the share of each s before a consonant that is heard as s: no breath, not left out."""
    return _share(inputs, Slot.CODA_S)


def _share(inputs: MetricInput, slot: Slot) -> Value:
    sounds = _sounds(inputs)
    return sounds if isinstance(sounds, Missing) else share_of(sounds, slot, frozenset({Sound.S}))


def _mean_in_ll(field: str) -> Callable[[MetricInput], Value]:
    def mean(inputs: MetricInput) -> Value:
        sounds = _sounds(inputs)
        if isinstance(sounds, Missing):
            return sounds
        found = [getattr(each, field) for each in sounds if each.slot is Slot.LL]
        known = [value for value in found if value is not None]
        return float(np.mean(known)) if known else Missing("the text has no ll")

    return mean


def _sounds(inputs: MetricInput) -> tuple[SlotSound, ...] | Missing:
    return inputs.audio.once(_SoundsOf(inputs.words))


def _metric(
    name: str, unit: str, score: Callable[[MetricInput], Value], need: Need, better: Better
) -> AudioMetric:
    return AudioMetric(
        metric=Metric(name=name, unit=unit, better=better, version="1"),
        score=score,
        need=need,
        reads_text=True,
    )


METRICS: tuple[AudioMetric, ...] = (
    _metric("accent_fit", "1", accent_fit, Need.ACCENT, "higher"),
    _metric("ll_hiss", "dB", _mean_in_ll("hiss_db"), Need.LL, "neither"),
    _metric("ll_voice", "dB", _mean_in_ll("voice_db"), Need.LL, "neither"),
    _metric("ll_centroid", "Hz", _mean_in_ll("centroid_hz"), Need.LL, "neither"),
    _metric("seseo", "1", seseo, Need.THETA, "neither"),
    _metric("coda_s", "1", coda_s, Need.CODA_S, "neither"),
)
