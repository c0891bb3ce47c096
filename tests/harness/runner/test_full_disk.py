"""
A full disk at every place where a run writes: it ends with one line, and with room again --resume
ends as a straight run does.

First on a disk that is told to be full at the n-th write, which runs everywhere; then on a small
file system of its own, with real workers, where one can be mounted; then with a limit on the size
of files.
"""

import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cli.test_main import WORKLOAD, made_up
from tests.harness.in_process import ALONE, ChildHere
from voxgate.harness.audio.files import read_audio
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine import power_meter
from voxgate.harness.machine.checks.check import SystemRoot
from voxgate.harness.machine.power_meter import Energy
from voxgate.harness.records import documents
from voxgate.harness.records.run import Failure, FailureKind, Phase
from voxgate.harness.runner import (
    engine_side,
    failures,
    kept_takes,
    process_files,
    run_folder,
    run_plan,
    runner,
    worker,
    worker_pool,
)
from voxgate.harness.runner.round import Variant
from voxgate.harness.runner.worker_process import WorkerError
from voxgate.harness.scoring import kept_scores
from voxgate.harness.suite.suite import load_suite

RUN = Path("runs/0001")
SUITE = '''"""Is it quick?"""
from voxgate import Suite

suite = Suite(target="scripted", pipeline="any", workload="two.toml", axes={"steps": [8]}, reference={"steps": 8},
              fixed={"audio_s": 0.1}, repeats=1, iterations=1)
'''  # noqa: E501
POINTS = (
    "run.json",
    "steps-8.0.request.json",
    "loaded",
    "first",
    "warmup",
    "effects",
    "r1.wav",
    "measured",
    "r2.wav",
    "stages",
    "energy",
    "finished",
    "complete",
    "transcripts.json",
    "measurements.json",
    "scored.json",
)
"""Every kind of write of a run and its scoring, in their order."""


@dataclass
class Disk:
    """Has room until the n-th write; what comes after that fails, too."""

    room: int = 10**9
    written: list[str] = field(default_factory=list)

    def write(self, name: str) -> None:
        if len(self.written) >= self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        self.written.append(name)


class Raw:
    """A log's file on such a disk; of a line for which there is no room, half is written."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def write(self, content: bytes) -> int:
        record = (
            json.loads(bytes(content)) if bytes(content).startswith(b"{") else {"kind": "a rest"}
        )
        try:
            self._disk.write(
                record["sample"]["phase"] if record["kind"] == "sample" else record["kind"]
            )
        except OSError:
            self._file.write(bytes(content)[: len(content) // 2])
            raise
        return int(self._file.write(content))

    def fileno(self) -> int:
        return int(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class Child(ChildHere):
    """A worker in this process, which on a full disk cannot record what it answers."""

    said: list[str] = []  # noqa: RUF012  (nobody reads it)

    def do(self, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        try:
            return super().do(command, timeout_s)
        except WorkerError as error:
            raise WorkerError(
                error.failure, recorded=error.failure.kind is not FailureKind.DISK
            ) from error


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one suite."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kept_scores, "score_run", made_up)
    # a machine without a power meter
    monkeypatch.setattr(power_meter, "here", lambda: SystemRoot(root=tmp_path))
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "two.py").write_text(SUITE)
    (tmp_path / "two.toml").write_text(WORKLOAD)
    return tmp_path


@pytest.fixture
def disk(project: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """
    The disk of all that is written into run folders; every process has a power meter to tell of.
    """
    made, write_atomic, open_log = Disk(), run_folder.write_atomic, process_files.WorkerLog.__init__

    def limited(path: Path, content: str | bytes) -> None:
        made.write(path.name)
        write_atomic(path, content)

    def opened(log: process_files.WorkerLog, path: Path) -> None:
        open_log(log, path)
        log._file = Raw(log._file, made)  # type: ignore[assignment]

    for module in (documents, run_folder, kept_takes):
        monkeypatch.setattr(module, "write_atomic", limited)
    monkeypatch.setattr(process_files.WorkerLog, "__init__", opened)
    monkeypatch.setattr(worker_pool, "WorkerProcess", Child)
    for module in (worker, engine_side):
        monkeypatch.setattr(module, "no_garbage_collection", nullcontext)
        monkeypatch.setattr(module, "freeze_gc", lambda: None)
    # to a file of its own, were it a process
    monkeypatch.setattr(worker.traceback, "print_exception", lambda error: None)
    monkeypatch.setattr(engine_side, "peak_rss_bytes", lambda: 50_000_000)
    drawn = Energy(meter="test", idle_w=1.0, busy_s=1.0, energy_j=2.0, audio_s=0.2)
    monkeypatch.setattr(worker.Worker, "_weighed", lambda self: drawn)
    monkeypatch.setattr(runner, "unmetered_cells", lambda *_: {})
    monkeypatch.setattr(run_plan, "ready_profile", lambda _: ALONE)
    monkeypatch.setattr(run_plan, "get_profile", lambda _: ALONE)
    return made


def go(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run a command; gives its code and its last word, which is no traceback."""
    capsys.readouterr()
    code = invoke(arguments)
    said = capsys.readouterr().err
    assert "Traceback" not in said and "unexpected" not in said, said
    return code, (said.splitlines() or [""])[-1]


def whole(folder: Path) -> dict[str, Any]:
    """What a run left, without what differs from run to run."""
    run = run_folder.load_run(folder)
    phases = {Phase.MEASURED}
    processes = {
        (each.cell, each.repeat): (
            [
                (s.request, round(s.wall_s, 9), s.audio_file)
                for s in each.iterations
                if s.phase in phases
            ],
            each.effects,
            type(each.stages),
            each.failure,
            each.finished,
        )
        for each in run.processes
    }
    audio = {
        path.relative_to(folder).as_posix(): read_audio(path)[0].tolist()
        for path in folder.glob("audio/*/*")
    }
    return {"complete": run.complete, "processes": processes, "audio": audio}


def test_every_write_of_a_run_is_among_the_points(
    disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go(capsys, "run", "two")[0] == 0
    assert go(capsys, "gate", str(RUN))[0] == 3
    assert tuple(dict.fromkeys(disk.written)) == POINTS


def test_a_disk_that_is_full_at_the_nth_write_costs_nothing_but_time(
    disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The first input: full while the worker told of it; 9 of 12 such runs could not be resumed,
    "error" was final.
    """
    go(capsys, "run", "two", "--out", "straight")
    measuring = len(disk.written)
    straight = whole(Path("straight"))
    for number in range(measuring):
        disk.room, disk.written = number, []
        out = Path(f"runs/full{number}")
        code, said = go(capsys, "run", "two", "--out", str(out))
        assert code == 2 and ("make room" in said), (number, said)
        assert not list(out.rglob("*.draft")), "an attempt leaves nothing that needs room"
        disk.room = 10**9
        code, said = go(capsys, "run", "two", "--out", str(out), "--resume")
        assert code == 0, (number, said)
        assert whole(out) == straight, number


def test_two_sides_in_turns_are_whole_after_a_full_disk(disk: Disk, project: Path) -> None:
    """What `ab` and `bisect` measure: rounds that are not whole on both sides are measured anew."""
    suite = load_suite("two")
    header = runner.make_header(
        suite, suite.expand().cells, ALONE, repeats=2, iterations=1, command=""
    )

    def both(name: str) -> list[Path]:
        folders = [Path(name) / side for side in ("base", "head")]
        runner.run_sides(
            [Variant(header=header, folder=folder) for folder in folders], ALONE, stage_rounds=1
        )
        return folders

    straight, count = [whole(folder) for folder in both("straight")], len(disk.written)
    for number in range(0, count, 2):
        disk.room, disk.written = number, []
        with pytest.raises(HarnessError, match="make room"):
            both(f"full{number}")
        disk.room = 10**9
        assert [whole(folder) for folder in both(f"full{number}")] == straight, number


def test_scores_that_could_not_be_kept_are_made_again(
    disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    go(capsys, "run", "two")
    for room, what in enumerate(("what was heard", "the scores", "the scores")):
        disk.room, disk.written = room, []
        code, said = go(capsys, "gate", str(RUN))
        assert (
            code == 2
            and f"cannot keep {what} in runs/0001: No space left on device; make room" in said
        )
    disk.room = 10**9
    assert go(capsys, "gate", str(RUN))[0] == 3
    assert (RUN / "scored.json").exists()


def test_a_refusal_that_could_not_be_recorded_is_asked_again(
    disk: Disk, capsys: pytest.CaptureFixture[str], script: Callable[[dict[str, Any]], None]
) -> None:
    """What the engine said is lost with the disk; the circumstance is what is told."""
    script({"*": {"fault": "refuse"}})
    disk.room = 2  # run.json and the request; then the failure
    code, said = go(capsys, "run", "two", "--out", str(RUN))
    assert code == 2 and "no space left" in said
    disk.room = 10**9
    assert go(capsys, "run", "two", "--out", str(RUN), "--resume")[0] == 1
    (record,) = run_folder.load_run(RUN).processes
    assert record.failure is not None and record.failure.kind == "refused"


@dataclass
class Mounted:
    """A file system of a few pages, in memory."""

    path: Path

    def resize(self, kib: int) -> None:
        subprocess.run(
            ["mount", "-o", f"remount,size={kib}k", str(self.path)], check=True, capture_output=True
        )


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Mounted]:
    path = tmp_path / "small"
    path.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1024k", "none", str(path)],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield Mounted(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


PAGE_KIB = 4


@pytest.mark.parametrize(
    "pages",
    [1, 3, 5, pytest.param(None, marks=pytest.mark.slow)],
    ids=lambda each: f"{each or 'all'}",
)
def test_on_a_real_full_disk_with_real_workers(
    project: Path, small: Mounted, capsys: pytest.CaptureFixture[str], pages: int | None
) -> None:
    """
    A few pages stand for a request, a log or an audio file; `all` tries every size up to one that
    is enough.
    """
    go(capsys, "run", "two", "--out", "straight")
    straight = whole(Path("straight"))["audio"]
    for count in [pages] if pages else range(1, 40):
        small.resize(count * PAGE_KIB)
        out = small.path / f"run{count}"
        code, said = go(capsys, "run", "two", "--out", str(out))
        small.resize(1024)
        if code == 0 and not pages:
            return
        if code != 0:
            assert code == 2 and "make room" in said, (count, code, said)
            resumed = ["--resume"] if (out / "processes").exists() else []
            code, said = go(capsys, "run", "two", "--out", str(out), *resumed)
            assert code == 0, (count, said)
        found = whole(out)
        ((samples, _, _, failure, finished),) = found["processes"].values()
        assert found["complete"] and finished and failure is None
        assert [request for request, _, _ in samples] == ["r1", "r2"]
        assert found["audio"] == straight
        subprocess.run(["rm", "-r", str(out)], check=True)


def test_last_words_that_nobody_can_write_are_no_failure_of_the_engine(
    project: Path,
    small: Mounted,
    capsys: pytest.CaptureFixture[str],
    script: Callable[[dict[str, Any]], None],
) -> None:
    """
    The worker told a full disk of the full disk: its traceback killed it, and "error: ended with
    code 1" was final.
    """
    (small.path / "ballast").write_bytes(b"\0" * 4096)
    script({"*": {"fault": "disk", "options": {"fault_at": 4}}})
    out = small.path / "run"
    code, said = go(capsys, "run", "two", "--out", str(out))
    assert code == 2 and "no space left" in said
    stderr = next(out.glob("processes/*.stderr"))
    assert "Traceback" in stderr.read_text(), "with room, they are there"
    script({})
    assert go(capsys, "run", "two", "--out", str(out), "--resume")[0] == 0


LIMITED = """
import resource, sys
from voxgate.harness.cli.main import invoke
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(invoke(sys.argv[2:]))
"""


@pytest.mark.parametrize("limit_bytes", [300, 3000])
def test_a_limit_on_the_size_of_files_is_a_circumstance_too(
    project: Path, capsys: pytest.CaptureFixture[str], limit_bytes: int
) -> None:
    assert hasattr(resource, "RLIMIT_FSIZE")
    command = [sys.executable, "-c", LIMITED, str(limit_bytes), "run", "two", "--out", str(RUN)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "make room" in done.stderr and "Traceback" not in done.stderr
    assert go(capsys, "run", "two", "--out", str(RUN), "--resume")[0] == 0
    assert run_folder.load_run(RUN).complete


def test_only_the_engines_word_is_final() -> None:
    final = {kind.value for kind in FailureKind if kind.final}
    assert final == {"refused", "error", "not in effect", "foreign files"}


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS]
)
def test_whatever_the_system_says_while_we_write_is_a_circumstance(number: int) -> None:
    with pytest.raises(failures.UnwritableError) as caught, failures.writing():
        raise OSError(number, os.strerror(number), "x")
    assert failures.classify(caught.value) == Failure(
        kind=FailureKind.DISK, reason=f"{os.strerror(number)}: x"
    )
