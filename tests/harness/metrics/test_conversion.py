"""
The metrics of conversions on real speech: flite's slt and rms saying the same, WORLD's copies with
a known pitch, a copy of the source, a late one, one with a hole.
"""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from voxgate.harness.audio.recording import Recording, read_recording
from voxgate.harness.metrics import conversion
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.records.measurement import Missing, MissingKind, Value, lacks_package

VOICES = Path(conversion.__file__).parents[1] / "workloads" / "voices"
RATE_HZ = 16_000
SCORES = {each.metric.name: each.score for each in conversion.METRICS}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """As in a scoring process."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@functools.cache
def voice(name: str, start_s: float = 0.0, end_s: float = 4.0) -> Recording:
    """Flite's voice of that name, reading the same two sentences as the others."""
    whole = read_recording(VOICES / f"{name}.flac")
    return Recording(whole.samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)], RATE_HZ)


def scored(name: str, audio: Recording, source: Recording | None = None) -> Value:
    """Score a conversion from slt to rms."""
    given = MetricInput(
        audio=audio, source=source or voice("slt"), voice=voice("rms", 4.0, 8.0), text="x"
    )
    value = SCORES[name](given)
    if lacks_package(value):
        pytest.skip(str(value))
    return value


def number(name: str, audio: Recording, source: Recording | None = None) -> float:
    value = scored(name, audio, source)
    assert isinstance(value, float), value
    return value


def raised(recording: Recording, semitones: float) -> Recording:
    """The same, at another pitch, by WORLD."""
    pyworld = pytest.importorskip("pyworld")
    samples = np.ascontiguousarray(recording.samples)
    f0_hz, times_s = pyworld.dio(samples, RATE_HZ)
    f0_hz = pyworld.stonemask(samples, f0_hz, times_s, RATE_HZ)
    envelope = pyworld.cheaptrick(samples, f0_hz, times_s, RATE_HZ)
    noise = pyworld.d4c(samples, f0_hz, times_s, RATE_HZ)
    return Recording(
        pyworld.synthesize(f0_hz * 2.0 ** (semitones / 12.0), envelope, noise, RATE_HZ), RATE_HZ
    )


def test_the_target_itself_is_near_the_target_and_a_copy_leaks_everywhere() -> None:
    target, copy = voice("rms"), voice("slt")
    assert number("similarity_margin", target) > 0.2
    assert number("source_leakage", target) == 0.0
    assert number("similarity_margin", copy) < -0.2
    assert number("source_leakage", copy) == 1.0


def test_half_of_each_voice_leaks_by_about_half() -> None:
    source, target = voice("slt").samples, voice("rms").samples
    half = Recording(
        np.concatenate([source[: len(source) // 2], target[len(target) // 2 :]]), 16_000
    )
    assert 0.2 <= number("source_leakage", half) <= 0.8
    assert abs(number("similarity_margin", half)) < 0.2


@pytest.mark.parametrize("semitones", [4.0, -5.0])
def test_a_known_shift_of_the_pitch_is_the_offset_and_the_melody_stays(semitones: float) -> None:
    higher = raised(voice("slt"), semitones)
    assert number("source_f0_offset", higher) == pytest.approx(semitones, abs=0.15)
    assert number("source_f0_correlation", higher) > 0.95
    assert number("source_energy_correlation", higher) > 0.95


def test_another_rendition_of_the_words_has_another_melody() -> None:
    other = number("source_f0_correlation", voice("rms"))
    assert other < 0.8
    assert number("source_f0_offset", voice("rms")) == pytest.approx(-9.5, abs=1.5)


def test_a_copy_is_the_source_at_any_rate_and_level() -> None:
    copy = Recording(0.5 * voice("slt").at(24_000), 24_000)
    assert number("source_f0_correlation", copy) == pytest.approx(1.0, abs=0.01)
    assert number("source_f0_offset", copy) == pytest.approx(0.0, abs=0.02)
    assert number("source_energy_correlation", copy) == pytest.approx(1.0, abs=0.01)
    assert number("source_duration_error", copy) == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("late_s", [0.1, -0.1])
def test_a_delay_costs_duration_and_nothing_else(late_s: float) -> None:
    by = round(abs(late_s) * RATE_HZ)
    samples = voice("slt").samples
    late = Recording(np.pad(samples, (by, 0)) if late_s > 0 else samples[by:], RATE_HZ)
    assert number("source_f0_correlation", late) > 0.99
    assert number("source_energy_correlation", late) > 0.99
    assert number("source_duration_error", late) == pytest.approx(0.1 / 4.0, abs=1e-6)


def test_a_hole_costs_energy_and_one_that_is_cut_out_costs_duration() -> None:
    samples = voice("slt").samples.copy()
    middle, wide = len(samples) // 2, round(0.3 * RATE_HZ)
    short = Recording(np.delete(samples, np.s_[middle : middle + wide]), RATE_HZ)
    samples[middle : middle + wide] = 0.0
    hole = Recording(samples, RATE_HZ)
    assert number("source_energy_correlation", hole) < 0.95
    assert number("source_duration_error", hole) == 0.0
    assert number("source_duration_error", short) == pytest.approx(0.3 / 4.0)


def test_another_tempo_has_no_common_times_and_says_so_by_its_kind() -> None:
    samples = voice("slt").samples
    for name in ("source_f0_correlation", "source_f0_offset", "source_energy_correlation"):
        value = scored(name, Recording(samples[: len(samples) // 2], RATE_HZ))
        assert isinstance(value, Missing) and value.kind is MissingKind.DURATIONS_DIFFER
    assert number("source_duration_error", Recording(samples[: len(samples) // 2], RATE_HZ)) == 0.5


def test_a_broken_source_is_named_as_the_source() -> None:
    broken = Recording(np.full(RATE_HZ, np.nan), RATE_HZ)
    silent = Recording(np.zeros(RATE_HZ), RATE_HZ)
    whole = Recording(voice("slt").samples[:RATE_HZ], RATE_HZ)
    for name in SCORES:
        value = scored(name, whole, broken)
        assert isinstance(value, Missing) and value.reason.startswith("the source: "), name
        if name != "source_duration_error":
            assert isinstance(scored(name, whole, silent), Missing), name
