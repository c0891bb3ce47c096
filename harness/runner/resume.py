"""
Pending work of a run folder: everything in a new one, the rest in an interrupted one. Knows the
folder only through `run_folder.py`; starts nothing.

Sessions of several runs in one folder: their specification is kept, so that an interrupted session
is continued as the same one.

    runs/0007/job.json    the verb, both commits, the suite and how to measure it
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from voxgate.harness.errors import HarnessError, SessionInterruptedError
from voxgate.harness.machine.identity import comparable
from voxgate.harness.records import documents
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.environment import facts_of
from voxgate.harness.records.run import Failure, Phase, ProcessRecord
from voxgate.harness.runner import process_files, run_folder
from voxgate.harness.runner.run_header import RunHeader


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """Pending work of one repeat of one cell."""

    missing: tuple[tuple[str, int], ...]
    """Measured iterations as (request, lap)."""
    takes: tuple[tuple[str, int], ...] = ()
    """
    Further takes as (request, number) of a cell that samples; number 0 is the first request once
    more, by its own seed.
    """
    iterations: int
    """How many iterations of any phase an interrupted process left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """
    Pending work of a run folder, by (slug, repeat), and the cells (by slug) that have failed for
    good.
    """

    todo: Mapping[tuple[str, int], Remainder]
    failures: Mapping[str, Failure]


def take_stock(folder: Path, header: RunHeader) -> Stock:
    """
    Return the pending work of the rounds that are planned or begun, and set interrupted processes
    aside.
    """
    todo: dict[tuple[str, int], Remainder] = {}
    failures: dict[str, Failure] = {}
    for repeat in range(max(header.repeats, process_files.rounds(folder))):
        for cell in header.cells:
            record = process_files.load_process(folder, cell.slug, repeat)
            if record is None and repeat >= header.repeats:
                continue  # nobody asked for it
            if (final := _final(record)) is not None:
                failures[cell.slug] = final
            elif (pending := remainder(folder, cell, repeat, header)) is not None:
                todo[cell.slug, repeat] = pending
    return Stock(
        todo={key: pending for key, pending in todo.items() if key[0] not in failures},
        failures=failures,
    )


def remainder(folder: Path, cell: Cell, repeat: int, header: RunHeader) -> Remainder | None:
    """
    Return the pending work of one repeat of one cell, setting an interrupted process aside; None if
    there is none.
    """
    record = process_files.load_process(folder, cell.slug, repeat)
    if record is not None and record.finished:
        return None
    process_files.keep_interrupted(folder, cell.slug, repeat)
    return _remainder(header, cell, repeat, record)


def put_torn_rounds_away(folders: Sequence[Path], header: RunHeader) -> None:
    """
    Leave only what is whole in the folders of several sides: of a round that one side did not end,
    the others' processes are put away too, since what was not measured in turns is no pair. Cells
    that failed for good stay as they are.
    """
    for repeat in range(max(map(process_files.rounds, folders))):
        for cell in header.cells:
            records = [process_files.load_process(folder, cell.slug, repeat) for folder in folders]
            if not (
                any(map(_final, records))
                or all(_is_whole(header, cell, repeat, record) for record in records)
            ):
                for folder in folders:
                    process_files.archive_process(folder, cell.slug, repeat)


def _final(record: ProcessRecord | None) -> Failure | None:
    """Return the failure for which the cell itself is at fault; None if there is none."""
    failure = None if record is None else record.failure
    return failure if failure is not None and failure.kind.final else None


def _is_whole(header: RunHeader, cell: Cell, repeat: int, record: ProcessRecord | None) -> bool:
    """
    Whether a process ended by itself and did all that was planned; one whose counterpart died
    ended, too, and did not.
    """
    if record is None or not record.finished:
        return False
    rest = _remainder(header, cell, repeat, record)
    return not (rest.missing or rest.takes)


def check_same(folder: Path, old: RunHeader, new: RunHeader) -> None:
    """Raise HarnessError, naming the differences, unless the new run would continue the old one."""
    names = (
        "suite",
        "profile",
        "repeats",
        "iterations",
        "min_time_s",
        "parts",
        "reference",
        "takes",
    )
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in names]
    reasons = [f"{name} {before} against {now}" for name, before, now in pairs if before != now]
    if {cell.slug: cell.digest() for cell in old.cells} != {
        cell.slug: cell.digest() for cell in new.cells
    }:
        reasons.append("other cells")
    for part in ("machine", "toolchain"):
        reasons.extend(
            comparable(
                facts_of(getattr(old.environment, part)), facts_of(getattr(new.environment, part))
            )
        )
    if reasons:
        raise HarnessError(
            f"run {folder} cannot be resumed, it was begun otherwise ({'; '.join(reasons)}); start "
            "a new run"
        )


def _remainder(
    header: RunHeader, cell: Cell, repeat: int, record: ProcessRecord | None
) -> Remainder:
    iterations = record.iterations if record is not None else ()
    done = Counter(
        iteration.request for iteration in iterations if iteration.phase is Phase.MEASURED
    )
    requests = header.spoken(cell, repeat)
    every = ((request, lap) for lap, request in product(range(header.iterations), requests))
    spoken = {(each.request, each.take) for each in iterations if each.phase is Phase.TAKE}
    return Remainder(
        missing=tuple((request, lap) for request, lap in every if done[request] <= lap),
        takes=tuple(take for take in header.further_takes(cell, repeat) if take not in spoken),
        iterations=len(iterations),
    )


FILE = "job.json"

SessionSpec = Mapping[str, object]
"""What a job is to do, as plain JSON values; `verb` says which command began it."""


@contextmanager
def continued_by(command: str) -> Iterator[None]:
    """Raise SessionInterruptedError with the command that continues, in place of Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise SessionInterruptedError(command) from error


def job_folder(root: Path, out: Path | None, facts: SessionSpec, *, resume: bool) -> Path:
    """
    Return the folder of a session: a new one, `out` or the next free one below `root`; with
    `resume` one that was begun, `out` or the youngest of this verb.

    Raises HarnessError where a new one is in use, where there is nothing to resume, and where it
    was begun for anything else.
    """
    if resume:
        return _begun(_latest(root, facts) if out is None else out, facts)
    folder = run_folder.next_run_folder(root) if out is None else out
    if folder.exists() and any(folder.iterdir()):
        raise HarnessError(
            f"{folder} is in use; choose another --out, or continue what was begun there with "
            "--resume"
        )
    return folder


def begin(folder: Path, facts: SessionSpec) -> None:
    """Write the specification of a session. Raises HarnessError if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        documents.write_json(folder / FILE, facts)
    except OSError as error:
        raise HarnessError(
            f"cannot write to {folder}: {error.strerror}; choose another --out or make room"
        ) from error


def _latest(root: Path, facts: SessionSpec) -> Path:
    folders = sorted(
        (path for path in root.glob("[0-9]*") if path.name.isdecimal()),
        key=lambda path: int(path.name),
    )
    mine = [
        folder
        for folder in folders
        if (folder / FILE).is_file() and _facts(folder).get("verb") == facts["verb"]
    ]
    if not mine:
        raise HarnessError(
            f"no {facts['verb']} below {root} to resume; begin one without --resume, or name it "
            "with --out"
        )
    return mine[-1]


def _begun(folder: Path, facts: SessionSpec) -> Path:
    before = _facts(folder)
    names = [
        name for name in dict.fromkeys([*before, *facts]) if before.get(name) != facts.get(name)
    ]
    if names:
        differ = "; ".join(f"{name} {before.get(name)} against {facts.get(name)}" for name in names)
        raise HarnessError(
            f"{folder} cannot be resumed, it was begun otherwise ({differ}); start a new one"
        )
    return folder


def _facts(folder: Path) -> SessionSpec:
    return documents.read_json(
        folder / FILE,
        f"{folder} holds nothing to resume: it has no {FILE}; begin it without --resume",
    )
