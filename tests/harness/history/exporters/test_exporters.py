"""
What is written in other forms can be read by those who read them, and says what it leaves out.
"""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from tests.harness.history.entries import HOSTILE, cell, entry, value
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.database import History, open_history
from voxgate.harness.history.exporters import tables
from voxgate.harness.history.exporters.openmetrics import openmetrics_text, textfile_text
from voxgate.harness.history.exporters.otava import write_otava
from voxgate.harness.history.exporters.tables import (
    TABLE,
    Choice,
    bencher_text,
    csv_text,
    json_text,
    parquet_bytes,
)
from voxgate.harness.history.importers import detect
from voxgate.harness.history.importers.common import ImportFault
from voxgate.harness.history.records import Acknowledgement, Vote, clean, utc_iso
from voxgate.harness.records.measurement import Missing

ALL = Choice()


@pytest.fixture
def filled(history: History) -> History:
    """Three nights of one suite; what is missing differs."""
    for night in (1, 2, 3):
        wer = Missing("no listener") if night == 2 else (20 + night) / 1000
        history.append(
            entry(
                night,
                cell("nfe-32", value(found=(40 + night) / 100), value("wer", wer, unit="1")),
                cell(
                    "nfe-8",
                    value(found=(10 + night) / 100),
                    value("pesq", Missing("no reference"), unit="MOS-LQO", better="higher"),
                ),
            )
        )
    return history


def test_csv_has_a_row_per_value_with_unit_or_reason(filled: History) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(filled, ALL))))

    assert tuple(rows[0]) == TABLE
    assert len(rows) == 12
    first = rows[0]
    assert (first["created"], first["cell"], first["metric"], first["unit"]) == (
        "2026-10-01T02:00:00+00:00",
        "nfe-32",
        "latency_p50",
        "s",
    )
    assert float(first["value"]) == 0.41 and first["missing"] == ""
    gap = next(row for row in rows if row["missing"] == "no listener")
    assert (gap["value"], gap["low"], gap["n"], gap["metric"]) == ("", "", "0", "wer")


def test_csv_keeps_odd_texts(history: History) -> None:
    history.append(entry(1, cell("nfe-8", value(reason=HOSTILE)), machine=HOSTILE))
    (row,) = csv.DictReader(io.StringIO(csv_text(history, ALL), newline=""))

    assert row["machine"] == clean(HOSTILE) and row["reason"] == clean(HOSTILE)


def test_parquet_has_the_same_table_with_its_types(filled: History) -> None:
    found = pd.read_parquet(io.BytesIO(parquet_bytes(filled, ALL)))

    assert tuple(found.columns) == TABLE
    assert str(found["value"].dtype) == "float64" and str(found["n"].dtype) == "int64"
    assert found["value"].isna().sum() == 4
    assert found["missing"].notna().sum() == 4


def test_parquet_without_its_package_names_the_extra(
    filled: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "find_spec", lambda _: None)
    with pytest.raises(
        HarnessError, match=r"Parquet needs pyarrow; pip install 'voxgate\[history\]'"
    ):
        parquet_bytes(filled, ALL)


def test_json_brings_everything_into_another_history_once(filled: History, tmp_path: Path) -> None:
    filled.append(
        entry(
            4,
            cell(HOSTILE, value(HOSTILE, Missing(HOSTILE))),
            environment={"odd": HOSTILE},
            complete=False,
        )
    )
    word = Acknowledgement(
        id=0,
        suite="smoke",
        cell="*",
        metric="*",
        machine="*",
        since=utc_iso("2026-10-02"),
        why=HOSTILE,
        by="Ana",
        created=utc_iso("2026-10-02"),
    )
    vote = Vote(
        id=0,
        digest="1",
        suite="smoke",
        cell="nfe-8",
        mode="abx",
        a="old",
        b="new",
        request="u01",
        x="a",
        answer="b",
        correct=False,
        listener="",
        created=utc_iso("2026-10-02"),
    )
    filled.acknowledge(word)
    filled.add_votes([vote])
    (tmp_path / "all.json").write_text(json_text(filled, ALL), encoding="utf-8")

    with open_history(f"sqlite:///{tmp_path}/other.sqlite") as other:
        for expected in (4, 0):
            found = detect.read(tmp_path / "all.json")
            assert sum(map(other.append, found.entries)) == expected
            assert sum(map(other.acknowledge, found.acknowledgements)) == bool(expected)
            assert other.add_votes(found.votes) == bool(expected)
        assert [other.entry(run.id) for run in other.runs()] == [
            filled.entry(run.id) for run in filled.runs()
        ]
        assert other.acknowledgements() == filled.acknowledgements()
        assert other.votes() == filled.votes()
        pd.testing.assert_frame_equal(other.points(words=True), filled.points(words=True))


@pytest.mark.parametrize(
    "damage, complaint",
    [
        ({"runs": None}, "lacks runs"),
        ({"runs": [{"digest": "1"}]}, "a run of this export cannot be read"),
        (
            {"acknowledgements": [{"suite": "x"}]},
            "an? acknowledgement of this export cannot be read",
        ),
        ({"votes": [{}]}, "a vote of this export cannot be read"),
        (
            {"schema": "voxgate-history/2"},
            "has schema voxgate-history/2, this voxgate reads voxgate-history/1",
        ),
    ],
)
def test_a_damaged_export_is_refused(
    filled: History, tmp_path: Path, damage: dict[str, object], complaint: str
) -> None:
    path = tmp_path / "all.json"
    path.write_text(json.dumps({**json.loads(json_text(filled, ALL)), **damage}))
    with pytest.raises(HarnessError, match=complaint):
        for found in detect.read(path).entries:
            if isinstance(found, ImportFault):
                raise HarnessError(found.reason)


def test_bencher_gets_the_newest_run_with_its_bounds(filled: History) -> None:
    found = json.loads(bencher_text(filled, ALL))

    assert set(found) == {"smoke/nfe-32", "smoke/nfe-8"}
    latency = found["smoke/nfe-32"]["latency_p50"]
    assert latency == {
        "value": 0.43,
        "lower_value": pytest.approx(0.43 * 0.99),
        "upper_value": pytest.approx(0.43 * 1.01),
    }
    assert "pesq" not in found["smoke/nfe-8"]


def test_bencher_is_not_given_two_machines_at_once(filled: History) -> None:
    filled.append(entry(4, machine="orin"))

    with pytest.raises(
        HarnessError, match=r"runs of box-2c \(cpu-gate\), orin \(cpu-gate\); choose one testbed"
    ):
        bencher_text(filled, ALL)
    assert set(json.loads(bencher_text(filled, Choice(machine="orin")))) == {
        "smoke/nfe-32",
        "smoke/nfe-8",
    }


def test_the_newest_run_is_a_complete_one(filled: History) -> None:
    filled.append(entry(4, complete=False))

    assert [run.created[8:10] for run in ALL.newest(filled)] == ["03"]
    with pytest.raises(HarnessError, match="none of the 1 runs is complete"):
        only = filled
        Choice(machine="half").newest(only) if only.append(
            entry(5, machine="half", complete=False)
        ) else None


def test_otava_gets_files_without_a_gap_and_a_test_for_each(
    filled: History, tmp_path: Path
) -> None:
    config = json.loads(write_otava(filled, ALL, tmp_path / "out").read_text())

    assert set(config["tests"]) == {"smoke.cpu-gate.box-2c", "smoke.cpu-gate.box-2c.2"}
    full = config["tests"]["smoke.cpu-gate.box-2c"]
    assert full["metrics"] == {
        f"{name}/latency_p50": {
            "column": f"{name}/latency_p50",
            "direction": -1,
            "scale": 1,
            "unit": "s",
        }
        for name in ("nfe-32", "nfe-8")
    }
    rows = list(csv.DictReader((tmp_path / "out" / full["file"]).open()))
    assert [(row["time"], row["commit"], row["nfe-8/latency_p50"]) for row in rows] == [
        (f"2026-10-0{night}T02:00:00+00:00", "3fa1c2e + 2 files", f"0.1{night}")
        for night in (1, 2, 3)
    ]
    gaps = list(csv.DictReader((tmp_path / "out" / "smoke.cpu-gate.box-2c.2.csv").open()))
    assert [row["nfe-32/wer"] for row in gaps] == ["0.021", "0.023"]
    assert not list((tmp_path / "out").glob(".*"))


def test_otava_keeps_two_units_of_a_metric_apart(history: History, tmp_path: Path) -> None:
    history.append(entry(1, cell("nfe-8", value(), value(unit="ms", found=400.0))))
    config = json.loads(write_otava(history, ALL, tmp_path).read_text())

    (test,) = config["tests"].values()
    assert list(test["metrics"]) == ["nfe-8/latency_p50 s", "nfe-8/latency_p50 ms"]


def test_openmetrics_is_valid_and_has_every_value_with_its_time(filled: History) -> None:
    text = openmetrics_text(filled, ALL)
    families = {family.name: family for family in parse(text)}

    assert text.endswith("\n# EOF\n")
    latency = families["voxgate_latency_p50_seconds"]
    assert (latency.type, latency.unit) == ("gauge", "seconds")
    reference = [sample for sample in latency.samples if sample.labels["cell"] == "nfe-32"]
    assert [(sample.value, float(sample.timestamp)) for sample in reference] == [
        (0.41, 1790820000.0),
        (0.42, 1790906400.0),
        (0.43, 1790992800.0),
    ]
    assert reference[0].labels == {
        "suite": "smoke",
        "profile": "cpu-gate",
        "machine": "box-2c",
        "cell": "nfe-32",
        "metric": "latency_p50",
    }
    gaps = families["voxgate_missing"].samples
    assert sorted(
        (sample.labels["metric"], sample.labels["reason"], sample.value) for sample in gaps
    ) == [
        *[("pesq", "no reference", 1.0)] * 3,
        ("wer", "no listener", 1.0),
    ]
    assert [sample.value for sample in families["voxgate_exit_code"].samples] == [0.0] * 3
    judged = families["voxgate_verdicts"].samples
    by_verdict = {(each.labels["verdict"], each.value, float(each.timestamp)) for each in judged}
    assert ("PASS", 4.0, 1790820000.0) in by_verdict and (
        "REGRESSED",
        0.0,
        1790820000.0,
    ) in by_verdict


def test_openmetrics_escapes_what_labels_may_not_hold(history: History) -> None:
    history.append(
        entry(
            1,
            cell("nfe-8", value("1 odd/metric!", Missing(HOSTILE)), value("a.b"), value("a_b")),
            machine=HOSTILE,
        )
    )
    families = {family.name: family for family in parse(openmetrics_text(history, ALL))}

    (gap,) = families["voxgate_missing"].samples
    assert gap.labels["machine"] == clean(HOSTILE) and gap.labels["reason"] == clean(HOSTILE)
    assert {sample.labels["metric"] for sample in families["voxgate_a_b_seconds"].samples} == {
        "a.b",
        "a_b",
    }


def test_two_runs_of_one_second_are_one_sample(history: History) -> None:
    history.append(entry(1))
    history.append(replace(entry(1, cell("nfe-8", value(found=0.7))), digest="other"))
    families = {family.name: family for family in parse(openmetrics_text(history, ALL))}

    samples = [
        s for s in families["voxgate_latency_p50_seconds"].samples if s.labels["cell"] == "nfe-8"
    ]
    assert [sample.value for sample in samples] == [0.7]


def test_the_textfile_has_the_newest_run_without_timestamps_and_the_time_as_a_metric(
    filled: History,
) -> None:
    text = textfile_text(filled, ALL)
    families = {family.name: family for family in parse_plain(text)}

    assert all(
        sample.timestamp is None for family in families.values() for sample in family.samples
    )
    assert [sample.value for sample in families["voxgate_measured_timestamp_seconds"].samples] == [
        1790992800.0
    ]
    assert sorted(sample.value for sample in families["voxgate_latency_p50_seconds"].samples) == [
        0.13,
        0.43,
    ]
    assert {family.name for family in parse(text)} >= {
        "voxgate_latency_p50_seconds",
        "voxgate_missing",
    }


def test_a_choice_is_of_runs_and_an_empty_one_is_an_error(filled: History) -> None:
    filled.append(entry(4, suite="precision", machine="orin"))

    assert len(Choice(suite="prec*").table(filled)) == 6
    assert len(Choice(machine="box*").table(filled)) == 12
    with pytest.raises(
        HarnessError, match="no run of suite nothing, profile \\*, machine \\* in this history"
    ):
        csv_text(filled, Choice(suite="nothing"))
