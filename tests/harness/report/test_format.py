"""Numbers as people read them."""

import pytest

from voxgate.harness.metrics.registry import metric
from voxgate.harness.records.measurement import Measurement, Missing, Value
from voxgate.harness.report.format import shown, shown_unit, shown_value


def measured(
    name: str, summary: Value, low: float | None = None, high: float | None = None
) -> Measurement:
    of = metric(name)
    return Measurement(
        metric=name,
        unit=of.unit,
        better=of.better,
        version="1",
        values=(),
        summary=summary,
        low=low,
        high=high,
    )


@pytest.mark.parametrize(
    ("name", "value", "low", "high", "text"),
    [
        ("latency_p50", 0.4123, 0.408, 0.417, "412 [408 417]"),
        ("latency_p50", 0.0999999, 0.0999999, 0.1, "100 [100 100]"),
        ("latency_p50", 0.0124, 0.012, 0.013, "12.4 [12.0 13.0]"),
        ("latency_p50", 0.000124, None, None, "0.124"),
        ("rtf", 0.1551, None, None, "0.155"),
        ("rtf", 0.00155, None, None, "0.00155"),
        ("rtfx", 6.449, None, None, "6.4"),
        ("snr", 120.0, 120.0, 120.0, "exact"),
        ("pesq", 4.6439, None, None, "4.64"),
        ("wer", 0.0412, 0.0, 0.1, "4.1 [0.0 10.0]"),
        ("wer", Missing("no weights"), None, None, "missing"),
        ("peak_rss", 524288000.0, None, None, "500"),
    ],
)
def test_a_measurement_is_shown_with_its_units_digits(
    name: str, value: Value, low: float | None, high: float | None, text: str
) -> None:
    assert shown(measured(name, value, low, high)) == text


def test_interval_can_be_left_out() -> None:
    assert shown(measured("latency_p50", 0.4123, 0.408, 0.417), interval=False) == "412"


def test_missing_value_keeps_its_reason() -> None:
    assert shown_value("wer", "1", Missing("no weights")) == "missing: no weights"


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("latency_p95", "ms"),
        ("duration", "s"),
        ("wer", "%"),
        ("rtf", ""),
        ("peak_rss", "MiB"),
        ("snr", "dB"),
    ],
)
def test_units_are_those_of_the_shown_number(name: str, unit: str) -> None:
    assert shown_unit(name, metric(name).unit) == unit
