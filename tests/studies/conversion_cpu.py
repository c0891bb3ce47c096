"""
Where does a converter of RVC's size spend its time, what does each step of suite `conversion_cpu`
buy, and how near is each stage to what the machine can do? The tables of
docs/evidence/conversion-cpu.md.

    python -m tests.studies.conversion_cpu RUN
    python -m tests.studies.conversion_cpu --alone FOLDER

RUN is the folder of a scored run of pipeline rvc; start it where the run was made, so that the
weights are found. The run's first cell is plain. Work is counted on shapes alone; the machine's own
speed is that of a matrix product or a convolution, measured now.
With --alone the stages of the voice in FOLDER run by themselves on one thread, in CPU time, which
other work on the machine disturbs less.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.studies.roofline import timed_s
from voxgate.engine.config import Precision, Quantization
from voxgate.engine.conversion.chunks import windows
from voxgate.engine.layers.linear import project
from voxgate.engine.passes import quantization
from voxgate.engine.passes.precision import DTYPES
from voxgate.engine.rvc.checkpoint import RvcVoice, load_rvc
from voxgate.engine.rvc.hubert import RATE_HZ, Hubert
from voxgate.engine.rvc.nsf_decoder import NsfDecoder, ResidualConv
from voxgate.engine.rvc.passage import CONTENT_FRAME, HUBERT_EDGE, MirroredAudio, spoken_windows
from voxgate.engine.rvc.synthesizer import FRAME_RATE_HZ, Synthesizer
from voxgate.harness.records.cell import Option
from voxgate.harness.records.measurement import Measurement, Missing
from voxgate.harness.records.run import Iteration, Phase, Run
from voxgate.harness.scoring.kept_scores import load_scored

STAGES = ("preprocess", "content", "f0", "model", "vocoder", "post")
COUNTED = ("content", "model", "vocoder")
PARITY = ("snr", "mel_distance", "stoi")
LEAST_S = 0.001
"""Of a stage that computed; what a cache recalls takes less."""
SQUARE, ROUNDS = 1024, 40
"""Short products, often: the best one was not disturbed."""
ALONE_FRAMES = 300
"""Of the window in which stages run alone: 3 s."""
CHANNELS, FRAMES, KERNEL = 128, 6000, 7
"""Of the convolution, one of the vocoder's."""


@dataclass(frozen=True)
class Measured:
    """A cell: its options as they were in effect, and the medians of its conversions."""

    label: str
    options: Mapping[str, Option | None]
    walls_s: tuple[float, ...]
    stages_s: Mapping[str, float]
    audio_s: float

    @property
    def wall_s(self) -> float:
        """Of a whole conversion."""
        return median(self.walls_s)


def measured_cells(run: Run) -> Iterator[Measured]:
    """Yield the cells that were measured, in the run's order."""
    for cell in run.cells:
        processes = [each for each in run.processes if each.cell == cell.slug and each.finished]
        taken = [
            each
            for process in processes
            for each in process.iterations
            if each.phase is Phase.MEASURED
        ]
        if taken:
            yield Measured(
                cell.label,
                processes[0].effective,
                tuple(each.wall_s for each in taken),
                {stage: _stage_s(taken, stage) for stage in STAGES},
                taken[0].audio_s,
            )


def _stage_s(taken: list[Iteration], stage: str) -> float:
    return median(each.stages_s.get(stage, 0.0) for each in taken)


@cache
def voice_in(folder: str) -> RvcVoice:
    """Load a voice, whose shapes are counted."""
    return load_rvc(Path(folder))


def gflop(run: Callable[[], object]) -> float:
    """Return the arithmetic of a call."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops()) / 1e9


@cache
def window_work(folder: str, stage: str, frames: int) -> float:
    """Return the work of a stage in one window of frames, in GFLOP."""
    voice = voice_in(folder)
    shape = voice.synthesizer.shape
    speaker_width, hop = shape.decoder.speaker_width, shape.decoder.hop
    with torch.device("meta"):
        speaker, latents = torch.empty(1, speaker_width), torch.empty(1, frames, shape.latent)
        if stage == "content":
            audio = torch.empty(1, frames * CONTENT_FRAME + HUBERT_EDGE)
            hubert = Hubert(voice.hubert.shape)
            return gflop(lambda: hubert.states(audio))
        if stage == "vocoder":
            decoder, sine = NsfDecoder(shape.decoder), torch.empty(1, frames * hop)
            return gflop(lambda: decoder(latents, sine, speaker))
        model, content = Synthesizer(shape), torch.empty(1, frames, shape.content)
        pitch = torch.zeros(1, frames, dtype=torch.long)
        return gflop(lambda: model(content, pitch, speaker, latents))


def work(cell: Measured) -> dict[str, float]:
    """Return the work of each stage in one conversion, in GFLOP: neighbours of chunks included."""
    options, folder = cell.options, str(cell.options["weights"])
    core = 2 * round(_number(options["chunk_seconds"]) * FRAME_RATE_HZ / 2)
    pad = 2 * round(_number(options["chunk_overlap_seconds"]) * FRAME_RATE_HZ / 2)
    frames = 2 * round(cell.audio_s * FRAME_RATE_HZ / 2)
    source = MirroredAudio(audio=np.zeros(0), samples=0, frames=frames, pad=pad)
    heard = windows(source.padded_frames // 2, core // 2, pad // 2)
    spoken = spoken_windows(source, core)
    cut = {"content": heard, "model": spoken, "vocoder": spoken}
    return {
        stage: sum(window_work(folder, stage, each.frames) for each in cut[stage])
        for stage in COUNTED
    }


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


@cache
@torch.inference_mode()
def machine_gflop_per_s(precision: str, threads: int) -> float:
    """
    Measure what the machine can do: the best of ROUNDS by the fastest of a matrix product, by
    torch's default library and by oneDNN, and a convolution.
    """
    before, dtype = torch.get_num_threads(), DTYPES[Precision(precision)]
    torch.set_num_threads(threads)
    a, b = (torch.randn(SQUARE, SQUARE).to(dtype) for _ in range(2))
    x = torch.randn(1, FRAMES, CHANNELS).to(dtype)
    conv = ResidualConv(CHANNELS, KERNEL).to(dtype)
    square, image = 2 * SQUARE**3, 2 * FRAMES * CHANNELS**2 * KERNEL
    calls: list[tuple[int, Callable[[], object]]] = [
        (square, lambda: a @ b),
        (square, lambda: project(a, b)),
        (image, lambda: conv(x)),
    ]
    fastest = max(flop / timed_s(call) for _ in range(ROUNDS) for flop, call in calls)
    torch.set_num_threads(before)
    return fastest / 1e9


def precision_of(cell: Measured, stage: str) -> str:
    """Return the arithmetic of a stage; "" where it is int8, which is not measured."""
    if cell.options[f"quantization_{stage}"] != "none":
        return ""
    own = str(cell.options[f"precision_{stage}"])
    return str(cell.options["precision"]) if own == "same" else own


def stage_table(cells: list[Measured]) -> Iterator[str]:
    """Yield the rows of seconds by stage."""
    yield f"| cell | {' | '.join(STAGES)} | whole s | n | spread % | times plain |"
    yield "| --- |" + " ---: |" * (len(STAGES) + 4)
    for cell in cells:
        stages = " | ".join(f"{cell.stages_s[stage]:.2f}" for stage in STAGES)
        spread = 100.0 * (max(cell.walls_s) - min(cell.walls_s)) / cell.wall_s
        yield (
            f"| {cell.label} | {stages} | {cell.wall_s:.2f} | {len(cell.walls_s)} | {spread:.0f} | "
            f"{cells[0].wall_s / cell.wall_s:.1f} |"
        )


def work_table(cells: list[Measured]) -> Iterator[str]:
    """Yield the rows of work, and of speed against the machine's."""
    yield "| cell | stage | GFLOP | GFLOP per s of audio | GFLOP/s | of the machine's % |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for cell in cells:
        for stage, count in work(cell).items():
            per_s, spent_s = count / cell.audio_s, cell.stages_s[stage]
            if spent_s < LEAST_S:
                yield f"| {cell.label} | {stage} | recalled | | | |"
                continue
            kind = precision_of(cell, stage)
            most = machine_gflop_per_s(kind, int(_number(cell.options["threads"]))) if kind else 0.0
            share = f"{100.0 * count / spent_s / most:.0f}" if most else "int8"
            yield (
                f"| {cell.label} | {stage} | {count:.0f} | {per_s:.1f} | {count / spent_s:.0f} | "
                f"{share} |"
            )


def bounds(plain: Measured) -> Iterator[str]:
    """Yield what would be gained of plain if a stage cost nothing."""
    yield "| if it cost nothing | times plain |"
    yield "| --- | ---: |"
    for stage in ("content", "f0", "model", "vocoder"):
        yield f"| {stage} | {plain.wall_s / (plain.wall_s - plain.stages_s[stage]):.2f} |"


def machine_table(cells: list[Measured]) -> Iterator[str]:
    """Yield the machine's own speeds, of the arithmetics and threads of the cells."""
    kinds = {
        (precision_of(cell, stage), int(_number(cell.options["threads"])))
        for cell in cells
        for stage in COUNTED
    }
    yield "| arithmetic | threads | GFLOP/s |"
    yield "| --- | ---: | ---: |"
    for kind, threads in sorted(each for each in kinds if each[0]):
        yield f"| {kind} | {threads} | {machine_gflop_per_s(kind, threads):.0f} |"


def parity_table(run: Run, found: Mapping[str, tuple[Measurement, ...]]) -> Iterator[str]:
    """Yield the parity of every cell with the reference cell."""
    yield f"| cell | {' | '.join(PARITY)} |"
    yield "| --- |" + " ---: |" * len(PARITY)
    for cell in run.cells:
        by_name = {each.metric: each.summary for each in found[cell.slug]}
        values = (by_name.get(name, Missing("not scored")) for name in PARITY)
        told = ("-" if isinstance(each, Missing) else f"{each:.2f}" for each in values)
        yield f"| {cell.label} | {' | '.join(told)} |"


@torch.inference_mode()
def alone_table(folder: str) -> Iterator[str]:
    """Yield CPU seconds of every stage by itself, on one thread, by its arithmetic."""
    torch.set_num_threads(1)
    yield "| stage | arithmetic | GFLOP per s of audio | CPU s per s of audio | GFLOP per CPU s |"
    yield "| --- | --- | ---: | ---: | ---: |"
    seconds = ALONE_FRAMES / FRAME_RATE_HZ
    for precision in ("fp32", "bf16", "int8-dynamic"):
        voice = load_rvc(Path(folder))
        for stage, call in alone_calls(voice, precision).items():
            spent_s = min(_cpu_s(call) for _ in range(3))
            frames = ALONE_FRAMES // 2 if stage == "content" else ALONE_FRAMES
            count = window_work(folder, stage, frames)
            yield (
                f"| {stage} | {precision} | {count / seconds:.1f} | {spent_s / seconds:.3f} | "
                f"{count / spent_s:.0f} |"
            )


def alone_calls(voice: RvcVoice, precision: str) -> dict[str, Callable[[], object]]:
    """Return a call of each stage; of content alone in int8, as its Linear layers are all of it."""
    shape = voice.synthesizer.shape
    audio = torch.randn(1, ALONE_FRAMES * RATE_HZ // FRAME_RATE_HZ + HUBERT_EDGE)
    if precision == "int8-dynamic":
        quantization.apply({"content": voice.hubert}, Quantization.INT8_DYNAMIC, "quantization")
        return {"content": lambda: voice.hubert(audio)}
    dtype = DTYPES[Precision(precision)]
    latents = torch.randn(1, ALONE_FRAMES, shape.latent)
    content = torch.randn(1, ALONE_FRAMES, shape.content).to(dtype)
    pitch, speaker = torch.ones(1, ALONE_FRAMES, dtype=torch.long), torch.randn(1, 256).to(dtype)
    sine = torch.randn(1, ALONE_FRAMES * shape.decoder.hop)
    hubert, model, decoder = (
        each.to(dtype) for each in (voice.hubert, voice.synthesizer, voice.decoder)
    )
    return {
        "content": lambda: hubert(audio.to(dtype)),
        "model": lambda: model(content, pitch, speaker, latents),
        "vocoder": lambda: decoder(latents.to(dtype), sine, speaker),
    }


def _cpu_s(call: Callable[[], object]) -> float:
    began_s = time.process_time()
    call()
    return time.process_time() - began_s


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("run", type=Path, nargs="?")
    given.add_argument("--alone", metavar="FOLDER")
    asked = parser.parse_args()
    if asked.alone:
        for line in alone_table(asked.alone):
            print(line, flush=True)
        return 0
    return run_tables(asked.run)


def run_tables(folder: Path) -> int:
    """Print the tables of a run."""
    run, found = load_scored(folder)
    cells = list(measured_cells(run))
    if not cells:
        print("no cell of the run was measured", file=sys.stderr)
        return 2
    scores = {slug: tuple(each) for slug, each in found.items()}
    parts = (machine_table(cells), stage_table(cells), bounds(cells[0]), work_table(cells))
    print("\n\n".join("\n".join(part) for part in (*parts, parity_table(run, scores))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
