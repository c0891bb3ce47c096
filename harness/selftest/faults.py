"""
The list of faults, as data: name, strength and how each is made.

A fault that an engine can be asked for is asked for, so that it sounds as it would in use: a pure
function changes the request, or returns None where it cannot. Where there is no engine (a
recording), or where the engine cannot do it, `fault_effects.py` or `resynthesis.py` change the
audio.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from voxgate.harness.records.cell import Request
from voxgate.harness.selftest import channel_faults, fault_effects, resynthesis, token_faults
from voxgate.harness.selftest.fault_effects import Change
from voxgate.harness.selftest.token_faults import Respeak

OTHER_WORDS = ("window", "orange", "seven", "mother")


def wrong_word(request: Request, requests: Sequence[Request]) -> Request | None:
    """Replace the longest word by another one."""
    words = re.findall(r"[A-Za-z']+", request.text)
    other = next((word for word in OTHER_WORDS if word not in request.text.lower()), None)
    if not words or other is None:
        return None
    longest = max(words, key=len)
    return replace(request, text=re.sub(rf"\b{re.escape(longest)}\b", other, request.text, count=1))


def other_speaker(request: Request, requests: Sequence[Request]) -> Request | None:
    """Request another speaker of the same workload; None where it has only one."""
    speakers = list(
        dict.fromkeys(
            str(candidate.options["speaker"])
            for candidate in requests
            if "speaker" in candidate.options
        )
    )
    own = request.options.get("speaker")
    others = [speaker for speaker in speakers if speaker != own]
    return (
        replace(request, options={**request.options, "speaker": others[0]})
        if own is not None and others
        else None
    )


def as_statement(request: Request, requests: Sequence[Request]) -> Request | None:
    """Request a question as a statement; None for a text that is no question."""
    text = request.text.rstrip()
    return replace(request, text=f"{text[:-1]}.") if text.endswith("?") else None


def at_speed(speed: float) -> Respeak:
    """Request `speed` times the speed, by the option `speed`."""

    def respeak(request: Request, requests: Sequence[Request]) -> Request | None:
        usual = request.options.get("speed", 1.0)
        assert isinstance(usual, int | float), "the target checks the values of its options"
        return replace(request, options={**request.options, "speed": speed * usual})

    return respeak


PEAK, BELOW, FULL = "{:g} of the peak", "{:g} dB below", "{:g} of full scale"
SEMITONES, OF_100 = "{:g} semitones", "{:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    One fault at one strength: a changed request, or changed audio. `harmless` ones must not be
    found. What is `resynthesised` throughout is held against the same resynthesis without it.
    """

    name: str
    strength: str
    respeak: Respeak | None = None
    change: Change | None = None
    harmless: bool = False
    resynthesised: bool = False


def _several(
    name: str,
    strength: str,
    make: Callable[[float], Change],
    values: Sequence[float],
    *,
    resynthesised: bool = False,
) -> tuple[Fault, ...]:
    return tuple(
        Fault(
            name=name,
            strength=strength.format(value),
            change=make(value),
            resynthesised=resynthesised,
        )
        for value in values
    )


def _voices(
    name: str, strength: str, make: Callable[[float], Change], values: Sequence[float]
) -> tuple[Fault, ...]:
    return _several(name, strength, make, values, resynthesised=True)


def _milliseconds(
    name: str, make: Callable[[float], Change], values: Sequence[int]
) -> tuple[Fault, ...]:
    return tuple(
        Fault(name=name, strength=f"{value} ms", change=make(value / 1000)) for value in values
    )


FAULTS: tuple[Fault, ...] = (
    *_several("click", PEAK, fault_effects.click, (0.1, 0.3, 1.0)),
    *_several("click every second", PEAK, fault_effects.clicks, (0.3, 1.0)),
    *_several("step at joins", PEAK, fault_effects.seam, (0.1, 0.3)),
    *_milliseconds("dropout", fault_effects.dropout, (5, 20, 60)),
    *_milliseconds("repeated stretch", fault_effects.repeat, (200,)),
    Fault(
        name="wrong word", strength="one", respeak=wrong_word, change=fault_effects.swap_word(0.4)
    ),
    *_milliseconds("cut tail", fault_effects.cut_tail, (20, 80, 200)),
    *_milliseconds("muted tail", fault_effects.mute_tail, (20, 80, 200)),
    *_milliseconds("silence before", fault_effects.silence_before, (1000,)),
    *_milliseconds("pause inside", fault_effects.pause, (1000,)),
    *_milliseconds("silence after", fault_effects.silence_after, (1000,)),
    *_milliseconds("late", fault_effects.silence_before, (20,)),
    *_milliseconds("spill-over", fault_effects.spill, (300,)),
    *_milliseconds("spill-over from the middle", token_faults.snippet, (600,)),
    *_milliseconds("run-away babble", token_faults.babble, (2000, 10_000)),
    *_milliseconds("run-away sound", token_faults.held, (2000, 10_000)),
    *_milliseconds("stuck phone", token_faults.stuck, (600, 1500)),
    Fault(
        name="said twice",
        strength="a word",
        respeak=token_faults.said_twice(1),
        change=fault_effects.repeat(0.4),
    ),
    Fault(
        name="said twice",
        strength="three words",
        respeak=token_faults.said_twice(3),
        change=fault_effects.repeat(0.9),
    ),
    Fault(
        name="early end",
        strength="a word",
        respeak=token_faults.without_end(1),
        change=token_faults.ended_early(0.85),
    ),
    Fault(
        name="early end",
        strength="three words",
        respeak=token_faults.without_end(3),
        change=token_faults.ended_early(0.55),
    ),
    Fault(
        name="other speaker",
        strength="whole",
        respeak=other_speaker,
        change=resynthesis.other_mouth(0.6, 0.85),
        resynthesised=True,
    ),
    Fault(
        name="flat question",
        strength="7 semitones",
        respeak=as_statement,
        change=resynthesis.fall(7.0),
        resynthesised=True,
    ),
    Fault(
        name="faster",
        strength="10 %",
        respeak=at_speed(1.1),
        change=resynthesis.paced(1.1),
        resynthesised=True,
    ),
    Fault(
        name="slower",
        strength="10 %",
        respeak=at_speed(0.9),
        change=resynthesis.paced(0.9),
        resynthesised=True,
    ),
    *_milliseconds("cut head", fault_effects.cut_head, (40, 120)),
    Fault(
        name="word left out",
        strength="one",
        respeak=token_faults.without_middle_word,
        change=fault_effects.skip(0.3),
    ),
    Fault(
        name="first word missing",
        strength="one",
        respeak=token_faults.without_first_word,
        change=token_faults.begun_late,
    ),
    Fault(
        name="half missing",
        strength="the second",
        respeak=token_faults.without_second_half,
        change=token_faults.ended_early(0.5),
    ),
    Fault(
        name="another sentence",
        strength="whole",
        respeak=token_faults.other_text,
        change=token_faults.another_sentence,
    ),
    Fault(
        name="hallucinated speech",
        strength="2 s behind the end",
        respeak=token_faults.more_text,
        change=token_faults.hallucinated(2.0),
    ),
    Fault(name="noise for speech", strength="whole", change=channel_faults.noise_instead),
    Fault(
        name="other speaker midway",
        strength="the second half",
        change=resynthesis.other_mouth_midway(0.6, 0.85),
    ),
    *_milliseconds("devoiced", resynthesis.devoiced, (100, 300)),
    *_several("wrong vowel", "formants by {:.0%}", resynthesis.other_vowel, (0.2, 0.4)),
    *_several("wrong stress", SEMITONES, resynthesis.other_stress, (2, 4)),
    *_milliseconds("octave drop", resynthesis.octave_drop, (150, 400)),
    *_voices("vibrato", SEMITONES, resynthesis.vibrato, (0.5, 1)),
    *_voices("jitter", OF_100, resynthesis.jitter, (0.03, 0.08)),
    *_voices("shimmer", "{:g} dB", resynthesis.shimmer, (1.5, 3)),
    *_voices("pitch drift", SEMITONES, resynthesis.drifting, (2, 5)),
    *_voices("raised pitch", SEMITONES, resynthesis.raised, (1, 2)),
    *_voices("flat pitch", OF_100, resynthesis.flattened, (0.5, 1.0)),
    *_voices("breath", "{:.0%} of the voice", resynthesis.breathy, (0.3, 0.7)),
    Fault(name="buzz", strength="no breath", change=resynthesis.buzz, resynthesised=True),
    *_several("low-pass", "{:g} Hz", channel_faults.low_pass, (7000, 4000)),
    *_several("whine", BELOW, channel_faults.whine, (45, 30)),
    *_several("hum", BELOW, channel_faults.hum, (30, 15)),
    *_several("wow", OF_100, channel_faults.wow, (0.01, 0.03)),
    *_several("lost packets", OF_100, channel_faults.lost_packets, (0.02, 0.05)),
    Fault(name="mu-law", strength="8 bits", change=channel_faults.mu_law),
    *_several("wrong rate", "{:.3g} of it", channel_faults.played_at, (1.01, 48 / 44.1)),
    *_several("reverberation", "{:g} s", channel_faults.reverberant, (0.2, 0.5)),
    *_several("fading", "{:g} dB", channel_faults.fading, (6, 12)),
    *_several("noise", BELOW, fault_effects.noise, (40, 30, 20)),
    Fault(name="quieter", strength="6 dB", change=fault_effects.louder(-6.0)),
    Fault(name="polarity", strength="inverted", change=fault_effects.inverted),
    *_several("DC offset", FULL, fault_effects.offset, (0.01, 0.05)),
    *_several("overdriven", "{:g} dB", fault_effects.overdriven, (3, 6)),
    Fault(
        name="resampler",
        strength="24 kHz and back by soxr HQ",
        change=fault_effects.round_trip(24_000),
    ),
    Fault(
        name="resampler", strength="by straight lines", change=fault_effects.poor_round_trip(24_000)
    ),
    Fault(name="not a number", strength="one frame", change=fault_effects.not_a_number),
    Fault(name="rounding", strength="16 bits", change=fault_effects.rounded(16), harmless=True),
    Fault(name="dither", strength="16 bits", change=channel_faults.dithered(16), harmless=True),
    Fault(
        name="a little louder",
        strength="0.3 dB",
        change=channel_faults.slightly_louder(0.3),
        harmless=True,
    ),
    Fault(name="all-pass", strength="1 ms", change=channel_faults.all_pass, harmless=True),
    Fault(
        name="there and back",
        strength="twice the rate by soxr VHQ",
        change=channel_faults.up_and_back,
        harmless=True,
    ),
    Fault(name="Opus", strength="96 kbit/s", change=channel_faults.opus(96), harmless=True),
    Fault(name="MP3", strength="96 kbit/s", change=channel_faults.mp3(96), harmless=True),
)
"""The strengths of a fault follow each other, the weakest first."""


def planted_faults(*, greatest: bool) -> tuple[Fault, ...]:
    """Return all faults, or each at its greatest strength."""
    return tuple({fault.name: fault for fault in FAULTS}.values()) if greatest else FAULTS
