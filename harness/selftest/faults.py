"""
The list of faults, as data: what each is called, how strong it is, and how it is made.

A fault that an engine can be asked for is asked for, so that it sounds as it would in life; where there is no engine (a
recording), or where the engine cannot do it, the audio is changed. What the faults do is `respeech.py`'s, `fault_effects.py`'s,
`distortion.py`'s and `resynthesis.py`'s business.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.selftest import distortion, fault_effects, respeech, resynthesis
from harness.selftest.respeech import Respeak
from harness.selftest.speech import Change

PEAK, BELOW, FULL = "{:g} of the peak", "{:g} dB below", "{:g} of full scale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault at one strength: what is spoken instead, or how the audio is changed. `harmless` ones must not be found."""

    name: str
    strength: str
    respeak: Respeak | None = None
    change: Change | None = None
    harmless: bool = False


def _several(name: str, strength: str, make: Callable[[float], Change], values: Sequence[float]) -> tuple[Fault, ...]:
    return tuple(Fault(name=name, strength=strength.format(value), change=make(value)) for value in values)


def _milliseconds(name: str, make: Callable[[float], Change], values: Sequence[int]) -> tuple[Fault, ...]:
    return tuple(Fault(name=name, strength=f"{value} ms", change=make(value / 1000)) for value in values)


FAULTS: tuple[Fault, ...] = (
    *_several("click", PEAK, fault_effects.click, (0.1, 0.3, 1.0)),
    *_several("click every second", PEAK, fault_effects.clicks, (0.3, 1.0)),
    *_several("step at joins", PEAK, fault_effects.seam, (0.1, 0.3)),
    *_milliseconds("dropout", fault_effects.dropout, (5, 20, 60)),
    *_milliseconds("repeated stretch", fault_effects.repeat, (200,)),
    Fault(name="wrong word", strength="one", respeak=respeech.wrong_word, change=fault_effects.swap_word(0.4)),
    *_milliseconds("cut tail", fault_effects.cut_tail, (20, 80, 200)),
    *_milliseconds("muted tail", fault_effects.mute_tail, (20, 80, 200)),
    *_milliseconds("silence before", fault_effects.silence_before, (1000,)),
    *_milliseconds("pause inside", fault_effects.pause, (1000,)),
    *_milliseconds("silence after", fault_effects.silence_after, (1000,)),
    *_milliseconds("late", fault_effects.silence_before, (20,)),
    *_milliseconds("spill-over", fault_effects.spill, (300,)),
    Fault(name="other speaker", strength="whole", respeak=respeech.other_speaker, change=resynthesis.other_mouth(0.6, 0.85)),
    Fault(name="flat question", strength="7 semitones", respeak=respeech.as_statement, change=resynthesis.fall(7.0)),
    Fault(name="faster", strength="10 %", respeak=respeech.at_speed(1.1), change=resynthesis.paced(1.1)),
    Fault(name="slower", strength="10 %", respeak=respeech.at_speed(0.9), change=resynthesis.paced(0.9)),
    *_several("noise", BELOW, distortion.noise, (40, 30, 20)),
    Fault(name="quieter", strength="6 dB", change=distortion.louder(-6.0)),
    Fault(name="polarity", strength="inverted", change=distortion.inverted),
    *_several("DC offset", FULL, distortion.offset, (0.01, 0.05)),
    *_several("overdriven", "{:g} dB", distortion.overdriven, (3, 6)),
    Fault(name="resampler", strength="24 kHz and back by soxr HQ", change=distortion.round_trip(24_000)),
    Fault(name="resampler", strength="by straight lines", change=distortion.poor_round_trip(24_000)),
    Fault(name="not a number", strength="one frame", change=distortion.not_a_number),
    Fault(name="rounding", strength="16 bits", change=distortion.rounded(16), harmless=True),
)
"""The strengths of a fault follow each other, the weakest first."""
