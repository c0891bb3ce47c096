"""
Every metric of the panel on every audio that there may be: a finite number or a reason, never an
exception.
"""

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tests.harness.metrics.speech import RATE_HZ, SEGMENTS, speech, spoken_for, with_noise
from voxgate.harness.audio.recording import Recording, Samples, read_recording
from voxgate.harness.metrics import take_parity, voice_quality
from voxgate.harness.metrics.metric import MetricInput, MetricSpec
from voxgate.harness.metrics.registry import entries
from voxgate.harness.records.measurement import Missing, Value, lacks_package

RATES_HZ = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)
PLAIN = [
    each
    for each in entries().values()
    if each.source is not None and not each.golden and each.condition is None
]
CONDITIONED = [
    each for each in entries().values() if each.source is not None and each.condition is not None
]
HIGH = ("band_4k", "band_7k")
SLOW = {
    **{
        each.name: "a model, which takes a window at a time"
        for each in PLAIN
        if each.source is not None and each.source.heavy
    },
    **dict.fromkeys(("pesq", "pesq_c2"), "5 s each, in pieces of 30 s"),
    **dict.fromkeys(("stoi", "estoi"), "3 s each"),
    **dict.fromkeys(
        ("mcd", "f0_rmse_hz", "f0_rmse_cents", "f0_correlation", "vuv_error"), "warping, 10 s"
    ),
    **dict.fromkeys(("clicks", "join_clicks"), "a predictor for every 15 ms, 5 s"),
    **dict.fromkeys(
        (
            "question_rise",
            "end_level",
            "pitch_range",
            "pitch_median",
            "emphasis_prominence",
            "end_rise",
            "intonation_fit",
            "declination",
            "end_rise_error",
            "source_f0_correlation",
            "source_f0_offset",
        ),
        "the tracker, 5 s",
    ),
    **dict.fromkeys(
        (each.metric.name for each in (*take_parity.METRICS, *voice_quality.METRICS)),
        "the tracker, 5 s",
    ),
    "repeats": "5 s",
    "packet_repeats": "a correlation every 6 ms, 5 s",
    **dict.fromkeys(HIGH, "8 kHz hold no such band"),
    **{each.name: "a minute is the most" for each in PLAIN if each.family == "accent"},
    "emphasis_length": "a minute is the most",
}
"""
Not tried on ten minutes in every run of the tests, and why. All are in docs/evidence/metrics.md, at
48 kHz.
"""
every_metric = pytest.mark.parametrize("line", PLAIN, ids=lambda line: line.name)
every_conditioned = pytest.mark.parametrize("line", CONDITIONED, ids=lambda line: line.name)


def scored(line: MetricSpec, **changes: object) -> Value:
    assert line.source is not None
    given = {
        "audio": usual(),
        "reference": usual(),
        "voice": usual(),
        "statement": usual(),
        "joins_s": (0.5, 1.0),
        "segments": SEGMENTS,
        "voices": {"slt": usual(), "rms": usual()},
        "source": usual(),
        "marked": changes.get("audio", usual()),
    } | changes
    text, language = spoken_for(line)
    return line.source.score(
        MetricInput(text=text, language=language, region="mexico", emphasis="brother", **given)
    )


def sound(value: Value) -> bool:
    """Whether it is what a metric may say."""
    return (
        math.isfinite(value)
        if isinstance(value, float)
        else isinstance(value, Missing) and bool(value.reason)
    )


@functools.cache
def usual() -> Recording:
    return Recording(speech(), RATE_HZ)


@functools.cache
def at_rate(rate_hz: int) -> Recording:
    return Recording(soxr.resample(speech(), RATE_HZ, rate_hz), rate_hz)


def _spoilt(value: float) -> Samples:
    samples = speech()
    samples[1000] = value
    return samples


EDGES: dict[str, Callable[[], Recording]] = {
    "50 ms": lambda: Recording(speech()[RATE_HZ : RATE_HZ + 800], RATE_HZ),
    "all zeros": lambda: Recording(np.zeros(2 * RATE_HZ), RATE_HZ),
    "one frame": lambda: Recording(np.array([0.5]), RATE_HZ),
    "one silent frame": lambda: Recording(np.zeros(1), RATE_HZ),
    "no frame": lambda: Recording(np.zeros(0), RATE_HZ),
    "NaN": lambda: Recording(_spoilt(np.nan), RATE_HZ),
    "infinity": lambda: Recording(_spoilt(np.inf), RATE_HZ),
    "minus infinity": lambda: Recording(_spoilt(-np.inf), RATE_HZ),
    "square wave at full scale": lambda: Recording(
        np.sign(np.sin(np.arange(len(speech())) / 20.0) + 1e-9), RATE_HZ
    ),
    "a step": lambda: Recording(np.where(np.arange(len(speech())) < RATE_HZ, 0.0, 0.3), RATE_HZ),
    "one click in silence": lambda: Recording(np.eye(1, len(speech()), RATE_HZ)[0], RATE_HZ),
    "far beyond full scale": lambda: Recording(1e6 * speech(), RATE_HZ),
    "hardly above nothing": lambda: Recording(1e-9 * speech(), RATE_HZ),
    "white noise": lambda: Recording(
        np.random.default_rng(0).uniform(-1.0, 1.0, len(speech())), RATE_HZ
    ),
    "1 kHz": lambda: Recording(np.random.default_rng(0).uniform(-1.0, 1.0, 2_000), 1_000),
}
edge = functools.cache(lambda name: EDGES[name]())
FEW_EDGES = ("50 ms", "all zeros", "one frame", "no frame", "NaN", "square wave at full scale")
FEW_RATES_HZ = (8_000, 48_000)
"""
For metrics with models, which take a second a time: what tells their own code from that of all.
"""


def crossed(what: str, all_of: Sequence[object], few: Sequence[object]) -> pytest.MarkDecorator:
    cases = [(line, each) for line in PLAIN for each in (few if heavy(line) else all_of)]
    return pytest.mark.parametrize(
        ("line", what),
        cases,
        ids=lambda part: part.name if isinstance(part, MetricSpec) else str(part),
    )


def heavy(line: MetricSpec) -> bool:
    return line.source is not None and line.source.heavy


on_every_edge = crossed("name", tuple(EDGES), FEW_EDGES)
at_every_rate = crossed("rate_hz", RATES_HZ, FEW_RATES_HZ)


@every_metric
def test_plain_speech_has_a_value_from_every_metric(line: MetricSpec) -> None:
    value = scored(line)

    if isinstance(value, Missing) and lacks_package(value):
        pytest.skip(value.reason)
    assert isinstance(value, float), value


@on_every_edge
def test_bad_audio_gives_a_number_or_a_reason(line: MetricSpec, name: str) -> None:
    assert sound(scored(line, audio=edge(name)))


@on_every_edge
def test_so_does_a_bad_recording_to_hold_it_against(line: MetricSpec, name: str) -> None:
    assert sound(scored(line, reference=edge(name), voice=edge(name), statement=edge(name)))


@on_every_edge
def test_and_the_same_bad_audio_on_both_sides(line: MetricSpec, name: str) -> None:
    assert sound(
        scored(line, audio=edge(name), reference=edge(name), voice=edge(name), statement=edge(name))
    )


@at_every_rate
def test_every_usual_rate_gives_a_number(line: MetricSpec, rate_hz: int) -> None:
    value = scored(
        line, **dict.fromkeys(("audio", "reference", "voice", "statement"), at_rate(rate_hz))
    )

    narrow = (line.name in HIGH or line.family == "accent") and rate_hz < 16_000
    assert isinstance(value, Missing if narrow else float) or lacks_package(value), value


@every_metric
def test_two_channels_are_heard_as_their_mean(line: MetricSpec, stereo: Recording) -> None:
    assert scored(line, audio=stereo) == scored(line, audio=usual())


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path: Path = tmp_path_factory.mktemp("stereo") / "two.wav"
    # which 16-bit values stand exactly
    both = np.stack([speech() + 2**-7, speech() - 2**-7], axis=1)
    soundfile.write(path, both, RATE_HZ, subtype="DOUBLE")
    return read_recording(path)


@pytest.mark.parametrize(
    "line", [each for each in PLAIN if each.name not in SLOW], ids=lambda line: line.name
)
def test_ten_minutes_give_a_number(line: MetricSpec) -> None:
    joins_s = tuple(float(second) for second in range(1, 600))

    assert isinstance(
        scored(
            line,
            audio=long_and_noisy(),
            reference=long(),
            voice=long(),
            source=long(),
            joins_s=joins_s,
        ),
        float,
    )


@functools.cache
def long() -> Recording:
    samples = np.tile(np.concatenate([speech(), np.zeros(RATE_HZ // 4)]), 200)[: 600 * RATE_HZ]
    return Recording(soxr.resample(samples, RATE_HZ, 8_000), 8_000)


@functools.cache
def long_and_noisy() -> Recording:
    return Recording(with_noise(long().samples, 40.0), 8_000)


@every_conditioned
@pytest.mark.parametrize(
    "name", ["50 ms", "all zeros", "one frame", "no frame", "NaN", "square wave at full scale"]
)
def test_a_condition_gives_a_number_or_a_reason_too(line: MetricSpec, name: str) -> None:
    assert line.condition is not None
    heard = line.condition.hear(edge(name))

    assert sound(scored(line, audio=heard, reference=line.condition.hear(usual())))
