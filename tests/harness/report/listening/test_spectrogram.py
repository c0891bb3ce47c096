"""Spectrograms and their differences, as numbers and as pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.harness.metrics.speech import RATE_HZ, speech
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.listening.spectrogram import (
    BANDS,
    HOP_S,
    SpectrogramDifference,
    difference,
    difference_picture,
    legend,
    power_picture,
    spectrogram,
    ticks,
    top_hz,
)
from voxgate.harness.runner.recordings import KeptAudio

HIGHEST_HZ = 8000.0


def sound(frames: np.ndarray, rate_hz: int = RATE_HZ) -> KeptAudio:
    return KeptAudio(frames=np.asarray(frames, dtype=np.float32), rate_hz=rate_hz)


def table(frames: np.ndarray, gain_db: float = 0.0) -> np.ndarray:
    return spectrogram(sound(frames), HIGHEST_HZ, gain_db)


def compared(old: np.ndarray, new: np.ndarray, gain_db: float = 0.0) -> SpectrogramDifference:
    tables = table(old), table(new, gain_db)
    found = difference(*tables, float(max(each.max() for each in tables)))
    assert isinstance(found, SpectrogramDifference)
    return found


def test_identical_takes_differ_nowhere() -> None:
    found = compared(speech(), speech())

    assert not found.table.any()
    assert (found.mean_db, found.shift_s) == (0.0, 0.0)


def test_louder_take_differs_by_its_gain_and_no_more_once_levels_are_matched() -> None:
    assert compared(speech(), 2.0 * speech()).table.max() == pytest.approx(6.02, abs=0.01)
    assert compared(speech(), 2.0 * speech(), -6.0206).mean_db == pytest.approx(0.0, abs=0.01)


def test_tone_stands_in_its_band_at_its_time() -> None:
    frames = np.zeros(2 * RATE_HZ)
    frames[RATE_HZ:] = np.sin(np.arange(RATE_HZ) * 2 * np.pi * 1000 / RATE_HZ)

    found = table(frames)

    place = dict(ticks(HIGHEST_HZ))["1 kHz"]
    assert np.argmax(found[:, 150]) == pytest.approx(place * (BANDS + 1) - 1, abs=1)
    assert found[:, 150].max() - found[:, 80].max() > 60.0
    assert found.shape[1] == 200
    assert found.max() == pytest.approx(-6.0, abs=6.0)


def test_every_band_hears_something() -> None:
    noise = table(np.random.default_rng(0).normal(0, 0.1, RATE_HZ))

    assert np.ptp(noise.mean(axis=1)) < 6.0


def test_planted_difference_is_found_where_it_is() -> None:
    changed = speech()
    changed[24_000:24_800] = 0.0

    found = compared(speech(), changed)

    assert found.most_s == pytest.approx(24_400 / RATE_HZ, abs=0.05)
    assert np.abs(found.table[:, :140]).max() < 0.1
    assert found.table.min() < -20.0


def test_later_beginning_is_aligned_and_told() -> None:
    late = np.concatenate([np.zeros(int(0.05 * RATE_HZ)), speech()])[: len(speech())]

    found = compared(speech(), late)

    assert found.shift_s == pytest.approx(0.05)
    assert found.mean_db < compared(speech(), speech()[::-1]).mean_db / 10


def test_durations_that_differ_give_a_reason() -> None:
    found = difference(table(speech()), table(speech()[: RATE_HZ // 2]), 0.0)

    assert isinstance(found, Missing)
    assert "durations differ, 0.50 s against" in found.reason


def test_a_lower_rate_leaves_the_upper_bands_empty() -> None:
    low = spectrogram(sound(np.random.default_rng(0).normal(0, 0.1, 8000), 8000), HIGHEST_HZ, 0.0)

    assert low[-1].max() < -150.0
    assert low.shape == (BANDS, 100)


def test_what_is_shown_ends_at_half_the_highest_rate_or_at_12_khz() -> None:
    assert top_hz([sound(speech()), sound(speech(), 24_000)]) == 12_000.0
    assert top_hz([sound(speech(), 48_000)]) == 12_000.0
    assert top_hz([sound(speech())]) == 8000.0
    assert [name for name, _ in ticks(8000.0)][-1] == "4 kHz"


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=int)


def test_no_difference_is_one_colour_and_signs_have_two() -> None:
    values = np.zeros((3, 4))
    values[0, 0], values[2, 3] = -30.0, 30.0

    found = pixels(difference_picture(values))

    white, blue, red = found[1, 1], found[2, 0], found[0, 3]  # the first row is the bottom
    assert white.min() > 240
    assert blue[2] > blue[0] + 50
    assert red[0] > red[2] + 50
    assert (found == white).all(axis=2).sum() == 10


def test_loud_is_darker_than_quiet() -> None:
    found = pixels(power_picture(np.array([[0.0, -35.0, -70.0, -200.0]]), 0.0)).sum(axis=2)[0]

    assert found[0] < found[1] < found[2] == found[3]


def test_pictures_are_small() -> None:
    assert len(power_picture(table(speech()), 0.0)) < 25_000
    assert len(legend(signed=True)) < 1000


def test_columns_stand_a_hundredth_of_a_second_apart() -> None:
    assert table(speech()).shape[1] == pytest.approx(len(speech()) / RATE_HZ / HOP_S, abs=1)
