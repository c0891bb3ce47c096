"""ViSQOL: the package's values without its compilation, and what leaves the score alone."""

import sys

import numpy as np
import pytest

from tests.harness.metrics.speech import held_against, speech, with_noise
from voxgate.harness.metrics import packaged_mos
from voxgate.harness.metrics.packaged_mos import visqol
from voxgate.harness.records.measurement import Missing, not_installed

OF_THE_PACKAGE = 3.359141
"""Of visqol-python 3.8.0 with numba 0.68, on tests/data/slt.flac with white noise at 20 dB."""


@pytest.fixture
def _package() -> None:
    pytest.importorskip("visqol", reason="visqol-python is not installed")


def noisy() -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(len(speech()))
    return speech() + noise * np.sqrt(np.mean(speech() ** 2)) * 0.1


@pytest.mark.usefixtures("_package")
def test_the_values_are_those_of_the_package_with_its_compilation() -> None:
    before = sys.modules.get("numba")
    assert visqol(held_against(speech(), noisy())) == pytest.approx(OF_THE_PACKAGE, abs=2e-6)
    assert sys.modules.get("numba") is before


@pytest.mark.usefixtures("_package")
def test_level_is_not_seen_and_the_same_audio_is_the_best() -> None:
    plain = visqol(held_against(speech(), noisy()))
    assert visqol(held_against(speech(), 0.5 * noisy())) == pytest.approx(plain, abs=1e-6)
    assert visqol(held_against(speech(), speech())) == 5.0


@pytest.mark.usefixtures("_package")
@pytest.mark.parametrize("length", [0, 100, 2_000])
def test_too_little_is_missing(length: int) -> None:
    short = speech()[8_000 : 8_000 + length]
    found = visqol(held_against(short, with_noise(short, 20.0) if length else short))
    assert isinstance(found, Missing)


def test_without_the_package_there_is_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged_mos, "_visqol", packaged_mos._visqol.__wrapped__)
    monkeypatch.setattr(packaged_mos.importlib.util, "find_spec", lambda name: None)
    assert visqol(held_against(speech(), noisy())) == not_installed("visqol-python")
