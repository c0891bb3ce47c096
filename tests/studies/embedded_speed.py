"""
The embedded voice alone in a process, for `speed_beside_reference.py`: its memory, stage times and
work, printed as JSON.

    python -m tests.studies.embedded_speed THREADS ROUNDS

Compile is off, as it is by default; memory is read before anything is imported that only counts
(Linux).
"""

import json
import sys
from pathlib import Path
from typing import Any

from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.timing import StageTimes

TEXT = "We will meet at the station at eight, and then we will take the last train home."
STEPS = 16


def main(threads: int, rounds: int) -> None:
    """Speak, and print."""
    pipeline = FlowPipeline.load({"nfe_steps": STEPS, "threads": threads})
    audio = pipeline.synthesize(TEXT)
    spent = []
    for _ in range(rounds):
        times = StageTimes()
        pipeline.synthesize(TEXT, watch=times.watch)
        spent.append(times.seconds)
    told = {
        "rss_bytes": _peak_bytes(),
        "audio_s": audio.size / pipeline.sample_rate_hz,
        "spent": spent,
        "steps": STEPS,
        "work": _work(pipeline),
    }
    print(json.dumps(told))


def _peak_bytes() -> int:
    """
    Read the largest memory of this process from the kernel; what getrusage tells holds the
    parent's, from before exec.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _work(pipeline: FlowPipeline) -> dict[str, Any]:
    """Count one call of each model on what the text gives it: flops and bytes."""
    from tests.studies.roofline import count_work

    calls: dict[str, tuple[Any, ...]] = {}
    models = {"acoustic": pipeline.voice.dit, "vocoder": pipeline.voice.vocoder}
    for name, model in models.items():
        setattr(
            pipeline,
            name,
            lambda *args, name=name, model=model: (calls.setdefault(name, args), model(*args))[1],
        )
    pipeline.synthesize(TEXT)
    counted = {
        name: count_work(model, lambda name=name, model=model: model(*calls[name]))
        for name, model in models.items()
    }
    return {
        name: {"flops": work.flops, "moved_bytes": work.moved_bytes}
        for name, work in counted.items()
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
