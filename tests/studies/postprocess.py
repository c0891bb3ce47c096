"""
What does each step of post-processing cost, and what does it change? The table of
docs/stages-and-runtimes.md.

    python tests/studies/postprocess.py [SENTENCES] [REPEATS]

The models speak each sentence once; the stage `post` is then timed alone, step by step in turn.
With the whole panel of metrics: `voxgate check postprocess`.
"""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # as a script: `tests` is no installed package

import numpy as np  # noqa: E402
from pesq import pesq  # noqa: E402
from pystoi import stoi  # noqa: E402

from voxgate.engine.audio.postprocess import crossfade  # noqa: E402
from voxgate.engine.config import parse_options  # noqa: E402
from voxgate.engine.pipelines.flow import FlowPipeline  # noqa: E402
from voxgate.harness.suite.suite import load_suite  # noqa: E402
from voxgate.harness.suite.workload import load_workload  # noqa: E402

STEPS = 8


def timed(pipeline: FlowPipeline, options: dict, chunks: list, repeats: int) -> tuple:
    """Return the finished chunks, and the ms per second of audio of each pass over all of them."""
    pipeline.config = parse_options({"threads": 1, **options})
    pipeline.crossfade_samples = round(16 * pipeline.config.crossfade_ms)
    seconds = sum(chunk.size for chunk in chunks) / pipeline.sample_rate_hz
    costs = []
    for _ in range(repeats):
        began = time.perf_counter()
        made = [pipeline._finished(chunk) for chunk in chunks]
        list(crossfade(iter(made), pipeline.crossfade_samples))
        costs.append(1000 * (time.perf_counter() - began) / seconds)
    return made, costs


def main(sentences: int, repeats: int) -> None:
    """Print the table."""
    pipeline, chunks = FlowPipeline.load({"threads": 1, "nfe_steps": STEPS}), []
    honest = pipeline._finished
    pipeline._finished = lambda audio: (chunks.append(audio), honest(audio))[1]
    for request in load_workload("everyday-short", ROOT).requests[:sentences]:
        pipeline.synthesize(request.text)
    del pipeline._finished
    seconds = sum(chunk.size for chunk in chunks) / pipeline.sample_rate_hz
    print(f"{len(chunks)} chunks of {seconds:.1f} s in all, {repeats} passes\n")
    print("| options | ms per s of audio (least to most) | s removed | pesq | stoi |")
    print("| --- | ---: | ---: | ---: | ---: |")
    plain, _ = timed(pipeline, {}, chunks, repeats)
    for cell in load_suite("postprocess", ROOT).expand(ROOT).cells:
        made, costs = timed(pipeline, dict(cell.axes), chunks, repeats)
        removed = sum(a.size - b.size for a, b in zip(plain, made, strict=True)) / 16_000
        alike = "- | -"
        if not removed:
            pairs = list(zip(plain, made, strict=True))
            scores = [pesq(16_000, *pair, "wb") for pair in pairs]
            heard = [stoi(*pair, 16_000) for pair in pairs]
            alike = f"{np.mean(scores):.2f} | {np.mean(heard):.3f}"
        name = " ".join(f"{key}={value}" for key, value in cell.axes.items()) or "default"
        print(
            f"| {name} | {np.median(costs):.2f} ({min(costs):.2f} to {max(costs):.2f}) "
            f"| {removed:.2f} | {alike} |",
            flush=True,
        )


if __name__ == "__main__":
    main(int((*sys.argv[1:], "6")[0]), int((*sys.argv[2:], "20")[0]))
