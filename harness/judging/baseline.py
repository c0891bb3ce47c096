"""
The baseline of a suite: load it, and make a run the new one. `accept` is the only writer of
`baselines/`.

    baselines/<suite>/quality.json            machine-independent
    baselines/<suite>/speed@<machine>.json    one per machine
    baselines/<suite>/golden/<request>.flac   the reference cell's audio; quality.json has the
                                              digest of each file

All of them change at once or not at all (`replace_folder.py`). Knows the folder and what may be
accepted; `baseline_file.py` knows the format. Compares and decides nothing.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.analysis.grouping import Measurements, by_name
from harness.analysis.metric_rules import is_helper
from harness.audio.files import flac_bytes, read_audio
from harness.errors import HarnessError
from harness.judging.baseline_check import fault_of_kind
from harness.judging.baseline_file import AGAIN, BaselineFile, Kind, parse, render
from harness.judging.replace_folder import replacement, settle
from harness.machine.quietness import QUIET, UNKNOWN, disturbed, fitness
from harness.metrics.registry import GOLDEN
from harness.records.cell import Cell
from harness.records.environment import facts_of
from harness.records.files import inside, plain_name, reason, write_atomic
from harness.records.measurement import Measurement, Missing, Value
from harness.records.run import Phase, Run, failure_of

KINDS: tuple[Kind, ...] = ("quality", "speed")
LONGEST, DIGITS = 100, 10
DIGESTED = re.compile(rf".*-[0-9a-f]{{{DIGITS}}}", re.DOTALL)
"""
A machine's name that looks as if a digest stood behind it gets one, so that none can be chosen that
is another's.
"""
HEARD = "heard"
"""In a cell of a quality baseline: recogniser -> request id -> the words that it heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What is accepted for a suite on one machine; either part may be absent."""

    quality: BaselineFile | None
    speed: BaselineFile | None

    @property
    def files(self) -> tuple[BaselineFile, ...]:
        """The parts that there are."""
        return tuple(file for file in (self.quality, self.speed) if file is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineChange:
    """One line that `accept` changed; None where there was (or is) no such entry."""

    cell: str
    metric: str
    unit: str
    old: Value | None
    new: Value | None


def machine_id(run: Run) -> str:
    """
    Name the machine that a run was made on, fit for a file name; different machines have different
    names.
    """
    told = run.environment.machine.id or "unknown"
    plain = re.sub(r"[^a-z0-9._-]+", "-", told.lower())[:LONGEST]
    if plain == told and not DIGESTED.fullmatch(told):
        return told
    return f"{plain}-{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:DIGITS]}"


def revision(run: Run) -> str:
    """
    Name the revision that was measured: `3fa1c2e`, or `3fa1c2e + 2 files` where the working tree
    differed.
    """
    toolchain = run.environment.toolchain
    dirty = toolchain.dirty_files or 0
    extra = f" + {dirty} file{'' if dirty == 1 else 's'}" if dirty else ""
    return f"{'none' if toolchain.commit is None else toolchain.commit}{extra}"


def suite_dir(baselines_dir: Path, suite: str) -> Path:
    """
    Name the folder of a suite's baseline. Raises HarnessError for a name that leads out of
    `baselines_dir`.
    """
    return inside(baselines_dir, plain_name(suite, "suite"))


def golden_dir(baselines_dir: Path, suite: str) -> Path:
    """Name the folder of a suite's golden audio. Raises HarnessError as `suite_dir` does."""
    return suite_dir(baselines_dir, suite) / "golden"


def load_baseline(baselines_dir: Path, suite: str, machine: str) -> Baseline:
    """
    Load what is accepted for a suite on a machine.

    Raises HarnessError naming file, line and value if it is broken, or where the golden audio is
    not the accepted one.
    """
    folder = suite_dir(baselines_dir, suite)
    try:
        settle(folder)
    except OSError as error:
        raise HarnessError(
            f"an accept was interrupted and cannot be finished in {folder}: {reason(error)}; make "
            "it writable or make room"
        ) from error
    quality = _load(folder, "quality.json", suite)
    if quality is not None and quality.golden is not None:
        _check_golden(folder, quality.golden)
    return Baseline(quality=quality, speed=load_speed(folder, suite, machine))


def load_speed(folder: Path, suite: str, machine: str) -> BaselineFile | None:
    """
    Load a machine's speed baseline from the folder of a suite's. Raises HarnessError as
    `load_baseline` does.
    """
    return _load(folder, f"speed@{machine}.json", suite, machine)


def identity(cell: Cell, run: Run) -> dict[str, Any]:
    """Say what a cell asks, and which options were in effect, as a baseline keeps it."""
    effective = next(
        (dict(p.effective) for p in run.processes if p.cell == cell.slug and p.effective), {}
    )
    return {
        "digest": cell.digest(),
        "target": cell.target,
        "pipeline": cell.pipeline,
        "workload": f"{cell.workload.name} {cell.workload.digest()}",
        "options": dict(cell.options),
        "effective": effective,
    }


def accept(
    run: Run,
    measurements: Measurements,
    why: str,
    baselines_dir: Path,
    *,
    only: str | None = None,
    partial: bool = False,
    loaded: bool = False,
) -> tuple[BaselineChange, ...]:
    """
    Make a run the baseline of its suite: quality, this machine's speed, and the reference cell's
    audio as golden.

    `only` is one of KINDS and leaves the other alone; the golden audio belongs to quality.
    `partial` lets an incomplete run or one with failed cells through, without those cells, and
    `loaded` speeds of a machine that was not quiet. Whole suites only. Returns what changed.

    Raises HarnessError for an empty reason, such runs, or files that cannot be read or written.
    """
    cells = _acceptable(run, why, partial)
    trouble = "" if only == "quality" else _quiet_enough(run, cells, loaded)
    machine, folder = machine_id(run), suite_dir(baselines_dir, run.suite)
    before = load_baseline(baselines_dir, run.suite, machine)
    after = {cell.slug: by_name(as_golden(measurements[cell.slug])) for cell in cells}
    kinds = [kind for kind in KINDS if only in (None, kind)]
    reasons: dict[Kind, str] = {"quality": why.strip(), "speed": f"{why.strip()}{trouble}"}
    files = {
        file_name(kind, machine): _file(run, cells, after, reasons[kind], kind, str(folder))
        for kind in kinds
    }
    if folder.is_symlink():
        raise HarnessError(f"{folder} is a link; a baseline is a folder of its own, put it there")
    try:
        with replacement(folder) as draft:
            _write(run, files, draft)
    except OSError as error:
        raise HarnessError(
            f"cannot write the baseline in {folder}: {reason(error)}; the old one is whole; make "
            "room, or make it writable"
        ) from error
    return _changes(
        [file for file in before.files if only in (None, file.kind)], _of_kind(after, only)
    )


def file_name(kind: str, machine: str) -> str:
    """Name the file of a kind of baseline."""
    return "quality.json" if kind == "quality" else f"speed@{machine}.json"


def _write(run: Run, files: Mapping[str, BaselineFile], draft: Path) -> None:
    """
    Write the files into the draft of a suite's folder. Raises HarnessError for one that nobody
    could read again.
    """
    for name, file in files.items():
        golden = _write_golden(run, draft / "golden") if file.kind == "quality" else None
        text = render(replace(file, golden=golden))
        try:
            parse(text, name)
        except HarnessError as error:
            raise HarnessError(f"{run.folder} cannot become the baseline: {error}") from error
        write_atomic(draft / name, text)


def _of_kind(
    measured: Mapping[str, Mapping[str, Measurement]], only: str | None
) -> dict[str, dict[str, Measurement]]:
    def kept(name: str) -> bool:
        return any(
            fault_of_kind(name, kind) is None for kind in (KINDS if only is None else (only,))
        )

    return {
        slug: {name: each for name, each in named.items() if kept(name)}
        for slug, named in measured.items()
    }


def of_run(run: Run, measurements: Measurements) -> Baseline:
    """
    Give the baseline that a run would make, without writing it: what another engine measured in
    turns is held against.
    """
    cells = [cell for cell in run.cells if cell.slug in measurements]
    named = {cell.slug: by_name(as_golden(measurements[cell.slug])) for cell in cells}
    why = f"measured in turns with {revision(run)}"
    quality, speed = (_file(run, cells, named, why, kind, run.folder) for kind in KINDS)
    return Baseline(quality=quality, speed=speed)


def as_golden(measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """
    Give a cell's measurements as they read once its own run's reference audio is the golden audio.
    """
    named = by_name(measurements)

    def relabel(each: Measurement) -> Measurement:
        parity = named.get(each.metric.removeprefix(GOLDEN))
        return (
            replace(parity, metric=each.metric)
            if each.metric.startswith(GOLDEN) and parity is not None
            else each
        )

    return tuple(relabel(each) for each in measurements)


def change_line(change: BaselineChange) -> str:
    """Show one change: `nfe_steps-8 latency_p50: 0.1213 -> 0.1098 s`."""
    return (
        f"{change.cell} {change.metric}: {_shown(change.old)} -> {_shown(change.new)} {change.unit}"
    )


def _load(folder: Path, name: str, suite: str, machine: str | None = None) -> BaselineFile | None:
    path = folder / name
    try:
        if not path.exists():
            return None
        file = parse(inside(folder, name).read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"cannot read {path}: {error}; {AGAIN}") from error
    if file.suite != suite:
        raise HarnessError(
            f"{path} is a baseline of suite {file.suite!r}, not of {suite!r}; move it or accept a "
            "run again"
        )
    if (file.kind == "quality") != (machine is None):
        raise HarnessError(f"{path} is a baseline of {file.kind}; {AGAIN}")
    if machine is not None and file.machine != machine:
        raise HarnessError(
            f"{path} is a baseline of machine {file.machine!r}; move it or accept a run again"
        )
    return file


def _check_golden(folder: Path, digests: Mapping[str, str]) -> None:
    """
    Raise HarnessError unless the golden audio is what `quality.json` was accepted with, to the
    byte.
    """
    golden = folder / "golden"
    there = {path.stem for path in golden.glob("*.flac")}
    if wrong := sorted(there ^ digests.keys()):
        path = golden / f"{wrong[0]}.flac"
        what = "is not the audio of any accepted request" if wrong[0] in there else "is missing"
        raise HarnessError(f"{path} {what}, of quality.json beside it; {AGAIN}")
    for name, digest in digests.items():
        path = inside(folder, f"golden/{name}.flac")
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise HarnessError(f"cannot read {path}: {reason(error)}; {AGAIN}") from error
        if found != digest:
            raise HarnessError(
                f"{path} is not the accepted audio: its SHA-256 is {found[:12]}..., not "
                f"{digest[:12]}...; {AGAIN}"
            )


def _acceptable(run: Run, why: str, partial: bool) -> list[Cell]:
    """Give the cells that may be accepted. Raises HarnessError if the run may not."""
    if not why.strip():
        raise HarnessError('a baseline needs a reason that a reviewer can read; give --why "..."')
    if not run.complete and not partial:
        raise HarnessError(
            f"{run.folder} is not complete, so it cannot become the baseline; finish it with "
            "--resume"
        )
    failed = {
        cell.slug: reason
        for cell in run.cells
        if (reason := failure_of(cell.slug, run)) is not None
    }
    if failed and not partial:
        slug, reason = next(iter(failed.items()))
        raise HarnessError(
            f"cell {slug} failed ({reason}), so {run.folder} cannot become the baseline; mend it "
            "and run again"
        )
    measured = {
        process.cell
        for process in run.processes
        if any(s.phase is Phase.MEASURED for s in process.samples)
    }
    cells = [cell for cell in run.cells if cell.slug in measured and cell.slug not in failed]
    if run.reference not in {cell.slug for cell in cells}:
        raise HarnessError(
            f"{run.folder} has no samples of the reference cell {run.reference}, run the suite "
            "again"
        )
    return cells


def restlessness(run: Run, cells: Sequence[Cell]) -> str:
    """
    Say why the speeds of these cells are those of a machine that was not quiet; empty where nothing
    speaks against them.
    """
    found = fitness(run.environment)
    if found.word not in (QUIET, UNKNOWN):
        return f"the machine was {found.word} ({found.why})"
    shaken = [
        f"{cell.slug}: {each.why}" for cell in cells if (each := disturbed(run, cell.slug)).too_many
    ]
    return shaken[0] if shaken else ""


def _quiet_enough(run: Run, cells: Sequence[Cell], loaded: bool) -> str:
    """
    Return what the reason of a speed baseline adds. Raises HarnessError if the machine was not
    quiet, unless `loaded`.
    """
    trouble = restlessness(run, cells)
    if trouble and not loaded:  # against such speeds, the next slow-down reads as an improvement
        raise HarnessError(
            f"the speeds of {run.folder} are not those of a quiet machine: {trouble}; run it again "
            "when the machine is idle (voxgate doctor says when), accept --only quality, or add "
            "--loaded to accept them all the same"
        )
    return f" (accepted --loaded: {trouble.partition(' (')[0]})" if trouble else ""


def _file(
    run: Run,
    cells: Sequence[Cell],
    measured: Mapping[str, Mapping[str, Measurement]],
    why: str,
    kind: Kind,
    path: str,
) -> BaselineFile:
    return BaselineFile(
        path=path,
        suite=run.suite,
        kind=kind,
        profile=run.profile,
        reference=run.reference,
        machine=machine_id(run),
        commit=revision(run),
        created=run.created,
        why=why.strip(),
        samples=sum(
            sample.phase is Phase.MEASURED
            for process in run.processes
            for sample in process.samples
        ),
        environment=facts_of(run.environment.machine),
        toolchain=facts_of(run.environment.toolchain),
        cells={
            cell.slug: identity(cell, run) | (_heard(cell, run) if kind == "quality" else {})
            for cell in cells
        },
        measurements={
            cell.slug: {
                n: m for n, m in measured[cell.slug].items() if fault_of_kind(n, kind) is None
            }
            for cell in cells
        },
    )


def _heard(cell: Cell, run: Run) -> dict[str, Any]:
    """
    Return what was heard of a cell as a baseline keeps it, recogniser by recogniser; empty where
    nobody listened.
    """
    heard: dict[str, dict[str, str]] = {}
    for request, each in run.heard.get(cell.slug, {}).items():
        heard.setdefault(each.recogniser, {})[request] = each.text
    return {HEARD: heard} if heard else {}


def write_golden(run: Run, folder: Path) -> None:
    """
    Write the reference cell's audio as golden audio into a folder of its own. Raises HarnessError.
    """
    try:
        _write_golden(run, folder)
    except OSError as error:
        raise HarnessError(
            f"cannot write golden audio in {folder}: {reason(error)}; make room, then go on"
        ) from error


def _write_golden(run: Run, folder: Path) -> dict[str, str]:
    """
    Write the reference cell's audio, one flac per request, and remove what no request names any
    more.

    Returns the SHA-256 of each file, by request. Raises OSError, and HarnessError for audio that is
    not in the run's folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        plain_name(sample.request, "request"): inside(Path(run.folder), sample.audio_file)
        for process in reversed(run.processes)
        if process.cell == run.reference
        for sample in reversed(process.samples)
        if sample.audio_file is not None
    }
    digests = {}
    for request, file in sorted(files.items()):
        content = flac_bytes(*read_audio(file), str(file))
        write_atomic(folder / f"{request}.flac", content)
        digests[request] = hashlib.sha256(content).hexdigest()
    for old in folder.glob("*.flac"):
        if old.stem not in files:
            old.unlink()
    return digests


def _changes(
    before: Sequence[BaselineFile], after: Mapping[str, Mapping[str, Measurement]]
) -> tuple[BaselineChange, ...]:
    old: dict[tuple[str, str], Measurement] = {}
    for file in before:
        old.update(
            {
                (slug, name): each
                for slug, several in file.measurements.items()
                for name, each in several.items()
            }
        )
    new = {(slug, name): each for slug, several in after.items() for name, each in several.items()}
    keys = [key for key in sorted({*old, *new}) if not is_helper(key[1])]
    pairs = [(key, old.get(key), new.get(key)) for key in keys]
    return tuple(_change(key, was, now) for key, was, now in pairs if not _same(was, now))


def _change(
    key: tuple[str, str], was: Measurement | None, now: Measurement | None
) -> BaselineChange:
    either = now or was
    assert either is not None, "a change has at least one side"
    old, new = (None if each is None else each.summary for each in (was, now))
    return BaselineChange(cell=key[0], metric=key[1], unit=either.unit, old=old, new=new)


def _same(was: Measurement | None, now: Measurement | None) -> bool:
    """Whether both stand for the same number, up to the file's rounding."""
    if was is None or now is None:
        return was is now
    if isinstance(was.summary, Missing) or isinstance(now.summary, Missing):
        return was.summary == now.summary
    return abs(was.summary - now.summary) <= 1e-6 * max(abs(was.summary), abs(now.summary))


def _shown(value: Value | None) -> str:
    if value is None:
        return "none"
    return f"missing ({value.reason})" if isinstance(value, Missing) else f"{value:.4g}"
