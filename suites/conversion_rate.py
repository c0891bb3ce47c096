"""
How much sooner is a recording converted at 32 than at 48 kHz, by RVC's published sizes at their
fastest? On random weights: its audio is noise.
"""

from voxgate import Suite

# python -m voxgate.engine random-weights build/rvc-48k --kind rvc
# python -m voxgate.engine random-weights build/rvc-32k --kind rvc-32k
suite = Suite(
    pipeline="rvc",
    workload="source-15s",
    axes={"weights": ["build/rvc-48k", "build/rvc-32k"]},
    fixed={
        "f0_method": "yin",
        "threads": 2,
        "parallel_f0": True,
        "precision": "bf16",
        "quantization_content": "int8-dynamic",
    },
    reference={"weights": "build/rvc-48k"},
    metrics=["duration", "finite", "clipped_share"],
    repeats=1,
)
