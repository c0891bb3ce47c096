"""
Names from other tools' files: two are never made one, two entries of one name are told, and exports
keep them apart.
"""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.history.entries import cell, entry, value
from tests.harness.history.foreign_files import asv_folder, asv_result, nightly
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.database import open_history
from voxgate.harness.history.exporters import otava, tables
from voxgate.harness.history.exporters.tables import Choice
from voxgate.harness.history.importers import common, detect
from voxgate.harness.history.records import HistoryEntry

Capture = pytest.CaptureFixture[str]
ALIKE = (
    "C++",
    "C#",
    "c",
    "C",
    "A",
    "a",
    "+6",
    "6",
    "6 ",
    "-6",
    "é",
    "e",
    "a b",
    "a-b",
    "a  b",
    "a\tb",
    "",
    "default",
    "-",
    ".",
    "..",
)


def benchmarks(*names: str) -> dict[str, Any]:
    stats = {
        "min": 1.0,
        "mean": 1.0,
        "median": 1.0,
        "max": 1.0,
        "stddev": 0.0,
        "iqr": 0.0,
        "rounds": 3,
    }
    found = [
        {"group": "g", "fullname": name, "params": None, "extra_info": {}, "stats": stats}
        for name in names
    ]
    return {
        "machine_info": {"node": "orin"},
        "commit_info": {},
        "datetime": "2026-10-01T02:00:00",
        "benchmarks": found,
    }


def imported(path: Path) -> list[HistoryEntry]:
    return [entry for entry in detect.read(path).entries if isinstance(entry, HistoryEntry)]


def test_slugs_are_one_to_one() -> None:
    slugs = [common.slug(each) for each in ALIKE]
    assert len(set(slugs)) == len(ALIKE)
    assert [common.slug(each) for each in ("a", "6", "nfe-8.precision-bf16")] == [
        "a",
        "6",
        "nfe-8.precision-bf16",
    ]
    assert all(
        common.slug(slug) not in slugs for slug in slugs if common.DIGESTED.fullmatch(slug)
    ), "a slug is no other's name"
    assert len({common.slug_of({"lang": each}) for each in ALIKE}) == len(ALIKE)


def test_names_are_one_to_one() -> None:
    odd = (
        "a b",
        "a  b",
        "a\tb",
        "a\0b",
        "a\ufffdb",
        "x" * 200,
        "x" * 201,
        "x" * 149 + "-" + "0" * 10,
    )
    assert len({common.name(each) for each in odd}) == len(odd)
    assert common.name(" orin ") == common.name("orin") == "orin"


def test_sets_of_options_that_read_alike_are_different_cells() -> None:
    sets: list[dict[str, object]] = [
        {"a": "1.b-2"},
        {"a": 1, "b": 2},
        {"a": "1", "b-2": ""},
        {"a.b": 1},
        {"a-b": 1},
        {"a": "b-1"},
    ]
    assert len({common.slug_of(each) for each in sets}) == len(sets)
    assert common.slug_of({"cfg": 0.5, "nfe": 8}) == "cfg-0.5.nfe-8"


def test_benchmarks_of_alike_names_are_different_series(tmp_path: Path, capsys: Capture) -> None:
    path, url = tmp_path / "b.json", f"sqlite:///{tmp_path}/h.sqlite"
    path.write_text(
        json.dumps(benchmarks("test[C++]", "test[C#]", "test[A]", "test[a]", "test[+6]", "test[6]"))
    )
    assert invoke(["history", "import", str(path), "--history", url]) == 0
    with open_history(url) as history:
        assert len({row.cell for row in history.series(metric="time_mean")}) == 6


def test_two_benchmarks_of_one_name_are_told(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "b.json"
    path.write_text(json.dumps(benchmarks("test[1]", "test[1]")))
    assert (
        invoke(["history", "import", str(path), "--history", f"sqlite:///{tmp_path}/h.sqlite"]) == 2
    )
    assert (
        "the benchmark 'test[1]' stands there twice; give the two different names"
        in capsys.readouterr().err
    )


def test_a_key_that_stands_twice_is_told(tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    path.write_text('[{"timestamp": "2026-10-01", "rtf": 1.0, "rtf": 2.0}]')
    with pytest.raises(HarnessError, match="the key 'rtf' stands there twice"):
        detect.read(path)
    path.write_text(json.dumps(nightly(stats={"rtf": 1.0}, metrics={"rtf": 2.0})))
    (fault,) = detect.read(path).entries
    assert (
        isinstance(fault, common.ImportFault)
        and "'rtf' stands there twice, as 1.0 and as 2.0" in fault.reason
    )


def test_parameters_of_asv_that_differ_by_quotes_alone_are_two_cells(tmp_path: Path) -> None:
    row = [[0.1, 0.2], [["'8'", "8"]], "v", 1758630000000]
    (found,) = imported(asv_folder(tmp_path, asv_result(results={"a.time_b": row})))
    assert len({cell.cell for cell in found.cells}) == 2


def test_one_torn_file_of_asv_costs_that_file_and_one_bad_benchmark_that_benchmark(
    tmp_path: Path, capsys: Capture
) -> None:
    folder, url = tmp_path / "results", f"sqlite:///{tmp_path}/h.sqlite"
    good, other = asv_result(), asv_result(commit_hash="f" * 40)
    other["results"]["synth.peakmem_load"] = [[1.0, 2.0], [["1"]]]
    asv_folder(folder, good, other)
    (folder / "orin" / "aaaaaaaa-torn.json").write_text(json.dumps(good)[:200])
    (tmp_path / "empty.json").write_text("")

    arguments = [
        "history",
        "import",
        str(tmp_path / "absent.json"),
        str(tmp_path / "empty.json"),
        str(folder),
        "--json",
    ]
    assert invoke([*arguments, "--history", url]) == 2
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["imported"], found["failed"]) == (4 + 3, 4)
    places = [each["where"].rpartition("/")[2] for each in found["failures"]]
    assert places == [
        "absent.json",
        "empty.json",
        "aaaaaaaa-torn.json",
        "ffffffff-1.json (benchmark synth.peakmem_load)",
    ]
    assert len(said.err.splitlines()) == 4 and all(
        " FAILED: " in line for line in said.err.splitlines()
    )


def test_a_run_with_two_cells_or_metrics_of_one_name_is_refused() -> None:
    with pytest.raises(HarnessError, match="the cell 'a' stands there twice"):
        entry(1, cell("a"), cell("a"))
    with pytest.raises(HarnessError, match="in cell a, the metric 'wer 1' stands there twice"):
        cell("a", value("wer", 0.1, unit="1"), value("wer", 0.2, unit="1"))


def test_a_csv_holds_no_formula_and_numbers_stay_numbers(tmp_path: Path) -> None:
    formulas = ("=cmd|'/C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1")
    with open_history(f"sqlite:///{tmp_path}/h.sqlite") as history:
        for night, text in enumerate(formulas, start=1):
            odd = cell(
                f"{text}{night}", value("latency_p50", 0.4, reason=text, shift=-0.25), label=text
            )
            history.append(entry(night, odd, suite=text, machine=text, head=text))
        rows = list(csv.DictReader(io.StringIO(tables.csv_text(history, Choice()))))
        otava.write_otava(history, Choice(), tmp_path / "otava")
    assert len(rows) == len(formulas)
    for row in rows:
        assert (row["value"], row["shift"]) == ("0.4", "-0.25")
        assert not any(
            text.startswith(tables.FORMULA) for name, text in row.items() if name != "shift"
        ), row
    for path in (tmp_path / "otava").glob("*.csv"):
        for line in csv.reader(path.open(newline="")):
            assert not any(text.startswith(tables.FORMULA) for text in line), line


def test_exports_keep_alike_places_and_metrics_apart(tmp_path: Path) -> None:
    long = "m" * 80
    metrics = [value(f"{long}{letter}", 1.0) for letter in "ab"] + [
        value("x", 1.0, unit="ms"),
        value("x", 2.0, unit="MB"),
    ]
    with open_history(f"sqlite:///{tmp_path}/h.sqlite") as history:
        history.append(entry(1, cell("c", *metrics), suite="a.b", profile="c"))
        history.append(entry(2, cell("c", *metrics), suite="a", profile="b.c"))
        otava.write_otava(history, Choice(), tmp_path / "otava")
        measures = json.loads(tables.bencher_text(history, Choice(suite="a")))["a/c"]
    assert len(list((tmp_path / "otava").glob("*.csv"))) == 2
    assert len(measures) == 4 and all(len(name) <= tables.LONGEST_MEASURE for name in measures)
