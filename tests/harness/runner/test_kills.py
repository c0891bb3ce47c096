"""
Runs that are killed at any moment and resumed: nothing that was on disk is lost, nothing is
measured twice, nobody is left.

Real processes and SIGKILL, at seeded moments; VOXGATE_KILLS=100 for as many as one has time for.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness.cli.test_main import WORKLOAD
from tests.harness.machine.test_process_guard import children_of, gone
from voxgate.harness.cli.main import invoke
from voxgate.harness.records.run import Phase, Run
from voxgate.harness.runner import process_files, run_folder

KILLS = int(os.environ.get("VOXGATE_KILLS", "3"))
MOST_S = 3.0
"""
From the start of a command, a kill falls within this; a run of this suite takes about as long.
"""
OUT = Path("runs/0001")
LAPS = 6
SUITE = f'''"""Is it whole?"""
from voxgate import Suite

suite = Suite(target="scripted", pipeline="any", workload="two.toml", axes={{"steps": [8, 4]}}, reference={{"steps": 8}},
              fixed={{"audio_s": 0.1, "real_ms": 20}}, repeats=2, iterations={LAPS})
'''  # noqa: E501


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "two.py").write_text(SUITE)
    (tmp_path / "two.toml").write_text(WORKLOAD)
    return tmp_path


def kill_after(delay_s: float) -> list[int]:
    """Begin or continue a run, and kill it; gives the processes that it had."""
    words = [
        "run",
        "two",
        "--out",
        str(OUT),
        *(["--resume"] if (OUT / "run.json").exists() else []),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "voxgate", *words], stderr=subprocess.DEVNULL
    ) as process:
        time.sleep(delay_s)
        tasks = Path(f"/proc/{process.pid}/task")
        children = (
            [int(pid) for task in tasks.iterdir() for pid in children_of(task)]
            if tasks.exists()
            else []
        )
        process.kill()
    return children


def samples(run: Run) -> dict[tuple[str, int], list[object]]:
    return {(each.cell, each.repeat): list(each.iterations) for each in run.processes}


def test_a_run_that_is_killed_again_and_again_ends_whole(project: Path) -> None:
    """The first input: 87 of these; none lost a record, and workers stayed behind."""
    rng, before = random.Random(13), dict[tuple[str, int], list[object]]()
    for number in range(KILLS):
        children = kill_after(rng.uniform(0.3, MOST_S))
        assert gone(children), number
        if (OUT / "run.json").exists():
            after = samples(run_folder.load_run(OUT))
            assert all(after[key][: len(several)] == several for key, several in before.items()), (
                number
            )
            before = after
    assert (
        invoke(
            [
                "run",
                "two",
                "--out",
                str(OUT),
                *(["--resume"] if (OUT / "run.json").exists() else []),
            ]
        )
        == 0
    )
    run = run_folder.load_run(OUT)
    assert run.complete and all(each.finished and each.failure is None for each in run.processes)
    for each in run.processes:
        measured = sorted(
            sample.request for sample in each.iterations if sample.phase is Phase.MEASURED
        )
        assert measured == ["r1"] * LAPS + ["r2"] * LAPS, (each.cell, each.repeat)
    assert len(run.processes) == 4
    assert all(
        (OUT / f"audio/{slug}/{name}.wav").is_file()
        for slug in ("steps-8", "steps-4")
        for name in ("r1", "r2")
    )


def test_an_added_round_that_was_torn_is_made_whole_by_a_resume(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The first input: a worker that was killed in a round that check had added; its cell stayed
    FAILED for good.
    """
    suite = Path("suites/two.py")
    suite.write_text(
        suite.read_text().replace("repeats=2", "repeats=1").replace('"real_ms": 20', '"real_ms": 0')
    )
    assert invoke(["run", "two", "--out", str(OUT)]) == 0
    done = process_files.log_path(OUT, "steps-8", 0).read_bytes().splitlines(keepends=True)
    torn = [line.replace(b'"repeat": 0', b'"repeat": 1') for line in done[:8]]
    process_files.log_path(OUT, "steps-8", 1).write_bytes(
        b"".join(torn)
        + b'{"kind": "failure", "failure": {"kind": "killed", "reason": "SIGKILL"}}\n'
    )
    assert invoke(["run", "two", "--out", str(OUT), "--resume"]) == 0
    (added,) = [each for each in run_folder.load_run(OUT).processes if each.repeat == 1]
    assert added.finished and added.failure is None
    assert sum(sample.phase is Phase.MEASURED for sample in added.iterations) == 2 * LAPS
