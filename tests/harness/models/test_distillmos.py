"""Distill-MOS: the package's values from its weights alone, and what leaves the metric alone."""

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech, with_noise
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.packaged_mos import distillmos
from voxgate.harness.models import distillmos as model
from voxgate.harness.models.distillmos import LONGEST_HOP, WINDOW, window_starts
from voxgate.harness.records.measurement import Missing, not_installed

OF_THE_PACKAGE = 2.409161
"""Of distillmos 0.9.1 itself, on tests/data/slt.flac, which it fills up with zeros."""


@pytest.fixture
def _weights() -> None:
    found = model._network()
    if isinstance(found, Missing):
        pytest.skip(found.reason)


def score(samples: np.ndarray) -> float:
    found = distillmos(MetricInput(audio=Recording(samples, RATE_HZ)))
    assert isinstance(found, float), found
    return found


@pytest.mark.usefixtures("_weights")
def test_the_network_has_the_values_of_the_package() -> None:
    filled = np.pad(speech(), (0, WINDOW - len(speech())))
    (found,) = model.mos_scores(filled)  # type: ignore[misc]
    assert found == pytest.approx(OF_THE_PACKAGE, abs=2e-6)


@pytest.mark.usefixtures("_weights")
def test_noise_is_heard_and_level_and_silence_are_not() -> None:
    clean = score(speech())
    assert score(with_noise(speech(), 20.0)) < clean - 0.2
    assert score(0.5 * speech()) == pytest.approx(clean, abs=1e-4)
    assert score(np.pad(speech(), (RATE_HZ, RATE_HZ // 2))) == pytest.approx(clean, abs=0.1)
    assert score(speech()) == clean


def test_windows_are_at_equal_distances_of_at_most_a_second() -> None:
    assert window_starts(WINDOW - 5) == window_starts(WINDOW) == [0]
    for length in (WINDOW + 1, WINDOW + LONGEST_HOP, 3 * WINDOW + 7):
        starts = window_starts(length)
        assert (starts[0], starts[-1]) == (0, length - WINDOW)
        assert max(np.diff(starts)) <= LONGEST_HOP
        assert np.ptp(np.diff(starts)) <= 1


def test_random_weights_give_a_score_in_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shapes fit together, whether or not the package is installed."""
    import torch

    modules = {name: module.eval() for name, module in model._modules().items()}
    places = torch.zeros(1, 384, model.WIDTH_INSIDE)
    monkeypatch.setattr(model, "_network", lambda: {**modules, "places": places})
    found = model.mos_scores(speech())
    assert isinstance(found, np.ndarray)
    assert found.shape == (1,)
    assert 1.0 < found[0] < 5.0


def test_without_the_package_there_is_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "PACKAGE", "no_such_package")
    monkeypatch.setattr(model, "_network", model._network.__wrapped__)
    found = distillmos(MetricInput(audio=Recording(speech(), RATE_HZ)))
    assert found == not_installed("no_such_package")


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(0), "empty"),
        (np.zeros(RATE_HZ), "silent"),
        (np.full(RATE_HZ, np.nan), "NaN"),
        (speech()[: RATE_HZ // 20], "too short"),
    ],
)
def test_what_cannot_be_judged_is_missing(samples: np.ndarray, reason: str) -> None:
    found = distillmos(MetricInput(audio=Recording(samples, RATE_HZ)))
    assert isinstance(found, Missing)
    assert reason in found.reason
