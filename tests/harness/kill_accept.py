"""
Kills `accept` while it works, and looks at what it left: the old baseline or the new one, never
anything between.

    python -m tests.harness.kill_accept --kills 500 --seed 1     at random moments, in a folder of
                                                                 its own

`killed_at` is the other way, for the tests: before every call by which `accept` changes the disk,
one after the other.
"""

import argparse
import errno
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

from tests.harness.fake_runs import make_run, make_scores, steady, with_audio
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging import replace_folder
from voxgate.harness.judging.accept import accept
from voxgate.harness.judging.baseline import load_baseline
from voxgate.harness.records.run import ProcessRecord, Run

CHANGING = (
    "open",
    "write",
    "fsync",
    "replace",
    "rename",
    "link",
    "unlink",
    "mkdir",
    "rmdir",
    "symlink",
)
"""
Functions of `os` that change the disk, or bring it there; `open` counts only where it makes a file.
"""
METRICS = ("duration", "latency_p50", "rtf", "pesq")
Contents = dict[str, bytes]


def state(folder: Path) -> Contents:
    """Return what a folder of baselines holds, as git sees it: without what is ignored."""
    files = (
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and replace_folder.ROOM not in path.parts
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def small(run: Run, requests: Sequence[str]) -> Run:
    """Keep the audio of some requests, so that few files are written."""

    def kept(process: ProcessRecord) -> ProcessRecord:
        samples = [
            each if each.request in requests else replace(each, audio_file=None)
            for each in process.iterations
        ]
        return replace(process, iterations=tuple(samples))

    return with_audio(replace(run, processes=tuple(kept(process) for process in run.processes)))


class Trial:
    """
    An old baseline, and a run that is to become the new one: other speeds, other golden audio.
    """

    def __init__(self, folder: Path, *, first: bool = False) -> None:
        self.folder, self.baselines = folder, folder / "baselines"
        self.baselines.mkdir(parents=True)
        if not first:
            self._measure("0001", 0.1, ("u01", "u02"))
            self.accept()
        self.old = state(self.baselines)
        self._measure("0002", 0.2, ("u02", "u03"))
        self.accept()
        self.new = state(self.baselines)
        self.restore()
        assert self.old != self.new

    def _measure(self, name: str, wall_s: float, requests: Sequence[str]) -> None:
        run = make_run(
            {"nfe-32": steady(0.4), "nfe-8": steady(wall_s)}, self.folder / "runs" / name
        )
        self.run = small(run, requests)
        measured = aggregate(self.run, make_scores(self.run))
        self.measured = {
            slug: [each for each in several if each.metric in METRICS]
            for slug, several in measured.items()
        }

    def accept(self) -> None:
        """Make the run the baseline."""
        accept(self.run, self.measured, f"as in {self.run.folder}", self.baselines)

    def restore(self) -> None:
        """Put the old baseline back."""
        for path in sorted(self.baselines.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        for name, content in self.old.items():
            (self.baselines / name).parent.mkdir(parents=True, exist_ok=True)
            (self.baselines / name).write_bytes(content)

    def read(self) -> None:
        """Read the baseline, as every command that judges does."""
        load_baseline(self.baselines, "smoke", "box-2c")

    def found(self) -> str:
        """
        Name what is there, before and after somebody reads it: `old`, `new`, or what is wrong.
        """
        raw = self._name(state(self.baselines))
        self.read()
        read = self._name(state(self.baselines))
        return read if raw == read else f"{raw} until read, then {read}"

    def _name(self, contents: Contents) -> str:
        return "old" if contents == self.old else "new" if contents == self.new else "a mixture"


def forked(work: Callable[[], None]) -> int:
    """Do something in a child process; return its process id."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except HarnessError:
        os._exit(2)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)


@contextmanager
def watched(on_call: Callable[[str, tuple], None]) -> Iterator[None]:
    """Call `on_call` before every change of the disk; it may kill, or raise."""

    def wrapped(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def call(*arguments: object, **options: object) -> object:
            if name != "open" or int(arguments[1]) & os.O_CREAT:
                on_call(name, arguments)
            # a kill loses nothing that the system has, so that there is nothing to wait for
            if name == "fsync":
                return None
            return real(*arguments, **options)

        return call

    with mock.patch.multiple(os, **{name: wrapped(name) for name in CHANGING}):
        yield


def count_calls(trial: Trial) -> int:
    """Count how many times one `accept` changes the disk."""
    calls: list[str] = []
    with watched(lambda name, arguments: calls.append(name)):
        trial.accept()
    trial.restore()
    return len(calls)


def kill(work: Callable[[], object], number: int) -> None:
    """Kill a child just before its call of that number, after half of it where it writes."""
    left, write = [number], os.write

    def on_call(name: str, arguments: tuple) -> None:
        left[0] -= 1
        if left[0] < 0:
            if name == "write":
                write(arguments[0], arguments[1][: len(arguments[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)

    def watched_work() -> None:
        with watched(on_call):
            work()

    os.waitpid(forked(watched_work), 0)


def killed_at(trial: Trial, number: int) -> str:
    """Kill a child's `accept` at a call; return what is there."""
    kill(trial.accept, number)
    found = trial.found()
    trial.restore()
    return found


def full_at(trial: Trial, number: int) -> tuple[str, bool]:
    """
    Let the disk be full from the call of that number on; return what is there, and whether `accept`
    said so.
    """
    left, said = [number], False

    def on_call(name: str, arguments: tuple) -> None:
        left[0] -= 1
        if left[0] < 0 and name in ("open", "write", "fsync", "link", "mkdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with watched(on_call):
        try:
            trial.accept()
        except HarnessError as error:
            assert "the old one is whole" in str(error), error
            said = True
    found = trial.found()
    trial.restore()
    return found, said


def random_kills(kills: int, seed: int, folder: Path) -> Counter[str]:
    """Kill as many children at random moments of their `accept`."""
    trial, chance, found = Trial(folder), random.Random(seed), Counter[str]()
    began = time.perf_counter()
    os.waitpid(forked(trial.accept), 0)
    longest_s = 1.2 * (time.perf_counter() - began)
    trial.restore()
    for _ in range(kills):
        child = forked(trial.accept)
        time.sleep(chance.uniform(0.0, longest_s))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found[trial.found()] += 1
        trial.restore()
    return found


def main() -> int:
    """Kill, and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = random_kills(options.kills, options.seed, Path(folder) / "trial")
    seconds = time.perf_counter() - began
    print(f"{options.kills} kills, seed {options.seed}: {dict(found)} in {seconds:.0f} s")
    return 0 if set(found) <= {"old", "new"} else 1


if __name__ == "__main__":
    sys.exit(main())
