"""
What does each step buy a converter of RVC's published size on a CPU, alone and together, and where
does the time go? On random weights: its audio is noise.
"""

from voxgate import Suite

# python -m voxgate.engine random-weights build/rvc-48k --kind rvc
BASE = {"f0_method": "yin", "threads": 1, "chunk_seconds": 5.0}
TOGETHER = {"f0_method": "yin", "threads": 2, "parallel_f0": True}
REDUCED = {"precision": "bf16", "quantization_content": "int8-dynamic"}

suite = Suite(
    pipeline="rvc",
    workload="source-15s",
    cells=[
        {**BASE, "f0_method": "harvest"},  # plain
        {**BASE, "f0_method": "harvest", "parallel_f0": True},
        BASE,
        {**BASE, "seed": 1},
        {**BASE, "threads": 2},
        {**BASE, "threads": 2, "workers": 2},
        {**BASE, "batch": 3},
        {**BASE, "chunk_seconds": 0.0},
        {**BASE, "feature_cache": True},
        {**BASE, "quantization_content": "int8-dynamic"},
        {**BASE, "quantization_content": "int8-weight-only"},
        {**BASE, "precision": "bf16"},
        TOGETHER,
        {**TOGETHER, "precision": "bf16"},
        {**TOGETHER, **REDUCED},
        {**TOGETHER, **REDUCED, "feature_cache": True},
    ],
    fixed={"weights": "build/rvc-48k"},
    reference=BASE,
    metrics=["snr", "mel_distance", "stoi", "lag", "duration", "finite", "clipped_share"],
    repeats=1,
)
