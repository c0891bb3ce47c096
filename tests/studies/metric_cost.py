"""
Where the panel's time goes: CPU seconds of each metric for a second of audio, one thread, models
loaded.

    python -m tests.studies.metric_cost [FILES [METRIC ...]]

The accepted audio of suite nfe_sweep, each recording held against a noisy copy, ROUNDS times; what
several metrics share is charged to the first that asks for it, in the panel's order, and a
reference is worked out anew for each recording. Words are not among them: a recogniser hears many
files at once. Prints Markdown.
"""

import os

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
os.environ.update(dict.fromkeys(THREADS, "1"))  # before any library reads them

import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Mapping, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from tests.harness.metrics.material import Pair, make_pairs, voice_sources  # noqa: E402
from voxgate.harness.audio.recording import read_recording  # noqa: E402
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need  # noqa: E402
from voxgate.harness.metrics.registry import entry, select_metrics  # noqa: E402

ROUNDS, FILES = 3, 12
LEAST_MS = 0.5
"""Milliseconds per second of audio: cheaper metrics share a line."""


def sources(names: Sequence[str]) -> dict[str, AudioMetric]:
    """Give the metrics of audio that a plain sentence has, or those of them that are named."""
    found = {each.name: entry(each.name) for each in select_metrics(names or None, ())}
    return {
        name: line.source
        for name, line in found.items()
        if line.source is not None
        and not line.golden
        and line.source.need not in (Need.EMPHASIS, Need.JOINS)
    }


def inputs(pair: Pair) -> MetricInput:
    """Give a recording that nothing is known of yet."""
    audio, reference = read_recording(Path(pair.candidate)), read_recording(Path(pair.reference))
    return MetricInput(
        audio=audio, reference=reference, voice=reference, statement=reference, text=pair.text
    )


def costs_s(
    metrics: Mapping[str, AudioMetric], subjects: Sequence[MetricInput]
) -> dict[str, float]:
    """Give the CPU seconds of each metric for all subjects together."""
    total = dict.fromkeys(metrics, 0.0)
    for each in subjects:
        for name, metric in metrics.items():
            begun = time.process_time()
            metric.score(each)
            total[name] += time.process_time() - begun
    return total


def main(files: int = FILES, names: Sequence[str] = ()) -> None:
    """Do all of it, and print."""
    import torch

    torch.set_num_threads(1)
    metrics = sources(names)
    with tempfile.TemporaryDirectory() as folder:
        first, *pairs = make_pairs(
            voice_sources("nfe_sweep", "everyday-short")[: files + 1],
            Path(folder),
            damages=("noise 30 dB",),
        )
        costs_s(metrics, [inputs(first)])  # loads
        audio_s = sum(read_recording(Path(pair.candidate)).duration_s for pair in pairs)
        rounds = [costs_s(metrics, [inputs(pair) for pair in pairs]) for _ in range(ROUNDS)]
    each = {name: np.array([one[name] for one in rounds]) * 1000.0 / audio_s for name in metrics}
    cheap = [name for name in metrics if np.median(each[name]) < LEAST_MS]
    lines = {
        f"`{name}`": each[name]
        for name in sorted(each, key=lambda name: -np.median(each[name]))
        if name not in cheap
    }
    lines[f"{len(cheap)} others"] = (
        np.sum([each[name] for name in cheap], axis=0) if cheap else np.zeros(ROUNDS)
    )
    lines["all"] = np.sum(list(each.values()), axis=0)
    print(
        f"{len(pairs)} files, {audio_s:.0f} s of speech, {ROUNDS} rounds. CPU ms per second of "
        "audio: median [least most].\n"
    )
    print("| metric | ms/s |\n|---|---:|")
    print(
        "\n".join(
            f"| {name} | {np.median(ms):.1f} [{ms.min():.1f} {ms.max():.1f}] |"
            for name, ms in lines.items()
        )
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), names=sys.argv[2:])
