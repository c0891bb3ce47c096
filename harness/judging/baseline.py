"""
The baseline of a suite: its files, loaded and checked.

    baselines/<suite>/quality.json            machine-independent
    baselines/<suite>/speed@<machine>.json    one per machine
    baselines/<suite>/golden/<request>.flac   the reference cell's audio; quality.json has the
                                              digest of each file

All of them change at once or not at all (`replace_folder.py`), by `accept.py` alone. Knows the
folder; `baseline_file.py` knows the format. Compares and decides nothing.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from voxgate.harness.analysis.grouping import Measurements, by_name
from voxgate.harness.audio.files import flac_bytes, read_audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline_check import fault_of_kind
from voxgate.harness.judging.baseline_file import AGAIN, BaselineFile, Kind, parse
from voxgate.harness.judging.replace_folder import settle
from voxgate.harness.metrics.registry import GOLDEN
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.environment import facts_of
from voxgate.harness.records.files import inside, plain_name, reason, write_atomic
from voxgate.harness.records.measurement import Measurement
from voxgate.harness.records.run import Phase, ProcessRecord, Run

KINDS: tuple[Kind, ...] = ("quality", "speed")
LONGEST, DIGITS = 100, 10
DIGESTED = re.compile(rf".*-[0-9a-f]{{{DIGITS}}}", re.DOTALL)
"""
A machine name that looks as if it ended in a digest gets one, so that nobody can choose the name of
another machine.
"""
COMMIT = re.compile(r"[0-9a-f]{7,40}")
HEARD = "heard"
"""Key in a cell of a quality baseline: recogniser -> request id -> transcript."""


BASELINES = Path("baselines")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The accepted measurements of a suite on one machine; either part may be absent."""

    quality: BaselineFile | None
    speed: BaselineFile | None

    @property
    def files(self) -> tuple[BaselineFile, ...]:
        """The parts that exist."""
        return tuple(file for file in (self.quality, self.speed) if file is not None)

    @property
    def date(self) -> str:
        """The day of the run that is the baseline; empty without any."""
        file = self.speed or self.quality
        return "" if file is None else file.created[:10]

    @property
    def commit(self) -> str:
        """The commit of that run; empty where its working tree differed."""
        file = self.speed or self.quality
        return file.commit if file is not None and COMMIT.fullmatch(file.commit) else ""


def machine_id(run: Run) -> str:
    """
    Return the name of the machine that a run was made on, fit for a file name. Different machines
    have different names.
    """
    stated = run.environment.machine.id or "unknown"
    plain = re.sub(r"[^a-z0-9._-]+", "-", stated.lower())[:LONGEST]
    if plain == stated and not DIGESTED.fullmatch(stated):
        return stated
    return f"{plain}-{hashlib.sha256(stated.encode('utf-8', 'replace')).hexdigest()[:DIGITS]}"


def revision(run: Run) -> str:
    """
    Return the revision that was measured: `3fa1c2e`, or `3fa1c2e + 2 files` where the working tree
    differed.
    """
    toolchain = run.environment.toolchain
    dirty = toolchain.dirty_files or 0
    extra = f" + {dirty} file{'' if dirty == 1 else 's'}" if dirty else ""
    return f"{'none' if toolchain.commit is None else toolchain.commit}{extra}"


def suite_dir(baselines_dir: Path, suite: str) -> Path:
    """
    Return the folder of a suite's baseline. Raises HarnessError for a name that leads out of
    `baselines_dir`.
    """
    return inside(baselines_dir, plain_name(suite, "suite"))


def golden_dir(baselines_dir: Path, suite: str) -> Path:
    """Return the folder of a suite's golden audio. Raises HarnessError as `suite_dir` does."""
    return suite_dir(baselines_dir, suite) / "golden"


def load_baseline(baselines_dir: Path, suite: str, machine: str) -> Baseline:
    """
    Load the baseline of a suite on a machine.

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
    Load a machine's speed baseline from the folder of a suite's baseline. Raises HarnessError as
    `load_baseline` does.
    """
    return _load(folder, f"speed@{machine}.json", suite, machine)


def identity(cell: Cell, run: Run) -> dict[str, Any]:
    """
    Return a cell's identity as a baseline keeps it: its configuration, and the options that were in
    effect.
    """
    effective = next(
        (dict(p.effective) for p in run.processes if p.cell == cell.slug and p.effective), {}
    )
    return {
        "digest": cell.digest(),
        "target": cell.target,
        "pipeline": cell.pipeline,
        "workload": f"{cell.workload.name} {cell.workload.digest()}",
        **({} if cell.command is None else {"command": str(cell.command)}),
        "options": dict(cell.options),
        "effective": effective,
    }


def file_name(kind: str, machine: str) -> str:
    """Return the file name of a kind of baseline."""
    return "quality.json" if kind == "quality" else f"speed@{machine}.json"


def of_run(run: Run, measurements: Measurements) -> Baseline:
    """
    Return the baseline that a run would make, without writing it: the other side of a paired
    comparison.
    """
    cells = [cell for cell in run.cells if cell.slug in measurements]
    named = {cell.slug: by_name(as_golden(measurements[cell.slug])) for cell in cells}
    why = f"measured in turns with {revision(run)}"
    quality, speed = (baseline_file_of(run, cells, named, why, kind, run.folder) for kind in KINDS)
    return Baseline(quality=quality, speed=speed)


def as_golden(measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """
    Return a cell's measurements as they read once its own run's reference audio is the golden
    audio.
    """
    named = by_name(measurements)

    def relabel(measurement: Measurement) -> Measurement:
        parity = named.get(measurement.metric.removeprefix(GOLDEN))
        return (
            replace(parity, metric=measurement.metric)
            if measurement.metric.startswith(GOLDEN) and parity is not None
            else measurement
        )

    return tuple(relabel(measurement) for measurement in measurements)


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
    Raise HarnessError unless the golden audio is the accepted audio, to the byte, by the digests in
    `quality.json`.
    """
    golden = folder / "golden"
    existing = {path.stem for path in golden.glob("*.flac")}
    if wrong := sorted(existing ^ digests.keys()):
        path = golden / f"{wrong[0]}.flac"
        what = "is not the audio of any accepted request" if wrong[0] in existing else "is missing"
        raise HarnessError(f"{path} {what}, of quality.json beside it; {AGAIN}")
    for name, digest in digests.items():
        path = inside(folder, f"golden/{name}.flac")
        try:
            actual = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise HarnessError(f"cannot read {path}: {reason(error)}; {AGAIN}") from error
        if actual != digest:
            raise HarnessError(
                f"{path} is not the accepted audio: its SHA-256 is {actual[:12]}..., not "
                f"{digest[:12]}...; {AGAIN}"
            )


def baseline_file_of(
    run: Run,
    cells: Sequence[Cell],
    measured: Mapping[str, Mapping[str, Measurement]],
    why: str,
    kind: Kind,
    path: str,
) -> BaselineFile:
    """Return the baseline file of a kind that the measurements of these cells make."""
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
        samples=count_measured(run.processes),
        environment=facts_of(run.environment.machine),
        toolchain=facts_of(run.environment.toolchain),
        cells={
            cell.slug: identity(cell, run) | (_heard(cell, run) if kind == "quality" else {})
            for cell in cells
        },
        measurements={cell.slug: _of_kind(measured[cell.slug], kind) for cell in cells},
    )


def _of_kind(named: Mapping[str, Measurement], kind: Kind) -> dict[str, Measurement]:
    return {
        name: measurement for name, measurement in named.items() if not fault_of_kind(name, kind)
    }


def count_measured(processes: Iterable[ProcessRecord]) -> int:
    """Return the number of measured iterations of several processes."""
    phases = [iteration.phase for process in processes for iteration in process.iterations]
    return phases.count(Phase.MEASURED)


def _heard(cell: Cell, run: Run) -> dict[str, Any]:
    """
    Return a cell's transcripts as a baseline keeps them, by recogniser; empty where none were made.
    """
    transcripts: dict[str, dict[str, str]] = {}
    for request, transcript in run.heard.get(cell.slug, {}).items():
        transcripts.setdefault(transcript.recogniser, {})[request] = transcript.text
    return {HEARD: transcripts} if transcripts else {}


def write_golden(run: Run, folder: Path) -> None:
    """
    Write the reference cell's audio as golden audio into a folder of its own. Raises HarnessError.
    """
    try:
        copy_golden(run, folder)
    except OSError as error:
        raise HarnessError(
            f"cannot write golden audio in {folder}: {reason(error)}; make room, then go on"
        ) from error


def _reference_audio(run: Run) -> dict[str, Path]:
    """Return the first audio file of each request of the reference cell."""
    files: dict[str, Path] = {}
    for process in run.processes:
        for iteration in process.iterations if process.cell == run.reference else ():
            if iteration.audio_file is not None:
                file = inside(Path(run.folder), iteration.audio_file)
                files.setdefault(plain_name(iteration.request, "request"), file)
    return files


def copy_golden(run: Run, folder: Path) -> dict[str, str]:
    """
    Write the reference cell's audio, one FLAC file per request, and remove the files of requests
    that no longer exist.

    Returns the SHA-256 of each file, by request. Raises OSError, and HarnessError for audio that is
    not in the run's folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = _reference_audio(run)
    digests = {}
    for request, file in sorted(files.items()):
        content = flac_bytes(*read_audio(file), str(file))
        write_atomic(folder / f"{request}.flac", content)
        digests[request] = hashlib.sha256(content).hexdigest()
    for old in folder.glob("*.flac"):
        if old.stem not in files:
            old.unlink()
    return digests
