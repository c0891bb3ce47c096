"""
Makes runs that can be listened to: run folders with audio, the rows that a history has of them, and
golden audio.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio.files import write_flac, write_wav
from voxgate.harness.history.records import RunRow
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.records.codec import to_json
from voxgate.harness.records.environment import environment_from_json
from voxgate.harness.records.run import Iteration, Phase
from voxgate.harness.runner import process_files, run_folder
from voxgate.harness.runner.process_files import WorkerLog
from voxgate.harness.runner.run_header import RunHeader

RATE_HZ = 16_000
SECONDS = 3.0
SLOPE_HZ_PER_S = 300.0
"""
Every voice is a tone that rises, from a start of its own: what is heard tells whose voice it is,
and where in it.
"""
STARTS_HZ = {
    ("golden", "nfe-32"): 500.0,
    ("previous", "nfe-32"): 1600.0,
    ("current", "nfe-32"): 2700.0,
    ("previous", "nfe-8"): 3800.0,
    ("current", "nfe-8"): 4900.0,
}
Audio = NDArray[np.float32]
Voice = Callable[[str], Audio]


@dataclass(frozen=True)
class Rows:
    """A history that knows some runs."""

    rows: Sequence[RunRow]

    def runs(self, suite: str | None = None, limit: int | None = None) -> list[RunRow]:
        return [row for row in self.rows if suite in (None, row.suite)][
            -(limit or len(self.rows)) :
        ]


def rising(start_hz: float, seconds: float = SECONDS, level: float = 0.2) -> Audio:
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * (start_hz * time_s + SLOPE_HZ_PER_S * time_s**2 / 2)
    return np.asarray(level * np.sin(phase), dtype=np.float32)


def requests(count: int = 3, text: str = "A sentence to be spoken.") -> tuple[Request, ...]:
    return tuple(
        Request(id=f"u{number:02}", text=f"{number}. {text}") for number in range(1, count + 1)
    )


def cell(nfe: int, asked: tuple[Request, ...]) -> Cell:
    workload = Workload(name="w", requests=asked)
    return Cell(suite="smoke", target="fake", pipeline="flow", workload=workload, axes={"nfe": nfe})


def write_run(
    folder: Path,
    voices: Mapping[int, Voice],
    created: str = "2026-11-21T00:00:00+00:00",
    asked: tuple[Request, ...] = (),
    marked: Mapping[int, Voice] | None = None,
) -> Path:
    """
    Writes a run folder: nfe -> what that cell says of a request. The first cell is the reference.
    `marked` has the voices of cells with a watermark.
    """
    cells = tuple(cell(nfe, asked or requests()) for nfe in voices)
    header = RunHeader(
        suite="smoke",
        question="is it heard?",
        reference=cells[0].slug,
        cells=cells,
        excluded={},
        profile="cpu",
        environment=environment_from_json(
            {"machine": {"id": "box-2c"}, "toolchain": {"commit": "3fa1c2e"}}
        ),
        created=created,
        repeats=1,
        iterations=1,
        command="voxgate run smoke",
    )
    run_folder.create_run(folder, header)
    for each, voice in zip(cells, voices.values(), strict=True):
        _write_process(folder, each, voice, (marked or {}).get(each.axes["nfe"]))  # type: ignore[call-overload]
    return folder


def _write_process(folder: Path, each: Cell, voice: Voice, marked: Voice | None) -> None:
    log = WorkerLog(process_files.log_path(folder, each.slug, 0))
    (folder / "audio" / each.slug).mkdir(parents=True)
    for number, request in enumerate(each.workload.requests):
        name = f"audio/{each.slug}/{request.id}.wav"
        write_wav(folder / name, voice(request.id), RATE_HZ)
        sample = _sample(each.slug, number, request.id, name)
        if marked is not None:
            product = f"audio/{each.slug}/marked/{request.id}.wav"
            (folder / product).parent.mkdir(exist_ok=True)
            write_wav(folder / product, marked(request.id), RATE_HZ)
            sample = replace(sample, marked_file=product, marked_sha256="0")
        log.append(
            {
                "kind": "sample",
                "sample": to_json(sample),
            }
        )
    log.close()


def _sample(slug: str, number: int, request: str, name: str) -> Iteration:
    return Iteration(
        cell=slug,
        repeat=0,
        iteration=number,
        phase=Phase.MEASURED,
        request=request,
        wall_s=0.1,
        audio_s=SECONDS,
        first_audio_s=0.1,
        stages_s={},
        audio_sha256="0",
        audio_file=name,
    )


def write_golden(baselines: Path, voice: Voice, asked: tuple[Request, ...] = ()) -> None:
    """Writes golden audio; no baseline file beside it."""
    folder = baselines / "smoke" / "golden"
    folder.mkdir(parents=True)
    for request in asked or requests():
        write_flac(folder / f"{request.id}.flac", voice(request.id), RATE_HZ)


def row(
    number: int, folder: Path, created: str = "2026-11-21T00:00:00+00:00", **changes: object
) -> RunRow:
    plain = RunRow(
        id=number,
        digest=f"{number:064x}",
        source="voxgate",
        suite="smoke",
        profile="cpu",
        machine="box-2c",
        head=f"rev{number}",
        created=created,
        verdict="PASS",
        exit_code=0,
        line="PASS",
        baseline="none",
        folder=str(folder),
        question="is it heard?",
        environment={},
        complete=True,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Heard:
    """Two runs of two cells and a golden voice, in files."""

    history: Rows
    run: RunRow
    baselines: Path


def two_runs(tmp_path: Path, **changed: Voice) -> Heard:
    """
    The run 2 after the run 1. Every voice is a rising tone of its own; `nfe_8`, `nfe_32` say
    something else in the current run, `before_8`, `before_32` in the previous one, `golden` in the
    accepted audio. nfe=8 now is half as loud.
    """

    def tone(when: str, slug: str, level: float = 0.2) -> Voice:
        return lambda request: rising(STARTS_HZ[when, slug], level=level)

    before = {
        32: changed.get("before_32", tone("previous", "nfe-32")),
        8: changed.get("before_8", tone("previous", "nfe-8")),
    }
    now = {
        32: changed.get("nfe_32", tone("current", "nfe-32")),
        8: changed.get("nfe_8", tone("current", "nfe-8", 0.1)),
    }
    old = row(
        1,
        write_run(tmp_path / "runs/0001", before, "2026-11-20T00:00:00+00:00"),
        "2026-11-20T00:00:00+00:00",
    )
    new = row(2, write_run(tmp_path / "runs/0002", now))
    write_golden(tmp_path / "baselines", changed.get("golden", tone("golden", "nfe-32")))
    return Heard(history=Rows([old, new]), run=new, baselines=tmp_path / "baselines")
