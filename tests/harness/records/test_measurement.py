"""The record of a metric survives JSON, and JSON never holds NaN or infinity."""

import json
import math
from dataclasses import replace

import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.measurement import (
    SNR_CEILING_DB,
    Measurement,
    MetricVersion,
    Missing,
    MissingKind,
    UtteranceValue,
    is_exact,
    kind_of,
    measurement_from_dict,
    measurement_to_dict,
    not_installed,
    value_from_json,
    value_to_json,
)

RECORD = Measurement(
    metric="snr",
    unit="dB",
    better="higher",
    version="1",
    values=(
        UtteranceValue(id="a", value=17.25),
        UtteranceValue(
            id="b", value=Missing("1.90 s against 2.00 s", MissingKind.DURATIONS_DIFFER)
        ),
    ),
    summary=Missing("1 of 2 utterances have no value"),
    low=16.0,
)


def test_a_record_survives_json():
    assert (
        measurement_from_dict(json.loads(json.dumps(measurement_to_dict(RECORD), allow_nan=False)))
        == RECORD
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_refused_both_ways(value: float):
    for action in (value_to_json, value_from_json):
        with pytest.raises(HarnessError, match="finite number or a reason"):
            action(value)
    with pytest.raises(HarnessError, match=r"low: .* is no finite number"):
        measurement_to_dict(replace(RECORD, low=value))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "3",
        True,
        {"missing": 3},
        {"missing": "x", "more": 1},
        {"missing": "x", "kind": "new"},
        {"kind": "x"},
        [1.0],
    ],
)
def test_a_value_that_is_neither_number_nor_reason_is_refused(value: object):
    with pytest.raises(HarnessError):
        value_from_json(value)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("no golden audio accepted yet", MissingKind.NO_GOLDEN),
        ("pesq is not installed; pip install voxgate[panel]", MissingKind.NOT_INSTALLED),
        ("the statement: swift-f0 is not installed; pip install x", MissingKind.NOT_INSTALLED),
        ("2 of 8 utterances have no value: pesq is not installed; x", MissingKind.NOT_INSTALLED),
        ("the audio is silent", None),
    ],
)
def test_a_record_of_before_kinds_were_written_gets_its_kind(
    reason: str, kind: MissingKind | None
) -> None:
    assert value_from_json({"missing": reason}) == Missing(reason, kind)
    data = measurement_to_dict(replace(RECORD, summary=Missing(reason)))
    assert measurement_from_dict(data).summary == Missing(reason, kind)


def test_a_summary_lacks_a_package_as_soon_as_one_value_does() -> None:
    gaps = [Missing("silent"), not_installed("pesq", "pip install pesq")]
    assert kind_of(gaps) is MissingKind.NOT_INSTALLED
    assert kind_of(gaps[:1]) is None


def test_missing_and_unknown_keys_are_named():
    data = measurement_to_dict(RECORD)
    with pytest.raises(HarnessError, match='has the unknown key "colour"'):
        measurement_from_dict(data | {"colour": "red"})
    for name in data:
        with pytest.raises(HarnessError, match=f"lacks {name}"):
            measurement_from_dict({key: value for key, value in data.items() if key != name})


def test_an_interval_that_is_none_is_refused():
    data = measurement_to_dict(replace(RECORD, low=16.0, high=17.0))
    assert measurement_from_dict(data).high == 17.0
    with pytest.raises(HarnessError, match="snr: low 16 lies above high 15"):
        measurement_from_dict(data | {"high": 15.0})


@pytest.mark.parametrize(
    ("field", "wrong"), [("better", "bigger"), ("values", {}), ("metric", 3), ("values", [3])]
)
def test_wrong_types_are_refused(field: str, wrong: object):
    with pytest.raises(HarnessError):
        measurement_from_dict(measurement_to_dict(RECORD) | {field: wrong})


def test_only_a_ratio_at_the_ceiling_is_exact():
    assert is_exact("dB", SNR_CEILING_DB)
    assert not is_exact("dB", 90.4)
    assert not is_exact("bytes", 500.0)
    assert not is_exact("dB", Missing("silent"))


@pytest.mark.parametrize("text", ["1", "2; pesq 0.0.4", "1; pesq 0.0.4; telephone 1"])
def test_a_version_is_read_from_its_text_and_written_as_it(text: str) -> None:
    assert str(MetricVersion.parse(text)) == text


def test_versions_differ_by_the_parts_that_the_other_lacks() -> None:
    ours, theirs = (MetricVersion.parse(text) for text in ("2; jiwer 4; base", "1; jiwer 4; tiny"))

    assert ours.parts_beyond(theirs) == ("2", "base")
    assert ours.parts_beyond(ours) == ()
