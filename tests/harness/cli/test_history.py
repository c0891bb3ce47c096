"""
`voxgate history`, and what `gate` and `check` leave in it. The engine is scripted; scores are made
up.
"""

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness.cli.test_main import SUITE, WORKLOAD, made_up, measured, output
from tests.harness.history.entries import cell, entry, value
from tests.harness.history.foreign_files import nightly
from voxgate.harness import workflow
from voxgate.harness.cli import history as history_cli
from voxgate.harness.cli.main import invoke
from voxgate.harness.history.address import VARIABLE
from voxgate.harness.history.database import History, open_history
from voxgate.harness.history.exporters.tables import TABLE
from voxgate.harness.history.importers.votes import SCHEMA as VOTES
from voxgate.harness.records.measurement import Missing
from voxgate.harness.runner.runner import Outcome
from voxgate.harness.scoring import kept_scores

__all__ = ["measured"]

FILE = Path("runs/history.sqlite")
URL = f"sqlite:///{FILE}"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one suite, where no database is named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(kept_scores, "score_run", made_up)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "two.py").write_text(SUITE)
    (tmp_path / "two.toml").write_text(WORKLOAD)
    return tmp_path


@pytest.fixture
def run(project: Path, measured: Path) -> Path:
    """A run that is measured and not scored yet."""
    subprocess.run(["cp", "-r", str(measured.parent), str(project)], check=True)
    return Path("runs/0001")


def runs(url: str = URL) -> list[tuple[str, str | None]]:
    with open_history(url) as history:
        return [(each.suite, each.verdict) for each in history.runs()]


def test_gate_appends_where_it_is_told_and_only_once(run: Path, capsys: Capture) -> None:
    assert invoke(["gate", str(run)]) == 3
    assert not FILE.exists()
    plain, _ = output(capsys)

    for _ in range(2):
        assert invoke(["gate", str(run), "--history", URL]) == 3
        assert output(capsys) == (plain, "")
    assert runs() == [("two", "NO_BASELINE")]
    with open_history(URL) as history:
        row = history.run(1)
        assert (row.folder, row.complete, row.exit_code) == ("runs/0001", True, 3)
        assert [each.cell for each in history.cells(1)] == ["steps-8", "steps-4"]
        assert (
            history.points(history_ids(history, "latency_p50"))["value"].tolist()
            == [pytest.approx(0.1)] * 2
        )


def history_ids(history: History, metric: str) -> list[int]:
    return [each.id for each in history.series(metric=metric)]


def test_the_environment_names_the_database_too(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "sqlite:///elsewhere.sqlite")
    assert invoke(["gate", str(run)]) == 3
    assert runs("sqlite:///elsewhere.sqlite") == [("two", "NO_BASELINE")]


def test_check_appends_to_the_default_database(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = Outcome(folder=run, failures={}, complete=True, interrupted=False)
    monkeypatch.setattr(workflow, "check_suite", lambda *_, **__: done)

    assert invoke(["check", "two"]) == 3
    assert invoke(["check", "two"]) == 3
    assert runs() == [("two", "NO_BASELINE")]


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///runs/0001/run.json/history.sqlite",
        "sqlite:///two.toml",
        "nonsense",
        "mysql://x/y",
    ],
)
def test_a_history_that_cannot_be_written_is_one_line_and_changes_nothing(
    run: Path, capsys: Capture, url: str
) -> None:
    assert invoke(["gate", str(run)]) == 3
    plain, _ = output(capsys)

    assert invoke(["gate", str(run), "--history", url]) == 3

    out, err = output(capsys)
    assert out == plain
    assert err.startswith("voxgate: this run is not in the history: ") and err.count("\n") == 1


def test_even_a_mistake_of_ours_in_the_history_takes_no_verdict_away(
    run: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(workflow, "entry_of_run", broken)
    done = Outcome(folder=run, failures={}, complete=True, interrupted=False)
    monkeypatch.setattr(workflow, "check_suite", lambda *_, **__: done)
    assert invoke(["check", "two"]) == 3
    out, err = output(capsys)
    assert out[-1].startswith("NO_BASELINE") and "not in the history: ZeroDivisionError" in err
    assert Path("reports/index.html").is_file()


def test_run_folders_are_judged_and_imported_and_a_broken_one_stops_nobody(
    run: Path, capsys: Capture
) -> None:
    shutil.copytree(run, "runs/0003")
    shutil.copytree(run, "runs/0002")
    (Path("runs/0002") / "run.json").write_text("{")

    assert invoke(["history", "import", "runs"]) == 2

    out, err = output(capsys)
    assert out[-1] == "1 imported, 1 there already, 1 failed"
    assert (
        err.startswith("runs/0002 FAILED: runs/0002/run.json is not valid JSON")
        and err.count("\n") == 1
    )
    assert runs() == [("two", "NO_BASELINE")]


def test_importing_again_imports_nothing(run: Path, capsys: Capture) -> None:
    assert invoke(["history", "import", str(run)]) == 0
    assert invoke(["history", "import", str(run), "--json"]) == 0
    out, _ = output(capsys)
    assert out[0] == "1 imported, 0 there already, 0 failed"
    assert json.loads("\n".join(out[1:])) == {
        "imported": 0,
        "there already": 1,
        "failed": 0,
        "failures": [],
    }


def test_files_of_other_tools_are_imported_for_a_machine(project: Path, capsys: Capture) -> None:
    Path("performance_history.json").write_text(json.dumps([nightly(28), nightly(29)]))
    trial = {"request": "u01", "x": "a", "answer": "a", "answer_s": 1.0}
    votes = {
        "schema": VOTES,
        "suite": "smoke",
        "cell": "c",
        "mode": "abx",
        "a": {},
        "b": {},
        "created": "2026-11-20",
        "trials": [trial],
    }
    Path("votes.json").write_text(json.dumps(votes))
    Path("notes.json").write_text("[1]")

    assert (
        invoke(
            [
                "history",
                "import",
                "performance_history.json",
                "notes.json",
                "votes.json",
                "--machine",
                "orin",
            ]
        )
        == 2
    )

    out, err = output(capsys)
    assert out == ["3 imported, 0 there already, 1 failed"]
    assert "notes.json FAILED: notes.json is no file that can be imported" in err
    with open_history(URL) as history:
        assert {each.machine for each in history.runs()} == {"orin"}
        assert len(history.votes()) == 1


def test_a_path_that_is_not_there_is_wrong_use(project: Path, capsys: Capture) -> None:
    assert invoke(["history", "import", "absent"]) == 2
    assert "absent" in output(capsys)[1]


@pytest.fixture
def filled(project: Path) -> Path:
    """Thirty nights, the last one on 2026-10-28."""
    with open_history(URL) as history:
        for night in range(1, 29):
            history.append(entry(night, cell("nfe-8", value(found=0.4 + night % 3 / 1000))))
    return project


@pytest.mark.parametrize("form", ["csv", "json", "bencher", "openmetrics", "textfile", "parquet"])
def test_every_form_goes_to_standard_output_or_into_a_file(
    filled: Path, form: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert invoke(["history", "export", form]) == 0
    shown = capsysbinary.readouterr()
    assert invoke(["history", "export", form, "--out", f"out/history.{form}"]) == 0
    said = capsysbinary.readouterr()

    assert Path(f"out/history.{form}").read_bytes() == shown.out and len(shown.out) > 50
    assert (said.out, said.err) == (b"", f"wrote out/history.{form}\n".encode())


def test_csv_is_of_what_was_chosen(filled: Path, capsys: Capture) -> None:
    assert invoke(["history", "export", "csv", "--suite", "smo*", "--machine", "box-2c"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert tuple(rows[0]) == TABLE and len(rows) == 29
    assert invoke(["history", "export", "csv", "--suite", "precision"]) == 2
    assert "no run of suite precision" in output(capsys)[1]


def test_otava_needs_a_folder(filled: Path, capsys: Capture) -> None:
    assert invoke(["history", "export", "otava"]) == 2
    assert "otava takes several files; name a folder with --out" in output(capsys)[1]
    assert invoke(["history", "export", "otava", "--out", "otava"]) == 0
    assert output(capsys)[1] == "wrote otava/otava.yaml\n"


def test_list_shows_the_newest_runs(filled: Path, capsys: Capture) -> None:
    assert invoke(["history", "list", "--limit", "2"]) == 0
    out, _ = output(capsys)
    assert out == [
        "   27  2026-10-27 02:00  smoke  cpu-gate  box-2c  3fa1c2e + 2 files  PASS: 2 passed",
        "   28  2026-10-28 02:00  smoke  cpu-gate  box-2c  3fa1c2e + 2 files  PASS: 2 passed",
        "2 runs",
    ]
    assert invoke(["history", "list", "--json", "--limit", "1"]) == 0
    assert [row["id"] for row in json.loads("\n".join(output(capsys)[0]))] == [28]


def test_texts_from_outside_do_not_steer_the_terminal(project: Path, capsys: Capture) -> None:
    with open_history(URL) as history:
        history.append(entry(1, line="PASS\x1b[2J\nFAILED\r"))
    assert invoke(["history", "list"]) == 0
    out, _ = output(capsys)
    assert out[0].endswith("  PASS [2J FAILED ") and len(out) == 2


def test_a_change_is_acknowledged_once_with_its_reason(filled: Path, capsys: Capture) -> None:
    command = ["history", "acknowledge", "smoke", "--metric", "latency_*", "--since", "2026-10-20"]
    assert invoke([*command, "--why", "bf16 vocoder", "--by", "Ana"]) == 0
    assert invoke([*command, "--why", "again"]) == 0
    out, _ = output(capsys)
    assert out == [
        "acknowledged from 2026-10-20T00:00:00+00:00 on: bf16 vocoder",
        "acknowledged already from 2026-10-20T00:00:00+00:00 on",
    ]
    with open_history(URL) as history:
        (word,) = history.acknowledgements()
        assert (word.suite, word.cell, word.metric, word.machine, word.by) == (
            "smoke",
            "*",
            "latency_*",
            "*",
            "Ana",
        )


def test_an_acknowledgement_that_matches_nothing_yet_says_so(filled: Path, capsys: Capture) -> None:
    words = ["history", "acknowledge", "smokes", "--since", "2026-10-20", "--why", "x"]
    assert invoke(words) == 0
    assert "no series of the history matches suite smokes, cell *" in output(capsys)[1]


def test_an_acknowledgement_needs_a_reason_and_a_date(filled: Path, capsys: Capture) -> None:
    assert invoke(["history", "acknowledge", "smoke", "--since", "2026-10-20", "--why", " "]) == 2
    assert "--why is empty" in output(capsys)[1]
    assert invoke(["history", "acknowledge", "smoke", "--since", "monday", "--why", "x"]) == 2
    assert "'monday' is no date" in output(capsys)[1]
    assert invoke(["history", "acknowledge", "smoke", "--since", "2198-01-01", "--why", "x"]) == 2
    assert "nothing is measured at 2198-01-01" in output(capsys)[1]


def test_a_missed_night_is_two_lines_whatever_the_number_of_series(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"nfe-{n}" for n in range(40)]
    with open_history(URL) as history:
        for night in range(1, 15):
            history.append(entry(night, *(cell(name, value()) for name in names)))
    monkeypatch.setattr(history_cli, "now_utc_iso", lambda: "2026-11-05T09:00:00+00:00")
    assert invoke(["history", "status"]) == 3
    head, last = output(capsys)[0]
    assert head.startswith("NO DATA smoke cpu-gate box-2c 40 series: no value for ")
    assert last == "40 no data; next: voxgate check smoke --profile cpu-gate   # on box-2c"
    assert invoke(["history", "status", "--json"]) == 3
    assert len(json.loads("\n".join(output(capsys)[0]))) == 40


def test_status_says_what_is_worse_and_what_is_silent(
    filled: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_cli, "now_utc_iso", lambda: "2026-10-28T09:00:00+00:00")
    assert invoke(["history", "status"]) == 0
    assert output(capsys)[0] == ["1 steady"]

    monkeypatch.setattr(history_cli, "now_utc_iso", lambda: "2026-11-05T09:00:00+00:00")
    assert invoke(["history", "status"]) == 3
    out, _ = output(capsys)
    assert (
        out[0].startswith("NO DATA smoke cpu-gate box-2c nfe-8 latency_p50: ")
        and out[-1] == "1 no data"
    )

    with open_history(URL) as history:
        for night in range(1, 6):
            slow = cell("nfe-8", value(found=0.5))
            history.append(
                entry(
                    night, slow, digest=f"{night:064}", created=f"2026-11-{night:02}T02:00:00+00:00"
                )
            )
        for night in range(29, 32):
            history.append(entry(night, cell("nfe-8", value())))
    assert invoke(["history", "report"]) == 0
    assert "**1 thing got worse.** 1 changed, 0 acknowledged, 1 open, 8 runs." in "\n".join(
        output(capsys)[0]
    )
    assert invoke(["history", "report", "--weeks", "521"]) == 2
    assert invoke(["history", "status", "--json"]) == 1
    (row,) = json.loads("\n".join(output(capsys)[0]))
    assert (row["state"], row["metric"], row["since"]) == ("worse", "latency_p50", "2026-11-01")


def test_a_metric_that_only_informs_turns_no_night_red(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_cli, "now_utc_iso", lambda: "2026-10-31T09:00:00+00:00")
    with open_history(URL) as history:
        for night in range(1, 32):
            start = value(metric="cold_start", found=1.0 if night < 26 else 2.0)
            history.append(
                entry(night, cell("nfe-8", start), created=f"2026-10-{night:02}T02:00:00+00:00")
            )
    assert invoke(["history", "status"]) == 0
    out, _ = output(capsys)
    assert out[0].startswith("WORSE (advisory) smoke cpu-gate box-2c nfe-8 cold_start: ")


def test_a_budget_that_guards_nothing_is_said(filled: Path, capsys: Capture) -> None:
    Path("baselines").mkdir(exist_ok=True)
    text = (
        '[[budget]]\nsuite = "smoke"\ncell = "nfe-9"\nmetric = "rtf"\nat_most = 0.3\nwhy = "a '
        'typo"\n'
    )
    Path("baselines/budgets.toml").write_text(f"schema_version = 1\n\n{text}")
    invoke(["history", "status"])
    assert (
        "budget smoke / nfe-9 / rtf at most 0.3 matches no series of the history"
        in output(capsys)[1]
    )


def test_what_a_machine_cannot_measure_is_no_missing_night(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_cli, "now_utc_iso", lambda: "2026-10-31T09:00:00+00:00")
    absent = value("peak_cuda_bytes", Missing("no GPU was used"), unit="bytes")
    with open_history(URL) as history:
        for night in range(1, 32):
            history.append(
                entry(
                    night,
                    cell("nfe-8", value(), absent),
                    created=f"2026-10-{night:02}T02:00:00+00:00",
                )
            )
    assert invoke(["history", "status"]) == 0
    assert output(capsys)[0] == ["1 steady"]


def test_a_cell_that_never_had_a_value_is_said(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_cli, "now_utc_iso", lambda: "2026-10-31T09:00:00+00:00")
    with open_history(URL) as history:
        for night in range(1, 32):
            lost = cell("nfe-8", value(found=Missing("the worker died")))
            history.append(entry(night, lost, created=f"2026-10-{night:02}T02:00:00+00:00"))
    assert invoke(["history", "status"]) == 3
    assert "the worker died" in output(capsys)[0][0]


@pytest.mark.parametrize(
    "command",
    [
        ["history", "list"],
        ["history", "status"],
        ["history", "export", "csv"],
        ["report", "--site"],
    ],
)
def test_reading_a_file_that_is_not_there_begins_no_history(
    project: Path, capsys: Capture, command: list[str]
) -> None:
    assert invoke([*command, "--history", "sqlite:///slip/history.sqlite"]) == 2
    assert "no history in slip/history.sqlite" in output(capsys)[1]
    assert not Path("slip").exists()
