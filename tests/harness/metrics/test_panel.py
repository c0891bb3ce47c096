"""The panel as data."""

import pytest

from harness.errors import HarnessError
from harness.metrics.panel import GOLDEN, PANEL, full_version, metric
from harness.metrics.parity import PARITY


def test_names_are_unique():
    assert len({each.name for each in PANEL}) == len(PANEL)


def test_an_unknown_metric_is_refused_with_the_known_ones_and_a_suggestion():
    with pytest.raises(HarnessError, match="unknown metric 'golden_pesk'; did you mean 'golden_pesq'") as caught:
        metric("golden_pesk")
    assert "latency_p50, latency_p95" in str(caught.value)


@pytest.mark.parametrize("name", PARITY)
def test_every_parity_metric_is_read_against_the_golden_audio_too(name: str):
    golden, own = metric(GOLDEN + name), metric(name)
    assert (golden.unit, golden.better, golden.version) == (own.unit, own.better, own.version)
    assert full_version(golden.name) == full_version(own.name)


def test_rtf_is_better_lower_and_rtfx_higher():
    assert (metric("rtf").better, metric("rtfx").better) == ("lower", "higher")


def test_the_full_version_names_the_package():
    assert full_version("pesq").startswith("1; pesq ")
    assert full_version("snr") == "1"
