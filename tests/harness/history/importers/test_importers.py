"""
Other tools' files become runs: every number with its unit, every gap with its reason, nothing
twice.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness.history.foreign_files import asv_folder, asv_result, flat, nightly
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.database import History
from voxgate.harness.history.importers import common, detect, pytest_benchmark
from voxgate.harness.history.records import EntryValue, HistoryEntry
from voxgate.harness.records.measurement import Missing

BENCHMARKS = """
import time
import pytest

@pytest.mark.parametrize("nfe", [32, 8])
@pytest.mark.benchmark(group="synth")
def test_say(benchmark, nfe):
    benchmark.extra_info.update(pesq=3.6, clicks={"missing": "no audio"}, verdict="PASS", voice="slt", odd=float("nan"))
    benchmark.pedantic(time.sleep, args=(0.001 * nfe,), rounds=3)

def test_load(benchmark):
    benchmark.pedantic(time.sleep, args=(0.001,), rounds=2)
"""  # noqa: E501


def write(path: Path, data: Any) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def entries(path: Path, machine: str | None = None) -> list[HistoryEntry]:
    return [sound(each) for each in detect.read(path, machine).entries]


def sound(found: HistoryEntry | common.ImportFault) -> HistoryEntry:
    if isinstance(found, common.ImportFault):
        raise HarnessError(f"{found.where} : {found.reason}")
    return found


def values_of(entry: HistoryEntry, cell: int = 0) -> dict[str, EntryValue]:
    return {each.metric: each for each in entry.cells[cell].values}


@pytest.fixture(scope="module")
def benchmark_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pytest-benchmark itself writes."""
    folder = tmp_path_factory.mktemp("benchmarks")
    write(folder / "test_synth.py", BENCHMARKS)
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:voxgate",
        "--benchmark-json=out.json",
        "test_synth.py",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out.json"


def test_a_group_of_pytest_benchmark_is_a_run_and_its_benchmarks_are_cells(
    benchmark_file: Path,
) -> None:
    found = {entry.suite: entry for entry in entries(benchmark_file)}

    assert len(found) == 2
    run = found.pop("synth")
    assert (run.source, run.verdict, run.complete) == ("pytest-benchmark", None, True)
    assert run.profile.startswith(f"Linux-CPython-3.{sys.version_info.minor}")
    assert [cell.label for cell in run.cells] == [
        "test_synth.py::test_say[32]",
        "test_synth.py::test_say[8]",
    ]
    assert [cell.cell[:-11] for cell in run.cells] == [
        "test_synth.py-test_say-32",
        "test_synth.py-test_say-8",
    ]
    assert len({cell.cell[-11:] for cell in run.cells}) == 2, "a digest of what the slug loses"
    assert run.cells[1].config == {"nfe": 8, "voice": "slt"} and run.cells[1].verdict == "PASS"
    (load,) = found.values()
    assert [cell.label for cell in load.cells] == ["test_synth.py::test_load"]


def test_times_of_pytest_benchmark_are_seconds_and_extra_numbers_keep_what_the_panel_knows(
    benchmark_file: Path,
) -> None:
    run = next(entry for entry in entries(benchmark_file) if entry.suite == "synth")
    values = values_of(run)

    assert (values["time_median"].unit, values["time_median"].better, values["time_median"].n) == (
        "s",
        "lower",
        3,
    )
    assert (
        isinstance(values["time_median"].value, float)
        and 0.032 <= values["time_median"].value < 1.0
    )
    assert (values["time_stddev"].better, values["time_median"].low) == ("neither", None)
    assert (values["pesq"].value, values["pesq"].unit, values["pesq"].better) == (
        3.6,
        "MOS-LQO",
        "higher",
    )
    assert values["clicks"].value == Missing("no audio")
    assert values["odd"].value == Missing("pytest-benchmark recorded nan")


def test_a_machine_that_is_told_takes_the_place_of_the_one_in_the_file_and_the_run_stays_the_same(
    benchmark_file: Path,
) -> None:
    named, plain = entries(benchmark_file, "orin-7"), entries(benchmark_file)

    assert {entry.machine for entry in named} == {"orin-7"}
    assert [entry.digest for entry in named] == [entry.digest for entry in plain]


def test_each_benchmark_of_asv_is_a_run_of_its_commit(tmp_path: Path) -> None:
    found = {entry.suite: entry for entry in entries(asv_folder(tmp_path / "results"))}

    assert set(found) == {
        "synth.Synth.time_say",
        "synth.peakmem_load",
        "synth.track_snr",
        "gone.time_old",
    }
    run = found["synth.Synth.time_say"]
    assert (run.machine, run.profile, run.head) == ("orin", "virtualenv-py3.11-numpy", "3fa1c2e")
    assert run.created == "2025-09-23T04:00:00+00:00"
    assert [cell.cell for cell in run.cells] == [
        "nfe-32.precision-fp32",
        "nfe-32.precision-bf16",
        "nfe-8.precision-fp32",
        "nfe-8.precision-bf16",
    ]
    assert run.environment["toolchain"] == {
        "commit": asv_result()["commit_hash"],
        "python": "3.11",
        "numpy": "2.1",
    }


def test_numbers_of_asv_keep_unit_version_and_count_and_its_99_per_cent_interval_is_not_taken_for_ours(  # noqa: E501
    tmp_path: Path,
) -> None:
    found = {entry.suite: entry for entry in entries(asv_folder(tmp_path / "results"))}
    times = [entry.values[0] for entry in found["synth.Synth.time_say"].cells]

    assert [each.value for each in times] == [
        0.41,
        0.12,
        Missing("asv recorded a failure"),
        Missing("left out by asv: the benchmark raised NotImplementedError, or was not selected"),
    ]
    assert (times[0].metric, times[0].unit, times[0].better, times[0].version, times[0].n) == (
        "time",
        "s",
        "lower",
        "a1b2",
        10,
    )
    assert (times[0].low, times[0].high) == (None, None)
    memory = found["synth.peakmem_load"].cells[0].values[0]
    assert (memory.value, memory.metric, memory.unit) == (524288000.0, "peakmemory", "bytes")
    snr = found["synth.track_snr"].cells[0].values[0]
    assert (snr.value, snr.unit, snr.better) == (Missing("asv recorded a failure"), "dB", "neither")
    old = found["gone.time_old"].cells[0].values[0]
    assert (old.value, old.unit, found["gone.time_old"].cells[0].cell) == (0.5, "s", "default")


def test_a_file_of_asv_to_which_a_benchmark_was_added_adds_just_that(
    tmp_path: Path, history: History
) -> None:
    first = asv_result()
    last = first["results"].pop("synth.track_snr")
    assert sum(map(history.append, entries(asv_folder(tmp_path, first)))) == 3

    first["results"]["synth.track_snr"] = last
    assert sum(map(history.append, entries(asv_folder(tmp_path, first)))) == 1
    assert len(history.runs()) == 4


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"version": 1}, "has format 1 of asv, this reads 2; run `asv update` first"),
        ({"results": {"a.time_b": [[1.0, 2.0], [["1"]]]}}, "is damaged"),
        ({"date": None}, "is damaged"),
        ({"result_columns": None}, "is damaged"),
    ],
)
def test_a_damaged_file_of_asv_is_named(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(HarnessError, match=rf"3fa1c2e9-0\.json .*{complaint}"):
        entries(asv_folder(tmp_path, asv_result(**change)))


def test_a_single_file_of_asv_is_refused_because_it_knows_no_units(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="is one file of asv; name the results folder"):
        detect.read(write(tmp_path / "a.json", asv_result()))


def test_an_entry_of_a_performance_history_is_a_run_whose_options_make_the_cell(
    tmp_path: Path,
) -> None:
    (run,) = entries(write(tmp_path / "performance_history.json", [nightly()]))

    assert (run.source, run.suite, run.profile, run.machine) == (
        "performance-history",
        "performance_history",
        "cuda",
        "agx-orin",
    )
    assert (run.created, run.verdict) == ("2025-09-30T12:22:00+00:00", "PASS")
    assert (run.cells[0].cell, run.cells[0].label) == (
        "nfe-8.compile-max-autotune",
        "nfe=8 compile=max-autotune",
    )
    values = values_of(run)
    assert set(values) == {"mean_rtf", "min_rtf", "mean_speedup", "mean_synthesis_time", "variance"}
    assert (values["mean_rtf"].value, values["mean_rtf"].unit, values["mean_rtf"].better) == (
        0.25,
        "s/s",
        "lower",
    )
    assert (values["mean_speedup"].better, values["mean_synthesis_time"].unit) == ("higher", "s")
    assert (values["variance"].better, values["mean_rtf"].n) == ("neither", 2)


def test_a_flat_entry_keeps_its_limits_as_facts_and_its_own_verdict(tmp_path: Path) -> None:
    (run,) = entries(write(tmp_path / "performance_history.json", flat()), "agx")

    assert set(values_of(run)) == {"mean_rtf", "std_rtf", "min_rtf", "max_rtf"}
    assert run.environment["baseline_rtf"] == 0.3 and run.environment["max_allowed_rtf"] == 0.36
    assert (run.verdict, run.line, run.machine) == (
        "REGRESSED",
        "Max RTF 0.394 exceeds threshold 0.36",
        "agx",
    )
    assert run.created == "2025-09-30T10:52:00+00:00"


@pytest.mark.parametrize(
    "data",
    [
        [nightly(29), nightly(30)],
        {"history": [nightly(29), nightly(30)]},
        {"updated": "2025-09-30", "runs": [nightly(29), nightly(30)]},
        {f"2025-09-{day}": {"nfe": 8, "stats": {"mean_rtf": 0.25}} for day in (29, 30)},
        "\n".join(json.dumps(nightly(day)) for day in (29, 30)) + "\n",
        [nightly(29, timestamp=1759148520), nightly(30, timestamp="2025-09-30 12:22:00")],
    ],
)
def test_entries_are_found_wherever_the_script_keeps_them(tmp_path: Path, data: Any) -> None:
    found = entries(write(tmp_path / "performance_history.json", data))

    assert [entry.created[:10] for entry in found] == ["2025-09-29", "2025-09-30"]
    assert [values_of(entry)["mean_rtf"].value for entry in found] == [0.25, 0.25]


def test_nested_numbers_keep_their_place_and_numbers_that_are_none_their_reason(
    tmp_path: Path,
) -> None:
    data = nightly(
        stages={"model_ms": 1468.0, "vocoder_ms": 524.0, "note": "locked"},
        config={"precision": "fp16", "nfe": 12},
        stats={"mean_rtf": None, "min_rtf": float("inf"), "peak_memory_mb": 4100},
        gpu_locked=True,
        system={"power_mode": "MAXN"},
    )
    (run,) = entries(write(tmp_path / "h.json", data))
    values = values_of(run)

    assert run.cells[0].config == {"nfe": 12, "compile": "max-autotune", "precision": "fp16"}
    assert (values["stages.vocoder_ms"].value, values["stages.vocoder_ms"].unit) == (524.0, "ms")
    assert values["mean_rtf"].value == Missing("the script recorded no number: None")
    assert values["min_rtf"].value == Missing("the script recorded inf")
    assert (values["peak_memory_mb"].unit, values["peak_memory_mb"].better) == ("MB", "lower")
    assert run.environment["gpu_locked"] is True and run.environment["system"] == {
        "power_mode": "MAXN"
    }
    assert run.environment["stages.note"] == "locked"


def test_importing_a_history_that_grew_adds_the_new_nights_only(
    tmp_path: Path, history: History
) -> None:
    path = tmp_path / "performance_history.json"
    assert sum(map(history.append, entries(write(path, [nightly(28), nightly(29)])))) == 2
    assert (
        sum(map(history.append, entries(write(path, [nightly(28), nightly(29), nightly(30)])))) == 1
    )
    assert [run.created[8:10] for run in history.runs()] == ["28", "29", "30"]
    assert len(history.series()) == 5


@pytest.mark.parametrize(
    "data, complaint",
    [
        ([nightly(), {"mean_rtf": 0.3}], "not every entry has a time"),
        ([nightly(), "text"], "not every entry has a time"),
        ([nightly(), {"timestamp": "2025-09-30", "note": "nothing"}], "entry 2 : no number in it"),
        ({"some": "thing"}, "no entries with a time"),
        ("neither", "neither JSON nor lines of it"),
        ("", "no entries with a time"),
        ("[" * 100_000, "neither JSON nor lines of it"),
        ([], "no entries with a time"),
        (7, "no entries with a time"),
        ([{"timestamp": "yesterday", "rtf": 1}], "not every entry has a time"),
    ],
)
def test_what_nobody_knows_is_refused_with_what_would_do(
    tmp_path: Path, data: Any, complaint: str
) -> None:
    with pytest.raises(HarnessError, match=complaint):
        entries(write(tmp_path / "x.json", data))


def test_a_file_that_is_no_text_or_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(HarnessError, match=r"x\.json is no text"):
        detect.read(tmp_path / "x.json")
    with pytest.raises(HarnessError, match=r"cannot read .*: No such file"):
        detect.read(tmp_path / "absent.json")
    with pytest.raises(HarnessError, match="nothing to import in folder"):
        detect.read(tmp_path)


def ballot(**changes: Any) -> dict[str, Any]:
    trials = [
        {"request": "u01", "x": "a", "answer": answer, "answer_s": 3.1}
        for answer in ("a", "b", "none")
    ]
    return {
        "schema": "voxgate-votes/1",
        "suite": "smoke",
        "cell": "nfe-8",
        "mode": "abx",
        "a": {"run": "3fa1", "label": "old"},
        "b": {"run": "", "label": "new"},
        "listener": "Ana",
        "created": "2026-11-20T10:00:00.5Z",
        "trials": trials,
        **changes,
    }


def test_votes_say_who_heard_what_and_whether_that_was_right(tmp_path: Path) -> None:
    found = list(detect.read(write(tmp_path / "votes.json", ballot())).votes)

    assert [(vote.answer, vote.correct) for vote in found] == [
        ("a", True),
        ("b", False),
        ("none", False),
    ]
    assert (found[0].a, found[0].b, found[0].listener) == ("old @ 3fa1", "new", "Ana")
    assert found[0].created == "2026-11-20T10:00:00+00:00"
    assert len({vote.digest for vote in found}) == 3


def test_a_preference_has_no_right_answer(tmp_path: Path) -> None:
    trials = [{"request": "u01", "answer": "b", "answer_s": 1.0}]
    (vote,) = detect.read(
        write(tmp_path / "votes.json", ballot(mode="preference", trials=trials))
    ).votes

    assert (vote.mode, vote.x, vote.answer, vote.correct) == ("preference", "", "b", None)


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"mode": "guess"}, "votes of mode 'guess'; known are abx, preference"),
        ({"trials": [{"request": "u01", "x": "c", "answer": "a"}]}, "trial 1: x is 'c'"),
        ({"trials": [{"request": "u01"}]}, "cannot be read"),
        ({"created": "never"}, "is no date"),
        ({"schema": "voxgate-votes/9"}, "has schema voxgate-votes/9, this voxgate reads"),
        ({"trials": None}, "cannot be read"),
    ],
)
def test_a_damaged_file_of_votes_is_refused(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(HarnessError, match=complaint):
        detect.read(write(tmp_path / "votes.json", ballot(**change)))


def all_names(found: Iterable[HistoryEntry]) -> list[str]:
    return [
        name
        for entry in found
        for cell in entry.cells
        for name in (entry.suite, entry.machine, cell.cell, cell.label)
    ]


def test_names_from_outside_are_short_single_lines(tmp_path: Path) -> None:
    odd = "x\x00\n\t<b>" + "ü" * 500
    found = entries(write(tmp_path / "h.json", [nightly(suite=odd, hostname=odd, nfe=odd)]))

    for name in all_names(found):
        assert name.isprintable() and len(name.encode()) <= common.LONGEST
    assert common.name("a" * 500) != common.name("a" * 501)


def test_two_options_that_look_alike_in_a_slug_are_one_cell_only_if_they_are_alike() -> None:
    assert common.slug_of({"nfe": 8, "mode": "max-autotune"}) == "nfe-8.mode-max-autotune"
    assert common.slug_of({"nfe": 8, "mode": "max autotune"}).startswith("nfe-8.mode-max-autotune-")
    assert common.slug_of({}) == "default"


def test_run_folders_are_found_by_their_header(tmp_path: Path) -> None:
    for name in ("0002", "0001"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}")
    (tmp_path / "runs" / "other").mkdir()

    assert [path.name for path in detect.run_folders(tmp_path / "runs")] == ["0001", "0002"]
    assert detect.run_folders(tmp_path / "runs" / "0001") == [tmp_path / "runs" / "0001"]
    assert detect.run_folders(tmp_path / "runs" / "other") == []


def test_an_entry_of_another_tool_is_kept_once_under_any_machine(
    tmp_path: Path, history: History
) -> None:
    (run,) = entries(write(tmp_path / "h.json", [nightly()]))

    assert history.append(run)
    assert not history.append(replace(run, machine="renamed"))


def test_numbers_that_overflow_in_a_chart_are_no_values() -> None:
    assert common.value_of(1e308, "asv") == Missing("asv recorded 1e+308")
    assert common.value_of(float("-inf"), "asv") == Missing("asv recorded -inf")
    assert common.value_of(1e9, "asv") == 1e9


def test_a_device_is_refused_and_not_read_to_an_end_that_it_may_not_have() -> None:
    with pytest.raises(HarnessError, match="/dev/zero is a device, and no file"):
        common.read_text(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("statistic", "seconds", "is_time"),
    [("median", 0.1, True), ("median", 0.0, False), ("min", -1.0, False), ("stddev", 0.0, True)],
)
def test_a_time_that_cannot_be_is_missing_with_its_reason(
    statistic: str, seconds: float, is_time: bool
) -> None:
    value = pytest_benchmark._time(seconds, statistic)
    assert isinstance(value, float) is is_time
    assert is_time or f"recorded {statistic} = {seconds:g} s" in value.reason
