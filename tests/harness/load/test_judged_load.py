"""A load is a run: judged against its baseline, or against another server, kept and remembered."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.harness.load.making import answer
from tests.harness.load.test_load_verb import _project as project  # noqa: F401 - a fixture
from tests.harness.targets.speech_servers import Reply, fake_server, tone, wav
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging import accept
from voxgate.harness.load.as_run import write_run
from voxgate.harness.load.plan import Extent, Level, LoadPlan, chosen_cells
from voxgate.harness.load.records import CellLog, LoadPhase, Span, create
from voxgate.harness.load.report import report_of
from voxgate.harness.records.cell import cell_to_json
from voxgate.harness.records.run import FailureKind
from voxgate.harness.runner.run_folder import load_run

pytestmark = pytest.mark.usefixtures("project", "quiet")
FACTS = {"id": "box-2c", "cores": 2}
LEVELS = (Level(clients=1), Level(clients=4))


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accept, "restlessness", lambda run, cells: "")


def made(folder: Path, factor: float = 1.0, **changes: Any) -> Path:
    """
    A load of two levels, six times over, of a server that is `factor` as slow; latencies wander.
    """
    plan = LoadPlan(suite="s", levels=LEVELS, extent=Extent(requests=8), repeats=6, url="http://x")
    cells = chosen_cells(plan)
    header = {
        "plan": {"suite": "s", "limit_s": None, "soak": False},
        "profile": "cpu",
        "reference": "default",
        "command": "voxgate load s",
        "cells": [cell_to_json(cell) for cell in cells],
        "slugs": ["default"],
        "created": "2026-11-20T02:00:00+00:00",
        "environment": {"machine": FACTS, "toolchain": {}, "before": {}},
    }
    create(folder, header)
    log = CellLog(folder, "default")
    for repeat in range(6):
        log.server({"url": "http://x", "repeat": repeat, "ready_s": 2.0, "told": {}})
        log.answer(answer(phase=LoadPhase.COLD, level="", request="a", repeat=repeat))
        for number, level in enumerate(LEVELS):
            began_s = 100.0 * repeat + 50.0 * number
            for place in range(8):
                wander = 1.0 + 0.002 * ((3 * repeat + place) % 5)
                wait_s = factor * wander * (0.2 + 0.1 * (place % 3)) * (1 + number)
                asked = {"level": level.label, "request": "abc"[place % 3], "repeat": repeat}
                log.answer(answer(began_s + place, wait_s, **{**asked, **changes}))
            log.span(Span(level=level.label, began_s=began_s, ended_s=began_s + 9.0, repeat=repeat))
            log.memory(began_s + 1.0, 100_000_000 + number)
    log.close()
    write_run(folder, plan, {"after": {}, "finished": "2026-11-20T03:00:00+00:00"})
    return folder


def test_a_load_is_a_run_with_a_cell_for_each_level_and_a_process_for_each_repeat(
    tmp_path: Path,
) -> None:
    run = load_run(made(tmp_path / "load"))
    assert (run.suite, run.reference, run.complete) == ("s.load", "load-closed-1", True)
    assert [cell.slug for cell in run.cells] == ["load-closed-1", "load-closed-4"]
    assert run.cells[0].options["load_streamed"] is True
    assert len(run.processes) == 12 and all(process.finished for process in run.processes)
    first = next(process for process in run.processes if process.cell == "load-closed-1")
    assert first.cold is not None and first.cold.load_s == 2.0
    assert first.peak_rss_bytes == 100_000_000
    assert [sample.phase.value for sample in first.iterations] == ["first", *["measured"] * 8]
    second = next(process for process in run.processes if process.cell == "load-closed-4")
    assert second.cold is None, "its server was under load before"
    rows = report_of(tmp_path / "load").cells[0].rows
    assert [(row.level, row.sent) for row in rows if row.length == "all"] == [
        ("closed-1", 48),
        ("closed-4", 48),
    ]


def test_the_verbs_of_a_run_take_a_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`accept` makes the baseline, `gate` holds another load against it, `history` keeps it."""
    first = made(tmp_path / "first")
    assert invoke(["gate", str(first)]) == 3
    assert invoke(["accept", str(first), "--why", "first"]) == 0
    names = sorted(path.name for path in Path("baselines/s.load").glob("*.json"))
    assert names == ["quality.json", "speed@box-2c.json"]
    assert invoke(["gate", str(made(tmp_path / "same"))]) == 0
    assert invoke(["gate", str(made(tmp_path / "slow", 1.2))]) == 1
    assert "REGRESSED" in capsys.readouterr().out
    url = f"sqlite:///{tmp_path}/h.sqlite"
    assert invoke(["history", "import", str(tmp_path / "slow"), "--history", url]) == 0
    assert invoke(["history", "list", "--history", url]) == 0
    assert "s.load" in capsys.readouterr().out
    assert invoke(["report", str(tmp_path / "slow"), "--out", "page.html"]) == 0


def test_a_level_that_is_loaded_otherwise_is_another_cell(tmp_path: Path) -> None:
    """A baseline of streams is no baseline of whole audio."""
    streamed, whole = (
        load_run_cells(plan)
        for plan in (
            LoadPlan(suite="s", levels=LEVELS, url="http://x"),
            LoadPlan(suite="s", levels=LEVELS, url="http://x", whole=True),
        )
    )
    assert streamed.isdisjoint(whole)


def load_run_cells(plan: LoadPlan) -> set[str]:
    from voxgate.harness.load.as_run import load_cell

    return {
        load_cell(plan, cell, level).digest()
        for cell in chosen_cells(plan)
        for level in plan.levels
    }


def test_a_level_of_which_a_request_failed_has_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(tmp_path / "load", failure=FailureKind.BUSY, reason="HTTP 429: full")
    assert invoke(["gate", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "FAILED" in said and "busy: 8 of 8 requests failed: HTTP 429: full" in said


def test_a_suite_whose_name_leaves_no_room_for_the_load_s_is_refused(project: Path) -> None:  # noqa: F811
    (project / "suites" / "s.py").rename(project / "suites" / f"{'s' * 96}.py")
    with pytest.raises(HarnessError, match="more than 95 characters"):
        chosen_cells(LoadPlan(suite="s" * 96, levels=LEVELS, url="http://x"))


def delayed(delay_s: float) -> Callable[[dict[str, Any]], Reply]:
    def reply(_: dict[str, Any]) -> Reply:
        time.sleep(delay_s)
        return Reply(parts=(wav(tone()),))

    return reply


WORDS = ("load", "s", "--closed", "1", "--requests", "4", "--repeats", "5")


def test_load_gates_accepts_and_leaves_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/h.sqlite"
    with fake_server(delayed(0.01)) as quick, fake_server(delayed(0.2)) as slow:
        assert invoke([*WORDS, "--url", quick.url, "--accept", "first"]) == 0
        assert "accepted runs/load/0001" in capsys.readouterr().out
        more = ("--gate", "--json", "--junit", "j.xml", "--history", url)
        assert invoke([*WORDS, "--url", slow.url, *more]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["judgement"]["verdict"] == "REGRESSED"
    assert document["cells"][0]["rows"][0]["sent"] == 20
    root = ElementTree.parse("j.xml").getroot()
    assert root.attrib["failures"] == "1"
    assert invoke(["history", "list", "--history", url]) == 0
    assert "s.load" in capsys.readouterr().out


def test_two_servers_are_loaded_in_turns_and_one_is_judged_against_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    order: list[str] = []

    def noting(name: str, delay_s: float) -> Callable[[dict[str, Any]], Reply]:
        reply = delayed(delay_s)

        def noted(asked: dict[str, Any]) -> Reply:
            order.append(name)
            return reply(asked)

        return noted

    with fake_server(noting("base", 0.01)) as base, fake_server(noting("head", 0.2)) as head:
        assert invoke([*WORDS, "--url", head.url, "--against", base.url]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1].startswith("REGRESSED: 1 regressed")
    turns = [name for n, name in enumerate(order) if not n or order[n - 1] != name]
    assert turns == ["base", "head", "base", "head", "base", "head"]
    assert Path("runs/load/0001/base/run.json").is_file()
    assert invoke([*WORDS, "--against", "http://127.0.0.1:1"]) == 2
    assert "name it with --url" in capsys.readouterr().err
