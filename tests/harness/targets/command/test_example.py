"""The example repository of programs as engines: each of its suites is measured."""

import shutil
from pathlib import Path

import pytest

from voxgate.harness.cli.main import invoke
from voxgate.harness.records.run import Run
from voxgate.harness.runner.run_folder import load_run

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "command-line"


def measured(folder: Path, suite: str, patch: pytest.MonkeyPatch) -> Run:
    shutil.copytree(EXAMPLE, folder / "project")
    patch.chdir(folder / "project")
    assert invoke(["run", suite, "--repeats", "1", "--out", "runs/1"]) == 0
    return load_run(Path("runs/1"))


def audio_s(run: Run, slug: str) -> float:
    (process,) = [each for each in run.processes if each.cell == slug]
    return process.iterations[-1].audio_s


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs the program espeak-ng")
def test_a_slower_voice_of_espeak_is_slower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = measured(tmp_path, "espeak", monkeypatch)
    assert audio_s(run, "speed-120") > 1.3 * audio_s(run, "speed-200")
    told = run.processes[0].effective
    assert str(told["program"]).startswith("/") and set(told) == {"program"}


def test_the_engine_that_stays_alive_hums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = measured(tmp_path, "alive", monkeypatch)
    walls_s = {each.cell: each.iterations[-1].wall_s for each in run.processes}
    assert walls_s["harmonics-4"] < walls_s["harmonics-16"]
    assert all(len(each.iterations[-1].chunks or ()) > 1 for each in run.processes)
    assert all(each.cold is not None and each.cold.load_s > 0 for each in run.processes)
