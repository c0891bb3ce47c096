"""
`accept` killed, or without room, at every call that changes the disk: the baseline is the old one
or the new one, whole.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.fuzz_baseline import fuzz
from tests.harness.kill_accept import (
    Trial,
    count_calls,
    full_at,
    kill,
    killed_at,
    random_kills,
    state,
)
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging import replace_folder
from voxgate.harness.judging.baseline import load_baseline


def whole(found: list[str]) -> None:
    """Old up to some call, new from there on, and nothing else."""
    turn = found.index("new") if "new" in found else len(found)
    assert found == ["old"] * turn + ["new"] * (len(found) - turn)


def test_killed_at_every_call_the_baseline_is_whole(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "trial")
    calls = count_calls(trial)
    assert calls > 40
    whole([killed_at(trial, number) for number in range(calls)])


def test_killed_at_every_call_of_a_first_accept(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "trial", first=True)
    whole([killed_at(trial, number) for number in range(0, count_calls(trial), 3)])


def test_killed_where_folders_cannot_be_exchanged_it_is_whole_for_whoever_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moved file by file then, but only after all was decided; the next reader finishes."""
    monkeypatch.setattr(replace_folder, "exchange", lambda one, other: False)
    trial = Trial(tmp_path / "trial")
    found = [killed_at(trial, number) for number in range(0, count_calls(trial), 2)]
    read = [each.rpartition("then ")[2] for each in found]
    whole(read)
    assert "a mixture until read, then new" in found


def test_a_reader_killed_while_finishing_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replace_folder, "exchange", lambda one, other: False)
    trial = Trial(tmp_path / "trial")
    calls = count_calls(trial)
    decided = next(
        number for number in range(calls // 2, calls) if "until read" in killed_at(trial, number)
    )
    for number in range(0, calls - decided, 3):
        kill(trial.accept, decided)
        kill(trial.read, number)
        assert trial.found().endswith("new")
        trial.restore()


def test_a_disk_that_is_full_from_any_call_on_leaves_the_old_baseline(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "trial")
    for number in range(0, count_calls(trial), 2):
        found, said = full_at(trial, number)
        assert (found, said) in {("old", True), ("new", False), ("new", True)}
        assert found == "old" or number > 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)],
            check=False,
            capture_output=True,
        ).returncode
    )
    if not mounted:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_on_a_disk_that_is_really_full_the_old_baseline_is_whole(small_disk: Path) -> None:
    trial = Trial(small_disk / "trial")
    with pytest.raises(HarnessError, match="No space left on device; the old one is whole"):
        for size in (200_000, 100_000, 50_000, 25_000, 10_000, 4_000):
            (small_disk / f"filler{size}").write_bytes(b"")
            try:
                (small_disk / f"filler{size}").write_bytes(b"x" * size)
            except OSError:
                continue
        trial.accept()
    assert state(trial.baselines) == trial.old
    assert not (trial.baselines / replace_folder.ROOM).exists()
    for filler in small_disk.glob("filler*"):
        filler.unlink()
    trial.accept()
    assert state(trial.baselines) == trial.new


def test_killed_at_random_moments(tmp_path: Path) -> None:
    assert set(random_kills(20, 7, tmp_path / "trial")) <= {"old", "new"}


def test_what_a_kill_left_behind_is_ignored_by_git_and_gone_after_the_next_accept(
    tmp_path: Path,
) -> None:
    trial = Trial(tmp_path / "trial")
    room = trial.baselines / replace_folder.ROOM
    room.mkdir()
    (room / ".gitignore").write_text("*\n")
    (room / "smoke/golden").mkdir(parents=True)
    (room / "smoke/golden/u01.flac").write_bytes(b"half")
    assert trial.found() == "old"
    subprocess.run(["git", "init", "-q"], cwd=trial.folder, check=True)
    status = subprocess.run(
        ["git", "status", "--porcelain", "-uall", "baselines"],
        cwd=trial.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert replace_folder.ROOM not in status.stdout
    trial.accept()
    assert not room.exists()
    assert load_baseline(trial.baselines, "smoke", "box-2c").quality.why.endswith("runs/0002")


def test_where_the_baselines_should_be_is_a_file(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "trial")
    trial.baselines.rename(tmp_path / "away")
    trial.baselines.write_text("mine")
    with pytest.raises(HarnessError, match=r"cannot write the baseline in .*baselines/smoke: "):
        trial.accept()
    assert trial.baselines.read_text() == "mine"


def test_damaged_files_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    found = fuzz(400, 1, tmp_path / "trial")
    assert found["refused"] > 200
