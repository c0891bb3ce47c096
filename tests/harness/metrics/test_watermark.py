"""
The watermark's metrics: what carries the mark is found, what does not is not, what removes it is
seen, and a cell that asked for it and has none FAILED by name.
"""

import importlib.util
from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.harness.fake_runs import CELLS, cell
from tests.harness.metrics.speech import RATE_HZ, speech
from voxgate.engine.audio.watermark import load_mark
from voxgate.engine.config import Watermark
from voxgate.harness.analysis.caveats import lost_watermark
from voxgate.harness.audio import telephone
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.watermark import (
    METRICS,
    compressed,
    watermark_detected,
    watermark_false,
    watermark_snr,
)
from voxgate.harness.records.measurement import Measurement, Missing, UtteranceValue, Value

needs_perth = pytest.mark.skipif(
    importlib.util.find_spec("perth") is None, reason="resemble-perth is not installed"
)


def _marked() -> np.ndarray:
    mark = load_mark(Watermark.PERTH, RATE_HZ, torch.device("cpu"))
    assert mark is not None
    return mark(speech().astype(np.float32))


def _detected(audio: np.ndarray) -> Value:
    recording = Recording(audio, RATE_HZ)
    return watermark_detected(MetricInput(audio=recording, marked=recording))


@needs_perth
def test_a_mark_is_found_also_after_what_happens_to_audio() -> None:
    inputs = MetricInput(audio=Recording(speech(), RATE_HZ), marked=Recording(_marked(), RATE_HZ))
    values = {each.metric.name: each.score(inputs) for each in METRICS}

    for name in ("watermark_detected", "watermark_resampled", "watermark_compressed"):
        assert values[name] == pytest.approx(1.0, abs=0.02), name
    assert values["watermark_false"] == pytest.approx(0.0, abs=0.02)
    assert values["watermark_snr"] == pytest.approx(12.97, abs=0.05)


def _telephoned(audio: np.ndarray) -> np.ndarray:
    return telephone.line(Recording(audio, RATE_HZ)).samples


def _low_passed(audio: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(audio)
    spectrum[np.fft.rfftfreq(audio.size, 1 / RATE_HZ) > 250.0] = 0.0
    return np.fft.irfft(spectrum, audio.size)


def _stretched(audio: np.ndarray) -> np.ndarray:
    return np.interp(np.arange(0.0, audio.size - 1, 1.1), np.arange(audio.size), audio)


@needs_perth
@pytest.mark.parametrize("spoil", [_telephoned, _stretched, lambda audio: speech()])
def test_what_removes_the_mark_is_seen(spoil: Callable[[np.ndarray], np.ndarray]) -> None:
    """A telephone's band, a time stretch behind the mark, and an engine that marks nothing."""
    found = _detected(spoil(_marked()))

    assert isinstance(found, float)
    assert found < 0.5


@needs_perth
def test_a_heavy_low_pass_deceives_the_detector_and_the_false_detections_show_it() -> None:
    """Perth takes speech below 250 Hz for marked, whether it is or not."""
    clean, marked = (Recording(_low_passed(each), RATE_HZ) for each in (speech(), _marked()))
    inputs = MetricInput(audio=clean, marked=marked)

    assert watermark_detected(inputs) == pytest.approx(1.0, abs=0.05)
    assert watermark_false(inputs) == pytest.approx(1.0, abs=0.05)


@needs_perth
def test_an_engine_that_hands_over_its_product_as_clean_shows_in_the_false_detections() -> None:
    marked = Recording(_marked(), RATE_HZ)

    assert watermark_false(MetricInput(audio=marked, marked=marked)) == pytest.approx(1.0, abs=0.02)


def test_clean_audio_that_is_not_the_products_shows_in_the_snr() -> None:
    other = Recording(np.roll(speech(), 9_000)[::-1].copy(), RATE_HZ)
    value = watermark_snr(MetricInput(audio=Recording(speech(), RATE_HZ), marked=other))

    assert isinstance(value, float)
    assert value < 3.0


def test_an_mp3_is_really_one() -> None:
    original = Recording(speech(), RATE_HZ)
    received = compressed(original)

    assert isinstance(received, Recording)
    assert received.rate_hz == RATE_HZ
    assert abs(len(received.samples) - len(original.samples)) < 2 * 1152
    assert not np.array_equal(received.samples[:10_000], original.samples[:10_000])


def _measured(*values: Value) -> tuple[Measurement, ...]:
    found = tuple(UtteranceValue(id=f"u{n}", value=value) for n, value in enumerate(values))
    return (
        Measurement(
            metric="watermark_detected",
            unit="1",
            better="higher",
            version="1",
            values=found,
            summary=1.0,
        ),
    )


def test_a_cell_whose_utterances_hold_none_is_not_in_effect() -> None:
    asked = cell(8, watermark="perth")

    assert lost_watermark(asked, _measured(1.0, 0.98)) is None
    assert lost_watermark(asked, _measured(Missing("silent"))) is None
    assert lost_watermark(CELLS[0], ()) is None
    assert lost_watermark(asked, _measured(1.0, 0.01, 0.4, Missing("silent"))) == (
        "not in effect: asked for watermark=perth, and 2 of 3 utterances as delivered hold none "
        "(least confidence 0.010)"
    )
