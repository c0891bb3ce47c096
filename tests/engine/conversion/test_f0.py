import sys

import numpy as np
import pytest

from tests.engine.conversion.sounds import glide, hum
from voxgate.engine.config.conversion import F0Method
from voxgate.engine.conversion.f0 import SINGING, F0Track, check_f0_method, estimate_f0
from voxgate.engine.errors import EngineError
from voxgate.engine.layers.mel import HOP


def _needed(method: F0Method) -> None:
    try:
        check_f0_method(method)
    except EngineError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("method", list(F0Method))
@pytest.mark.parametrize("hz", [80.0, 150.0, 333.0])
def test_a_steady_pitch_is_found(method, hz):
    _needed(method)

    track = estimate_f0(hum(hz), method)

    assert track.hz.shape == (16_000 // HOP + 1,)
    inner = track.hz[6:-6]
    assert (inner > 0).all()
    assert np.median(1200 * np.abs(np.log2(inner / hz))) < 15.0


@pytest.mark.parametrize("method", list(F0Method))
def test_frames_lie_where_the_mel_has_them(method):
    _needed(method)
    audio, truth = glide(100.0, 300.0)

    track = estimate_f0(audio, method)

    at = np.arange(10, track.hz.size - 10)
    cents = 1200 * np.log2(track.hz[at] / truth[at * HOP])
    assert abs(np.median(cents)) < 8.0  # a frame is 15 cents


@pytest.mark.parametrize("method", list(F0Method))
def test_noise_and_silence_have_no_pitch(method):
    _needed(method)
    noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.1

    assert estimate_f0(noise, method).voiced.mean() < 0.1
    assert not estimate_f0(np.zeros(16_000, np.float32), method).voiced.any()


def test_yin_keeps_to_a_pitch_through_noise():
    noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.02

    inner = estimate_f0(hum(150.0) + noise).hz[6:-6]

    assert (np.abs(1200 * np.log2(np.maximum(inner, 1.0) / 150.0)) < 50.0).mean() > 0.95


@pytest.mark.parametrize("method", list(F0Method))
@pytest.mark.parametrize("hz", [55.0, 150.0, 800.0])
def test_singing_is_found_where_it_is_looked_for(method, hz):
    _needed(method)

    inner = estimate_f0(hum(hz), method, SINGING).hz[8:-8]

    assert np.median(1200 * np.abs(np.log2(np.maximum(inner, 1.0) / hz))) < 20.0


def test_a_method_without_its_package_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "swift_f0", None)

    with pytest.raises(EngineError, match="f0_method swift needs the package swift-f0"):
        check_f0_method(F0Method.SWIFT)


def test_a_track_without_pitch_has_the_median_asked_for():
    track = F0Track(hz=np.zeros(3, np.float32))

    assert track.median_hz(120.0) == 120.0
    assert (track.log == 0.0).all()
    assert F0Track(hz=np.array([0.0, 100.0, 200.0, 300.0])).median_hz() == 200.0
