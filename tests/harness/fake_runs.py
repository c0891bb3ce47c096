"""Makes runs and scores out of numbers, for the tests of judging."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.audio.files import write_wav
from voxgate.harness.judging.accept import accept
from voxgate.harness.judging.baseline import Baseline, load_baseline, machine_id
from voxgate.harness.judging.judge import judge
from voxgate.harness.judging.policy import load_policy
from voxgate.harness.metrics.registry import known_metrics
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.records.environment import environment_from_json
from voxgate.harness.records.measurement import Value
from voxgate.harness.records.run import (
    ColdStart,
    Failure,
    Iteration,
    OptionCheck,
    Phase,
    ProcessRecord,
    Run,
)
from voxgate.harness.records.verdict import RunVerdict

REQUESTS = ("u01", "u02", "u03", "u04", "u05", "u06", "u07", "u08")
WORDS = 10.0
NAMES = [metric.name for metric in known_metrics()]
QUALITY = {
    "snr": 20.0,
    "si_sdr": 20.0,
    "pesq": 3.6,
    "stoi": 0.98,
    "wer": 0.1,
    "cer": 0.05,
    "wer_verbatim": 0.1,
    "clicks": 0.0,
    "length_off": 0.0,
    "golden_snr": 20.0,
    "golden_si_sdr": 20.0,
    "golden_pesq": 3.6,
    "golden_stoi": 0.98,
    "wer_words": WORDS,
    "cer_chars": 50.0,
    "verbatim_words": WORDS,
}
EXACT = {"snr": 120.0, "si_sdr": 120.0, "pesq": 4.64, "stoi": 1.0}


def cell(nfe: int, **fixed: str) -> Cell:
    workload = Workload(
        name="w", requests=tuple(Request(id=name, text=f"text {name}") for name in REQUESTS)
    )
    return Cell(
        suite="smoke",
        target="fake",
        pipeline="flow",
        workload=workload,
        axes={"nfe": nfe},
        fixed=fixed,
    )


CELLS = (cell(32), cell(8))


def sample(
    slug: str,
    repeat: int,
    iteration: int,
    wall_s: float,
    audio_s: float,
    stages: Mapping[str, float],
) -> Iteration:
    request = REQUESTS[iteration % len(REQUESTS)]
    first = repeat == 0 and iteration < len(REQUESTS)
    return Iteration(
        cell=slug,
        repeat=repeat,
        iteration=iteration,
        phase=Phase.MEASURED,
        request=request,
        wall_s=wall_s,
        audio_s=audio_s,
        first_audio_s=wall_s,
        stages_s=stages,
        audio_sha256=hashlib.sha256(slug.encode()).hexdigest(),  # cells sound unlike each other
        audio_file=f"audio/{slug}/{request}.wav" if first else None,
    )


def process(
    slug: str,
    repeat: int,
    walls_s: Sequence[float],
    *,
    audio_s: float = 2.0,
    stages: Callable[[float], Mapping[str, float]] = lambda wall_s: {
        "acoustic": 0.75 * wall_s,
        "vocoder": 0.25 * wall_s,
    },
    effective: Mapping[str, int] | None = None,
    effects: tuple[OptionCheck, ...] = (),
    failure: Failure | None = None,
    finished: bool = True,
) -> ProcessRecord:
    samples = tuple(
        sample(slug, repeat, index, wall_s, audio_s, stages(wall_s))
        for index, wall_s in enumerate(walls_s)
    )
    return ProcessRecord(
        cell=slug,
        repeat=repeat,
        cold=ColdStart(import_s=1.0, load_s=0.5, first_synthesis_s=0.2),
        effective=effective or {"nfe_steps": 8},
        effects=effects,
        iterations=samples,
        peak_rss_bytes=500_000_000,
        peak_cuda_bytes=None,
        failure=failure,
        finished=finished,
    )


def noisy(
    rng: np.random.Generator, base_s: float, cv: float, processes: int = 3, iterations: int = 20
) -> list[list[float]]:
    """
    Times with a process effect of `cv` and 3 % within a process, as FACTS-GATES simulates them.
    """
    return [
        list(base_s * np.exp(rng.normal(0, cv) + rng.normal(0, 0.03, iterations)))
        for _ in range(processes)
    ]


def steady(base_s: float, processes: int = 3, iterations: int = 24) -> list[list[float]]:
    return [
        [base_s * (1 + 0.001 * ((3 * r + i) % 5)) for i in range(iterations)]
        for r in range(processes)
    ]


def make_run(
    walls: Mapping[str, Sequence[Sequence[float]]],
    folder: Path | str = "runs/0001",
    **process_options: object,
) -> Run:
    cells = tuple(each for each in CELLS if each.slug in walls)
    return Run(
        schema_version=1,
        suite="smoke",
        question="is it quick?",
        reference="nfe-32",
        cells=cells,
        excluded={},
        profile="cpu",
        environment=environment_from_json(
            {
                "machine": {"id": "box-2c", "cores": 2},
                "toolchain": {"commit": "3fa1c2e", "dirty_files": 2},
            }
        ),
        created="2026-11-20T10:00:00Z",
        processes=tuple(
            process(slug, repeat, walls_s, **process_options)
            for slug, groups in walls.items()
            for repeat, walls_s in enumerate(groups)
        ),
        folder=str(folder),
        complete=True,
    )


def make_scores(
    run: Run, **changes: Value | Mapping[str, Value]
) -> dict[tuple[str, str], dict[str, Value]]:
    """
    Scores of all cells; the reference is exact against itself. A change holds for nfe-8, for all or
    for named requests.
    """
    scores: dict[tuple[str, str], dict[str, Value]] = {}
    for each in run.cells:
        for request in REQUESTS:
            values: dict[str, Value] = dict(QUALITY)
            if each.slug == run.reference:
                values |= EXACT | {f"golden_{name}": value for name, value in EXACT.items()}
            elif changes:
                values |= {
                    name: v[request] if isinstance(v, Mapping) else v for name, v in changes.items()
                }
            scores[each.slug, request] = values
    return scores


def good_run(folder: Path | str = "runs/0001", **options: object) -> Run:
    return make_run({"nfe-32": steady(0.4), "nfe-8": steady(0.1)}, folder, **options)


def with_audio(run: Run, step: float = 0.01) -> Run:
    """Writes the reference cell's audio into the run folder."""
    folder = Path(run.folder) / "audio" / run.reference
    folder.mkdir(parents=True, exist_ok=True)
    for number, request in enumerate(REQUESTS):
        write_wav(folder / f"{request}.wav", np.full(800, step * number, dtype=np.float32), 16_000)
    return run


def accepted(
    tmp_path: Path, run: Run | None = None, **changes: Value | Mapping[str, Value]
) -> Baseline:
    """Accepts a good run and loads what that wrote."""
    run = with_audio(run or good_run(tmp_path / "runs/0001"))
    accept(run, aggregate(run, make_scores(run, **changes)), "first", tmp_path / "baselines")
    return load_baseline(tmp_path / "baselines", "smoke", machine_id(run))


def policy() -> dict:
    return load_policy(Path("nowhere"), NAMES)


def judged(
    run: Run,
    baseline: Baseline,
    cells: Sequence[Cell] | None = None,
    **changes: Value | Mapping[str, Value],
) -> RunVerdict:
    return judge(run, aggregate(run, make_scores(run, **changes)), baseline, policy(), cells)
